"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.api.example_values import NOW, SECOND_LATER
from gateway.api.operators.running.shapes import (
    ChainProgressView,
    CheckpointView,
    CheckView,
    EndpointCountsView,
    FailingWebhooksPage,
    FailingWebhookView,
    GatewayHealthView,
    OperatorPaymentsPage,
    OperatorSolvencyPage,
    OperatorSolvencyView,
    PaymentTimelineView,
    PoolView,
    RelayerCountsView,
    RelayersPage,
    RelayerView,
    ResumedRelayerView,
    RetriedWebhookView,
    RetryRequest,
    SolvencyPointView,
    StepView,
    TableView,
    WaitingView,
)
from gateway.api.operators.views import DifferenceView
from gateway.api.payments.examples import REFUND, SETTLED

RELAYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
WEBHOOK = "whk_01h455vb4pex5vsknk084sn02q"

TIMELINE = PaymentTimelineView(
    payment=SETTLED,
    steps=[
        StepView("requested", NOW, {"by": "@alice", "reference": "order-17", "memo": "lunch"}),
        StepView(
            "transferred",
            NOW,
            {
                "transfer": "trf_01h455vb4pex5vsknk084sn02q",
                "amount": "12.50",
                "debit": "wallet:alice:EUR",
                "debit_number": 14,
                "debit_balance": "87.50",
                "credit": "wallet:bob:EUR",
                "credit_number": 3,
                "credit_balance": "92.50",
            },
        ),
        StepView("settled", NOW, {"captured": "12.50", "event": 4_711}),
        StepView("webhooks", SECOND_LATER, {"delivered": 1, "pending": 0, "failed": 0, "retried": 0}),
    ],
    events=["payment.settled"],
    audit_events=[],
    checkpoint=CheckpointView(954, SECOND_LATER),
)

SOLVENCY = OperatorSolvencyPage(
    items=[
        OperatorSolvencyView(
            *("USDX", "USD", "1000.000000", "980.000000", "20.000000", "1000.00", "0.000000", 48_213, 48_213),
            differences=[],
            points=[
                SolvencyPointView(
                    *(NOW, 48_213, "1000.000000", "980.000000", "20.000000", "1000.00", "0.000000", "0.000000")
                )
            ],
        )
    ],
    differences=[DifferenceView("bank:EUR", "500.00", "475.00", "25.00", "the bank's statement")],
    frozen=[],
)

HEALTH = GatewayHealthView(
    at=NOW,
    queued=[WaitingView("USDX", 12, NOW)],
    submitted=WaitingView("transactions", 2, NOW),
    chain=ChainProgressView(48_213, NOW, 48_213),
    events=4_711,
    endpoints=EndpointCountsView(3, 1, 0),
    webhooks_due_at=None,
    webhooks_behind=0,
    notifications=[WaitingView("email", 0, None)],
    notifications_behind=0,
    relayers=RelayerCountsView(0, 0, 1),
    worker_seen_at=NOW,
    pool=PoolView(2, 3, 17, 0),
    checks=[CheckView("worker", "ok", "a worker runs, and its transactions become final")],
    tables=[TableView("ledger_payment", 1_000_000, 268_435_456, 402_653_184)],
    working_set_bytes=134_217_728,
    cache_bytes=1_073_741_824,
)

#: The request of each call, by its operation id.
REQUESTS: Final[Mapping[str, Struct]] = {"retry_webhook": RetryRequest()}

#: The answers of each call, by its operation id: that of its first status, and of others where there are any.
ANSWERS: Final[Mapping[str, Struct]] = {
    "list_all_payments": OperatorPaymentsPage([REFUND, SETTLED], None),
    "get_payment_timeline": TIMELINE,
    "get_solvency_over_time": SOLVENCY,
    "list_relayers": RelayersPage(
        [RelayerView(RELAYER, "runs", "", "", 41, 2, NOW, "9.998213400000000000", 3_702_000)]
    ),
    "resume_relayer": ResumedRelayerView(RELAYER, 41, 0),
    "list_failing_webhooks": FailingWebhooksPage(
        [
            FailingWebhookView(
                *(WEBHOOK, "shop", "shop.example", "Web shop", ["payment.*"], None, NOW, 3, SECOND_LATER),
                *("http_status", 503),
            )
        ],
        None,
    ),
    "retry_webhook": RetriedWebhookView(WEBHOOK, True),
    "get_gateway_health": HEALTH,
}
