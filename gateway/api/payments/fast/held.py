"""Payments whose money is held first: fiat for a later capture, and tokens until a final block. Their callers are plain
API keys, keys with caps, and sessions.

Each kind is one statement for many payments (payments/rails/). It takes payments with ids, which are created at the
commit. If a cap or a policy seems to have no room for a payment, the checks decide it.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import structs

from gateway.api.payments.fast.counts import LIMITED
from gateway.api.payments.fast.handler import JSON, Answer, FastHandler
from gateway.api.payments.fast.request import PaymentRequested
from gateway.api.payments.fast.view import view
from gateway.ids import PaymentId, new_id
from gateway.money import Money
from gateway.payments.model.plain import NotDone
from gateway.payments.model.route import ledger_route
from gateway.payments.rails import chain, ledger
from gateway.payments.rails.chain import Queued, TokenPayment
from gateway.payments.rails.ledger import Held, HeldPayment
from gateway.tracing.tracer import Tracer

_encode = msgspec.json.Encoder().encode

#: Stands for a payment's id until its commit.
_NO_ID: Final = PaymentId(UUID(int=0))


class Holds(FastHandler[PaymentRequested, HeldPayment, Held]):
    """Fiat that is held in the ledger. The answer is 201, `held`."""

    name, statement = "holds", "hold_payments"

    def read(self, request: PaymentRequested) -> HeldPayment | None:
        asked, head, money = request.asked, request.head, request.money
        if asked.capture:
            return None
        handle = ledger.payee_of_hold(self.services.settings, asked.to, money)
        if handle is None:
            return None
        return HeldPayment(
            *(head.token_hash, head.idempotency_key, request.fingerprint, handle, money, asked.memo, _NO_ID),
            head.of_session,
        )

    async def commit(self, asked: Sequence[HeldPayment]) -> list[Held | NotDone]:
        now = self.services.clock()
        fresh = [structs.replace(one, payment_id=PaymentId(new_id(now))) for one in asked]
        over = self.services.limits.over(LIMITED, now)
        return await ledger.hold_all(self.services.database, self.services.settings, fresh, now, over)

    def answer(self, request: PaymentRequested, done: Held) -> Answer:
        self.counts.request(request.head, done.payer)
        self.counts.paid(request, "held")
        nothing = Money(0, done.asked.money.asset)
        shown = view(
            done.asked,
            done.asked.payment_id,
            done.payer_handle,
            "held",
            ledger_route(nothing),
            done.at,
            captured=nothing,
            expires_at=done.expires_at,
        )
        return 201, [JSON], _encode(shown)

    def sampled(self, tracer: Tracer, outcomes: Sequence[object]) -> list[UUID]:
        return tracer.sampled(one.asked.payment_id for one in outcomes if isinstance(one, Held))


class Tokens(FastHandler[PaymentRequested, TokenPayment, Queued]):
    """Tokens, queued for the chain. The answer is 202."""

    name, statement = "chain_payments", "hold_payments"

    def read(self, request: PaymentRequested) -> TokenPayment | None:
        asked, head = request.asked, request.head
        handle = chain.payee_of(self.services.settings, asked.to, request.money, asked.capture)
        if handle is None:
            return None
        return TokenPayment(
            *(head.token_hash, head.idempotency_key, request.fingerprint, handle, request.money, asked.memo, _NO_ID),
            head.of_session,
        )

    async def commit(self, asked: Sequence[TokenPayment]) -> list[chain.Outcome]:
        now = self.services.clock()
        fresh = [structs.replace(one, payment_id=PaymentId(new_id(now))) for one in asked]
        over = self.services.limits.over(LIMITED, now)
        return await chain.pay_all(self.services.database, self.services.settings, fresh, now, over)

    def answer(self, request: PaymentRequested, done: Queued) -> Answer:
        self.counts.request(request.head, done.payer)
        self.counts.paid(request, "accepted")
        nothing = Money(0, done.asked.money.asset)
        shown = view(
            done.asked,
            done.asked.payment_id,
            done.payer_handle,
            "queued",
            done.route,
            done.at,
            captured=nothing,
        )
        return 202, [JSON], _encode(shown)

    def sampled(self, tracer: Tracer, outcomes: Sequence[object]) -> list[UUID]:
        return tracer.sampled(one.asked.payment_id for one in outcomes if isinstance(one, Queued))
