"""Ledger payments that settle at once, by plain API keys, keys with caps, and sessions.

One statement authenticates the callers and makes all payments (payments/rails/ledger.py). If a cap or a policy seems to
have no room for a payment, the checks decide it.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from gateway.api.payments.fast.counts import LIMITED
from gateway.api.payments.fast.handler import JSON, Answer, FastHandler
from gateway.api.payments.fast.request import PaymentRequested
from gateway.api.payments.fast.view import view
from gateway.payments.model.route import ledger_route
from gateway.payments.rails import ledger
from gateway.payments.rails.ledger import LedgerPayment, Outcome, Settled
from gateway.tracing.tracer import Tracer

_encode = msgspec.json.Encoder().encode


class SettledPayments(FastHandler[PaymentRequested, LedgerPayment, Settled]):
    """Payments. The answer is 201, `settled`."""

    name, statement = "ledger_payments", "settle_payments"

    def read(self, request: PaymentRequested) -> LedgerPayment | None:
        asked, head = request.asked, request.head
        handle = ledger.payee_of(self.services.settings, asked.to, request.money, asked.capture)
        if handle is None:
            return None
        return LedgerPayment(
            head.token_hash,
            head.idempotency_key,
            request.fingerprint,
            handle,
            request.money,
            asked.memo,
            head.of_session,
        )

    async def commit(self, asked: Sequence[LedgerPayment]) -> list[Outcome]:
        now = self.services.clock()
        over = self.services.limits.over(LIMITED, now)
        return await ledger.pay_all(self.services.database, self.services.settings, asked, now, over)

    def answer(self, request: PaymentRequested, done: Settled) -> Answer:
        self.counts.request(request.head, done.payer)
        self.counts.paid(request, "settled")
        shown = view(
            done.asked,
            done.payment_id,
            done.payer_handle,
            "settled",
            ledger_route(done.fee),
            done.at,
            captured=done.asked.money,
            settled_at=done.at,
        )
        return 201, [JSON], _encode(shown)

    def sampled(self, tracer: Tracer, outcomes: Sequence[object]) -> list[UUID]:
        return tracer.sampled(one.payment_id for one in outcomes if isinstance(one, Settled))
