"""Requests and answers. Requests with unknown fields are refused."""

from datetime import datetime
from typing import Annotated, get_args

from msgspec import Meta, Struct

from gateway.api.fields import Address, AssetCode, Decimal, Handle, NextCursor, Time
from gateway.api.operators.views import DifferenceView
from gateway.api.payments.shapes import PaymentView
from gateway.api.status.shapes import FrozenView
from gateway.api.webhooks.shapes import DescriptionText, TypesText, WebhookIdText
from gateway.http.schema import one_of
from gateway.payments.timeline.step import KINDS, Detail
from gateway.reconciliation.diagnosis import State
from gateway.settlement.relayer_accounts import State as RelayerState
from gateway.webhooks.vocabulary import OUTCOMES, DisabledBy

OutcomeText = Annotated[str, one_of(OUTCOMES, "What came of an attempt.")]

StepDetails = Annotated[
    dict[str, Detail],
    Meta(
        title="StepDetails",
        description="Its details: ids, accounts, statement numbers, amounts as decimal strings, counts.",
        examples=[{"transfer": "trf_01h455vb4pex5vsknk084sn02q", "amount": "12.50"}],
    ),
]


class StepView(Struct):
    """A step of a payment's timeline. Its details depend on its kind."""

    kind: Annotated[str, one_of(KINDS, "What the step was.")]
    at: Time
    details: StepDetails


class AuditLineView(Struct):
    """An audit event of the payment."""

    number: int
    kind: str
    by: Annotated[str, Meta(description="The kind of credential, and its id.", examples=["passkey psk_…"])]
    at: Time


class CheckpointView(Struct):
    """The checkpoint that covers the payment's newest event."""

    number: int
    at: Time


class PaymentTimelineView(Struct):
    """A payment, and the steps of its timeline, in order of time."""

    payment: PaymentView
    steps: list[StepView]
    events: Annotated[list[str], Meta(description="Its events in the event log, in order.")]
    audit_events: list[AuditLineView]
    checkpoint: Annotated[CheckpointView | None, Meta(description="null: no checkpoint covers all of it yet.")]


class OperatorPaymentsPage(Struct):
    items: list[PaymentView]
    next_cursor: NextCursor


class SolvencyPointView(Struct):
    """The totals of a token at a time. `difference` and `unreconciled` are the largest values in the interval that the
    point represents."""

    at: Time
    block: int | None
    supply: Decimal
    wallets: Decimal
    outside: Decimal
    reserve: Decimal
    difference: Annotated[Decimal, Meta(description="The difference within the ledger.")]
    unreconciled: Annotated[Decimal, Meta(description="The sum of confirmed differences.")]


class OperatorSolvencyView(Struct):
    """A token now, and over time."""

    asset: AssetCode
    backing: Annotated[AssetCode, Meta(description="The currency of the reserve.")]
    supply: Decimal
    wallets: Decimal
    outside: Decimal
    reserve: Decimal
    difference: Decimal
    final_block: int | None
    checked_block: int | None
    differences: list[DifferenceView]
    points: Annotated[list[SolvencyPointView], Meta(description="Oldest first, at most 400.")]


class OperatorSolvencyPage(Struct):
    """`differences` are those of currencies, such as with the bank; those of a token are listed with the token."""

    items: list[OperatorSolvencyView]
    differences: list[DifferenceView]
    frozen: list[FrozenView]


class RelayerView(Struct):
    """A relayer account."""

    address: Address
    state: Annotated[
        str,
        one_of(
            get_args(RelayerState),
            "low: its gas balance runs out; dry: it pays for nothing more; refused: by the node.",
        ),
    ]
    reason: Annotated[str, Meta(description="Why it is stopped or refused; otherwise empty.")]
    advice: Annotated[str, Meta(description="What to do if it is stopped; otherwise empty.")]
    next_nonce: int
    open: Annotated[int, Meta(description="How many of its transactions are in no final block.")]
    oldest_open_at: Time | None
    balance: Annotated[Decimal, Meta(description="In the chain's coin, less the maximum cost of open transactions.")]
    payments: Annotated[int, Meta(description="How many payments the balance can pay for.")]


class RelayersPage(Struct):
    items: list[RelayerView]


class ResumedRelayerView(Struct):
    relayer: Address
    next_nonce: int
    ended: Annotated[int, Meta(description="How many of its transactions had nonces that others have used.")]


class FailingWebhookView(Struct):
    """An endpoint that is failing, or that was disabled because of failures. Only the host of its URL is shown: the
    path may be a secret.
    """

    id: WebhookIdText
    handle: Handle
    host: Annotated[str, Meta(examples=["shop.example"])]
    description: DescriptionText
    types: TypesText
    disabled_by: Annotated[DisabledBy | None, Meta(description="null: it is enabled, and deliveries are retried.")]
    failing_since: Annotated[Time, Meta(description="No delivery has succeeded since then.")] | None
    waiting: Annotated[int, Meta(description="The number of pending deliveries, at most 1,000.")]
    last_at: Annotated[Time, Meta(description="When it was last tried.")] | None
    last_outcome: OutcomeText | None
    last_status: Annotated[int, Meta(description="The HTTP status, if there was an answer.")] | None


class FailingWebhooksPage(Struct):
    items: list[FailingWebhookView]
    next_cursor: NextCursor


class RetryRequest(Struct, forbid_unknown_fields=True):
    since: Annotated[datetime, Meta(tz=True, description="Also redeliver events since this time.")] | None = None


class RetriedWebhookView(Struct):
    id: WebhookIdText
    enabled: bool


class WaitingView(Struct):
    """A queue and its length, counted up to a limit."""

    of: Annotated[str, Meta(description="A token, or a channel of notifications.", examples=["USDX"])]
    count: int
    oldest_at: Annotated[Time, Meta(description="Since when the oldest waits; null: none waits.")] | None


class ChainProgressView(Struct):
    """How far the chain was read."""

    block: Annotated[int, Meta(description="The final block that the ledger is read up to.")]
    block_at: Annotated[Time, Meta(description="The time of that block.")]
    reconciled_block: int | None


class CheckView(Struct):
    """One of the checks of `gateway doctor`."""

    name: str
    state: Annotated[str, one_of(get_args(State), "How it went.")]
    message: str


class PoolView(Struct):
    """The connections to PostgreSQL of the process that answers."""

    in_use: int
    idle: int
    maximum: int
    timeouts: Annotated[
        int, Meta(description="How many requests have timed out waiting for a connection since the start.")
    ]


class TableView(Struct):
    name: str
    rows: Annotated[int, Meta(description="Approximate.")]
    table_bytes: int
    index_bytes: int


class EndpointCountsView(Struct):
    """How many webhook endpoints there are in each state."""

    ok: int
    failing: Annotated[int, Meta(description="All of their recent deliveries have failed.")]
    disabled: int


class RelayerCountsView(Struct):
    """How many relayers need attention, by reason. A relayer that needs none is not counted."""

    stopped: int
    refused: Annotated[int, Meta(description="The node refuses their transactions.")]
    low: Annotated[int, Meta(description="Their gas balance is running out.")]


class GatewayHealthView(Struct):
    """The gateway's health."""

    at: Time
    queued: Annotated[list[WaitingView], Meta(description="Token payments that wait for a batch, by token.")]
    submitted: Annotated[WaitingView, Meta(description="Chain transactions that are in no final block.")]
    chain: ChainProgressView | None
    events: Annotated[int, Meta(description="The number of the newest event.")]
    endpoints: EndpointCountsView
    webhooks_due_at: (
        Annotated[Time, Meta(description="Since when a delivery is due at an endpoint that is not failing.")] | None
    )
    webhooks_behind: Annotated[int, Meta(description="Events that were not processed for webhooks yet.")]
    notifications: Annotated[list[WaitingView], Meta(description="Notifications that wait to be sent, by channel.")]
    notifications_behind: Annotated[int, Meta(description="Events that were not processed for notifications yet.")]
    relayers: RelayerCountsView
    worker_seen_at: Annotated[Time, Meta(description="When a worker last maintained a relayer.")] | None
    pool: PoolView
    checks: list[CheckView]
    tables: Annotated[list[TableView], Meta(description="Largest first.")]
    working_set_bytes: Annotated[
        int, Meta(description="The size of the tables and indexes that payments access at random places.")
    ]
    cache_bytes: Annotated[int, Meta(description="The size of PostgreSQL's cache.")]
