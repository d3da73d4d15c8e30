"""Captures, voids and refunds by API keys, one statement for many of them (payments/ends/plain_ends.py).

Those about which a rule may have something to say are found, checked and written many together (checked.py). What is
refused, a refund with a note, and refunds by payers who sign with their own key are the ordinary handlers'.
"""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from gateway.api.payments.fast.handler import JSON, Answer, FastHandler
from gateway.api.payments.fast.request import EndRequested
from gateway.api.payments.views import payment_view
from gateway.payments.ends import plain_ends
from gateway.payments.ends.plain_ends import Outcome, PlainEnd
from gateway.payments.model.payment import Payment
from gateway.tracing.tracer import Tracer

_encode = msgspec.json.Encoder().encode


class Ends(FastHandler[EndRequested, PlainEnd, Payment]):
    """Captures and voids. Answered 200: the payment as it is now."""

    name, statement, status = "captures_and_voids", "end_payments", 200

    def read(self, request: EndRequested) -> PlainEnd | None:
        head = request.head
        if head.of_session:
            return None
        return PlainEnd(
            head.token_hash,
            head.idempotency_key,
            request.fingerprint,
            request.end,
            request.payment,
            request.amount,
        )

    async def commit(self, asked: Sequence[PlainEnd]) -> list[Outcome]:
        services = self.services
        return await plain_ends.end_all(services.database, services.settings, asked, services.clock())

    def answer(self, request: EndRequested, done: Payment) -> Answer:
        self.counts.request(request.head)
        viewer = done.note.author if done.note else None  # a note was read for its author alone
        return self.status, [JSON], _encode(payment_view(done, viewer))

    def sampled(self, tracer: Tracer, outcomes: Sequence[object]) -> list[UUID]:
        return tracer.sampled(one.id for one in outcomes if isinstance(one, Payment))


class Refunds(Ends):
    """Answered 201: the refund."""

    name, statement, status = "refunds", "refund_payments", 201

    async def commit(self, asked: Sequence[PlainEnd]) -> list[Outcome]:
        services = self.services
        return await plain_ends.refund_all(services.database, services.settings, asked, services.clock())
