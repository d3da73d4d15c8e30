"""The Idempotency-Key of a call that moves money: claim it, run the operation, store the answer, all in one
transaction.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request, Response
from msgspec.structs import replace

from gateway import idempotency
from gateway.api.payments.views import payment_view
from gateway.errors import GatewayError, InvalidRequest
from gateway.group_commit import GroupCommit
from gateway.http.errors import IdempotencyKeyMissing
from gateway.http.services import Services
from gateway.idempotency import Answer, Claim, Outcome, Unbatched
from gateway.identity.wallet import Wallet
from gateway.metrics.histogram import Histogram
from gateway.payments import first_answer, restored
from gateway.payments.errors import PaymentRestored
from gateway.payments.payees.resolver import PayeeResolver, spelling
from gateway.postgres.pool import DB_SYSTEM, Connection
from gateway.tracing.span import Part
from gateway.tracing.tracer import Tracer

_KEY = re.compile(r"[!-~]{1,255}")

_JSON = msgspec.json.Encoder()

Asked = TypeVar("Asked")
Done = TypeVar("Done")

#: The operation of a call; it returns a status and the answer to encode.
Operation = Callable[[Connection, datetime], Awaitable[tuple[int, msgspec.Struct]]]

#: The operation of several calls of one kind, independently; it returns a result for each, in order.
OperationBatch = Callable[[Connection, Sequence[Asked], datetime], Awaitable[Sequence[Done | GatewayError | Unbatched]]]

#: Finds the calls of a group, in the transaction that they share.
Find = Callable[[Connection], Awaitable[Sequence[tuple[Claim, Asked]]]]


async def answer_idempotently(
    services: Services, request: Request[Any, Any, Any], caller: Wallet, asked: msgspec.Struct, operation: Operation
) -> Response[Any]:
    """Run `operation` for the first request with its key; return the first answer to every later one.

    Raises IdempotencyKeyMissing, IdempotencyKeyReused, IdempotencyKeyInProgress, and whatever `operation` raises: then
    nothing is stored, and the key may be used again.
    """
    claim = claim_of(services, request, caller, asked)
    now = services.clock()
    try:
        async with services.database.transaction() as connection:
            answer = await idempotency.claim(connection, claim.wallet, claim.key, claim.fingerprint, now)
            if answer is None:
                status, view = await operation(connection, now)
                answer = Answer(status, msgspec.json.encode(view))
                answer = await idempotency.keep(connection, claim.wallet, claim.key, answer)
            body = answer.body or await _first_answer(connection, services, claim, answer)
    except PaymentRestored as refusal:
        await restored.keep_met(services.database, claim, refusal, now)
        raise
    return _response(replace(answer, body=body))


class Batcher(Generic[Asked, Done]):
    """Batches calls of one kind: those that arrive while a transaction commits share the next one (group_commit.py).
    Each is answered as `answer_idempotently` would answer it.
    """

    def __init__(
        self,
        services: Services,
        operation: OperationBatch[Asked, Done],
        status: Callable[[Done], int],
        view: Callable[[Asked, Done], msgspec.Struct],
        in_row: Callable[[Done], bool] = lambda _: False,
        name: str = "",
    ) -> None:
        self._services = services
        self._operation = operation
        self._status = status
        self._view = view
        self._in_row = in_row
        tracer = services.tracer
        trace = None if tracer is None else partial(trace_answers, tracer, f"PostgreSQL {name}")
        self._group: GroupCommit[tuple[Claim, Asked], Outcome] = GroupCommit(self._commit, after_commit=trace)

    @property
    def sizes(self) -> Histogram:
        """How many calls of `answer` shared each commit."""
        return self._group.sizes

    async def answer(self, claim: Claim, asked: Asked) -> Response[Any]:
        """The call's answer, once it is committed. Raises what `answer_idempotently` raises."""
        try:
            outcome = await self._group.submit((claim, asked))
        except PaymentRestored as refusal:
            await restored.keep_met(self._services.database, claim, refusal, self._services.clock())
            raise
        if isinstance(outcome, Unbatched):
            (outcome,) = await self._commit([(claim, asked)])
        if isinstance(outcome, GatewayError):
            raise outcome
        assert isinstance(outcome, Answer), "by itself a call is decided"
        return _response(outcome)

    async def _commit(self, asked: Sequence[tuple[Claim, Asked]]) -> list[Outcome]:
        async def find(_: Connection) -> Sequence[tuple[Claim, Asked]]:
            return asked

        return await self.commit(find)

    async def commit(self, find: Find[Asked]) -> list[Outcome]:
        """Find and run calls in one transaction that is committed when this returns. Returns the outcome of each."""
        try:
            async with self._services.database.transaction() as connection:
                asked = await find(connection)
                outcomes = (
                    await idempotency.run_idempotently(connection, asked, self._answers, self._services.clock())
                    if asked
                    else []
                )
                for place, (outcome, (claim, _)) in enumerate(zip(outcomes, asked, strict=True)):
                    if isinstance(outcome, Answer) and outcome.body is None:
                        outcomes[place] = await self._answered_first(connection, claim, outcome)
                if not any(isinstance(outcome, Answer) for outcome in outcomes):
                    raise _AllRefused(outcomes)
                return outcomes
        except _AllRefused as none:
            return none.outcomes

    async def _answered_first(self, connection: Connection, claim: Claim, answer: Answer) -> Outcome:
        """The answer with its body, read where its key was found: another server may not have the payment."""
        try:
            return replace(answer, body=await _first_answer(connection, self._services, claim, answer))
        except PaymentRestored as refusal:
            return refusal

    async def _answers(self, connection: Connection, asked: Sequence[Asked], now: datetime) -> list[Outcome]:
        results = await self._operation(connection, asked, now)
        return [
            result
            if isinstance(result, GatewayError | Unbatched)
            else Answer(self._status(result), msgspec.json.encode(self._view(one, result)), in_row=self._in_row(result))
            for one, result in zip(asked, results, strict=True)
        ]


def trace_answers(
    tracer: Tracer, name: str, asked: Sequence[object], outcomes: Sequence[object], began: float, ended: float
) -> None:
    """Record a commit that calls shared, in the traces of the payments that it answered for the first time."""
    bodies = [one.body for one in outcomes if isinstance(one, Answer) and not one.replayed]
    if payments := tracer.sampled_answers(bodies):
        tracer.shared("group commit", len(asked), payments, Part(name, began, ended, attributes=DB_SYSTEM))


class _AllRefused(Exception):
    """Every call of a group was refused. Rolls the group back, so that no empty accounts stay behind."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes = outcomes


def claim_of(services: Services, request: Request[Any, Any, Any], caller: Wallet, asked: msgspec.Struct) -> Claim:
    """The request's key with its wallet and fingerprint. Raises IdempotencyKeyMissing."""
    key = key_of(request.headers.get("idempotency-key", ""))
    call = f"{request.method} {request.url.path}"
    fingerprint = fingerprint_of(call.rstrip("/"), asked, services.settings.payees)
    return Claim(caller.id, key, fingerprint)


def _response(answer: Answer) -> Response[Any]:
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    return Response(answer.body, status_code=answer.status, media_type="application/json", headers=headers)


async def _first_answer(connection: Connection, services: Services, claim: Claim, answer: Answer) -> bytes:
    """The first answer to a call, derived from its payment (payments/first_answer.py). Raises PaymentRestored if that
    was the answer.
    """
    if answer.payment is None:
        refusal = await restored.met(connection, claim.wallet, claim.key)
        assert refusal is not None, "a key that was answered has an answer"
        raise refusal
    payment = await first_answer.as_answered(
        connection, services.settings.assets, answer.payment, claim.wallet, answer.status
    )
    return msgspec.json.encode(payment_view(payment, claim.wallet))


def fingerprint_of(call: str, asked: msgspec.Struct, payees: Sequence[PayeeResolver]) -> bytes:
    """The SHA-256 of a request: its method, its path, and the meaning of its body.

    These are the same request: a field left out and its default; "1", "1.0" and "1.00"; a
    payee as `bob`, `@bob` or `@Bob`, and an address in any case; metadata with its keys in any order, and none and an
    empty one. These are different: no amount, and an amount that is all there is; no memo, and an empty one.

    Requests leave out defaults (`omit_defaults`), so a field that is added later changes no earlier fingerprint.
    """
    return hashlib.sha256(call.encode() + b"\n" + _JSON.encode(_as_meant(asked, payees))).digest()


def _as_meant(asked: msgspec.Struct, payees: Sequence[PayeeResolver]) -> msgspec.Struct:
    """The request in canonical form. An invalid request may stay as it is: it stores no key."""
    spelled: dict[str, Any] = {}
    amount = getattr(asked, "amount", None)
    if amount is not None and "." in amount and amount[-1] in "0.":
        spelled["amount"] = amount.rstrip("0").rstrip(".")
    for party in ("to", "from_"):
        written = getattr(asked, party, None)
        if written is not None and (name := spelling(payees, written)) != written:
            spelled[party] = name
    if (metadata := getattr(asked, "metadata", None)) is not None:
        spelled["metadata"] = dict(sorted(metadata.items())) or None
    return msgspec.structs.replace(asked, **spelled) if spelled else asked


def key_of(header: str) -> str:
    """The key in the header: 1 to 255 visible ASCII characters. Raises IdempotencyKeyMissing, and InvalidRequest for a
    longer key or other characters.
    """
    if not header.strip():
        raise IdempotencyKeyMissing
    if not _KEY.fullmatch(header):
        raise InvalidRequest(
            "idempotency_key",
            f"the Idempotency-Key {header[:60]!r} cannot be used: send 1 to 255 visible ASCII characters without "
            "spaces, such as a UUID",
        )
    return header
