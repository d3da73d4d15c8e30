"""Requests that have to pass the checks: one transaction authenticates all callers, then does the same as the ordinary
handlers.

It takes the requests that no other handler takes: payments to addresses, with a note, or of a request for money; tokens
in a session; holds with a fee; and requests that the other handlers have found to need the checks.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from msgspec.structs import replace

from gateway import idempotency
from gateway.api.payments.fast.counts import Counts
from gateway.api.payments.fast.handler import JSON, Answer, FastHandler
from gateway.api.payments.fast.request import AnyRequest, EndRequested, PaymentRequested, Request
from gateway.api.payments.idempotency import Batcher
from gateway.api.payments.payments import ends_of, pay_request, payments_of, refunds_of, shares_commits
from gateway.errors import GatewayError, Unavailable
from gateway.http.answer import problems
from gateway.http.services import Services
from gateway.idempotency import Claim
from gateway.identity import api_key as api_keys
from gateway.identity.credential import Credential
from gateway.identity.sign_in import session
from gateway.identity.wallet import Wallet
from gateway.metrics.traffic import outcome_of
from gateway.payments.ends.capture_void import EndRequest
from gateway.payments.ends.refund import Refund
from gateway.payments.errors import UnknownPayee
from gateway.payments.model.plain import Undecided
from gateway.payments.pay import PayRequest
from gateway.postgres.pool import Connection
from gateway.tracing.tracer import Tracer

Call = TypeVar("Call")

#: The outcome of a request.
Outcome = idempotency.Answer | GatewayError | Undecided


class Checked(FastHandler[AnyRequest, AnyRequest, idempotency.Answer], Generic[AnyRequest, Call]):
    """Requests whose callers, once found, make calls that a batcher runs."""

    at_once = 1
    refuses: ClassVar[bool] = True  #: Whether refusals are answered here instead of by the ordinary handler.

    def __init__(self, services: Services, counts: Counts, batcher: Batcher[Call, Any]) -> None:
        super().__init__(services, counts)
        self._batcher = batcher

    @abstractmethod
    def call(self, request: AnyRequest, by: Credential) -> tuple[Claim, Call] | None:
        """The operation and the idempotency key of a request; None if the ordinary handler has to answer."""

    def read(self, request: AnyRequest) -> AnyRequest:
        return request

    async def commit(self, asked: Sequence[AnyRequest]) -> list[Outcome]:
        now = self.services.clock()
        shown: dict[bytes, Credential] = {}
        calls: dict[int, tuple[Claim, Call]] = {}

        async def find(connection: Connection) -> list[tuple[Claim, Call]]:
            shown.update(await _shown(connection, asked, now))
            for place, one in enumerate(asked):
                by = shown.get(one.head.token_hash)
                if by is None or (one.head.of_session and self.counts.is_over(str(by.wallet.id))):
                    continue
                if (call := self.call(one, by)) is not None:
                    calls[place] = call
            return list(calls.values())

        outcomes = dict(zip(calls, await self._batcher.commit(find), strict=True))
        return [self._decided(one, shown, outcomes.get(place)) for place, one in enumerate(asked)]

    def _decided(
        self, request: AnyRequest, shown: Mapping[bytes, Credential], outcome: idempotency.Outcome | None
    ) -> Outcome:
        """The outcome if this path may answer with it: a first answer, or a refusal that no rate limit counts."""
        if outcome is None or isinstance(outcome, idempotency.Unbatched | UnknownPayee):
            return Undecided()
        if isinstance(outcome, idempotency.Answer) and outcome.replayed:
            return Undecided()
        if isinstance(outcome, GatewayError) and not self.refuses:
            return Undecided()
        head = request.head
        self.counts.request(head, shown[head.token_hash].wallet.id)
        return outcome

    def answer(self, request: AnyRequest, done: idempotency.Answer) -> Answer:
        assert done.body is not None
        return done.status, [JSON], done.body

    def refuse(self, request: AnyRequest, error: GatewayError) -> Answer | None:
        if not (self.refuses or isinstance(error, Unavailable)):
            return None
        self.counts.paid(request, problems.problem_of(error).code)
        return problems.as_bytes(error)

    def sampled(self, tracer: Tracer, outcomes: Sequence[object]) -> list[UUID]:
        answers = [one for one in outcomes if isinstance(one, idempotency.Answer)]
        return tracer.sampled_answers([one.body for one in answers if not one.replayed])


class CheckedPayments(Checked[PaymentRequested, tuple[Wallet, PayRequest]]):
    """Payments."""

    name, statement = "checked_payments", "payments"

    def __init__(self, services: Services, counts: Counts) -> None:
        super().__init__(services, counts, payments_of(services))

    def call(self, request: PaymentRequested, by: Credential) -> tuple[Claim, tuple[Wallet, PayRequest]] | None:
        if "pay" not in by.scopes:
            return None
        try:
            asked = pay_request(request.asked, request.money, by)
        except GatewayError:
            return None
        if not shares_commits(by.wallet, asked):
            return None
        claim = _claim(request, by)
        return claim, (by.wallet, replace(asked, claim=claim))

    def answer(self, request: PaymentRequested, done: idempotency.Answer) -> Answer:
        self.counts.paid(request, outcome_of(done.status, is_hold=not request.asked.capture))
        return super().answer(request, done)


class CheckedEnds(Checked[EndRequested, EndRequest]):
    """Captures and voids."""

    name, statement, refuses = "checked_captures_and_voids", "captures and voids", False

    def __init__(self, services: Services, counts: Counts) -> None:
        super().__init__(services, counts, ends_of(services))

    def call(self, request: EndRequested, by: Credential) -> tuple[Claim, EndRequest] | None:
        if "pay" not in by.scopes or request.end == "refund":
            return None
        return _claim(request, by), EndRequest(request.end, request.payment, by.wallet.id, request.amount)


class CheckedRefunds(Checked[EndRequested, Refund]):
    """Refunds. A refunder who keeps the key may have to sign."""

    name, statement, refuses = "checked_refunds", "refunds", False

    def __init__(self, services: Services, counts: Counts) -> None:
        super().__init__(services, counts, refunds_of(services))

    def call(self, request: EndRequested, by: Credential) -> tuple[Claim, Refund] | None:
        if "refund" not in by.scopes or by.wallet.signs_itself:
            return None
        claim = _claim(request, by)
        return claim, Refund(by.wallet, request.payment, request.amount, by, claim=claim)


def _claim(request: Request, by: Credential) -> Claim:
    return Claim(by.wallet.id, request.head.idempotency_key, request.fingerprint)


async def _shown(connection: Connection, asked: Sequence[Request], now: datetime) -> dict[bytes, Credential]:
    """The callers' credentials, by the SHA-256 of their API key or token."""
    keys = [one.head.token_hash for one in asked if not one.head.of_session]
    tokens = [one.head.token_hash for one in asked if one.head.of_session]
    return (await api_keys.authenticate_all(connection, keys, now) if keys else {}) | (
        await session.open_all(connection, tokens, now) if tokens else {}
    )
