"""Captures, voids and refunds by API keys, one statement for many of them (payments/ends/plain_ends.py).

Those to which checks may apply go to checked.py. The ordinary handlers answer refused requests, refunds with a note,
and refunds by payers who sign with their own key.
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
    """Captures and voids. The answer is 200, with the payment as it is now."""

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
        viewer = done.note.author if done.note else None  # a note is shown to its author only
        return self.status, [JSON], _encode(payment_view(done, viewer))

    def sampled(self, tracer: Tracer, outcomes: Sequence[object]) -> list[UUID]:
        return tracer.sampled(one.id for one in outcomes if isinstance(one, Payment))


class Refunds(Ends):
    """Refunds. The answer is 201, with the refund."""

    name, statement, status = "refunds", "refund_payments", 201

    async def commit(self, asked: Sequence[PlainEnd]) -> list[Outcome]:
        services = self.services
        return await plain_ends.refund_all(services.database, services.settings, asked, services.clock())
