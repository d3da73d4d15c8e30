"""Many payments in one call: a JSON array answered with a JSON array, or NDJSON answered line by line as it is paid."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from time import monotonic
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.types import ASGIApp, Receive, Scope, Send

from gateway import idempotency
from gateway.api.payments.idempotency import fingerprint_of, key_of
from gateway.api.payments.payments import status_of
from gateway.api.payments.shapes import BulkPaymentRequest, BulkResultView
from gateway.errors import GatewayError, InvalidRequest
from gateway.http.answer.problems import KEY_PROBLEMS, MONEY_PROBLEMS, PAY_PROBLEMS, problem_document, problem_of
from gateway.http.callers import CALLER, bearer_of
from gateway.http.errors import BodyTooLarge
from gateway.http.request import body
from gateway.http.request.body import StrictRequest
from gateway.http.request.fields import JSON
from gateway.http.services import Services
from gateway.idempotency import Answer
from gateway.identity.credential import Credential
from gateway.identity.errors import TooManyTries
from gateway.ids import show
from gateway.metrics.traffic import NO_RAIL, Traffic, outcome_of
from gateway.payments import batch
from gateway.payments.batch import Lines, Payer, Replayed, Result
from gateway.payments.errors import UnknownPayee
from gateway.payments.model.memo import check_memo
from gateway.payments.model.note import note_of
from gateway.payments.model.payment import Payment
from gateway.payments.model.route import RailName, rails_of
from gateway.postgres.pool import DB_SYSTEM
from gateway.secret import hash_of
from gateway.tracing.span import Part

#: The largest array that is read: ten thousand payments with the longest memos. A line of NDJSON has the usual limit.
ARRAY_BYTES_MAX = 8 * 1024 * 1024

_NDJSON = "application/x-ndjson"

_CALL = "POST /v1/payments/batch"

Item = TypeVar("Item")


Mode = Annotated[
    Literal["each", "all"], QueryParameter(description="`each`: each on its own; `all`: all or none, of a JSON array.")
]

_LINES = {
    200: ResponseSpec(list[BulkResultView], description="A result for each payment, in order.", generate_examples=False)
}


@post(
    "/v1/payments/batch",
    tags=["Payments"],
    summary="Pay many at once",
    status_code=200,
    request_max_body_size=None,  # the size of an array is checked as it is read; NDJSON has no limit
    responses=_LINES,
    needs="pay",
    names=True,
    capped=True,
    problems=(*MONEY_PROBLEMS, *KEY_PROBLEMS, *PAY_PROBLEMS, "insufficient_funds", "in_recovery", "payment_restored"),
)
async def pay_batch(
    request: StrictRequest, services: Services, credential: Credential, mode: Mode = "each"
) -> Response[list[BulkResultView]]:
    """Makes up to 10,000 payments, given as a JSON array, or any number, given as NDJSON (`application/x-ndjson`). The
    results are in the order of the payments. Within each thousand, fiat between handles is paid first.

    If the answer was lost, send the whole batch again with its key: payments that were made are found, and the rest are
    made.
    """
    key = key_of(request.headers.get("idempotency-key", ""))
    api_key_hash = hash_of(bearer_of(request)) if credential.kind == "api_key" else None
    payer = Payer(credential.wallet, api_key_hash, credential)
    if request.check_media_type(JSON, _NDJSON) == _NDJSON:
        if mode == "all":
            raise InvalidRequest("mode", "payments that stand or fall together come as a JSON array")
        if _is_older(request.scope) and int(request.headers.get("content-length", 0)) > ARRAY_BYTES_MAX:
            raise BodyTooLarge(ARRAY_BYTES_MAX)  # its answer is kept until it is complete
        lines = body.lines(request)
        # before the answer begins: a body that cannot be read at all is refused as a whole
        first = await anext(lines, None)
        return LinesResponse(_answered_lines(request, services, payer, key, first, lines))
    return await _pay_array(request, services, payer, key, mode)


async def _pay_array(
    request: StrictRequest, services: Services, payer: Payer, key: str, mode: Literal["each", "all"]
) -> Response[Any]:
    """The batch's key is claimed first, and its answer is stored at the end; in between, each line has its own
    transaction and key.
    """
    whole = await body.read_limited(request, ARRAY_BYTES_MAX)
    elements = body.read_array(whole, batch.PAYMENTS_MAX if mode == "each" else batch.PAYMENTS_MAX_TOGETHER)
    parts: list[tuple[int, Lines]] = []
    at_once = batch.AT_ONCE if mode == "each" else batch.PAYMENTS_MAX_TOGETHER
    for place in range(0, len(elements), at_once):
        part = elements[place : place + at_once]
        parts.append((place, _understood(services, payer, part, key, place, mode == "all")))
        await asyncio.sleep(0)  # a thousand take milliseconds, in which no other request is answered
    now = services.clock()
    fingerprint = hashlib.sha256(f"{_CALL} {mode}\n".encode() + _as_meant(elements, parts)).digest()

    if mode == "all":
        async with services.database.transaction() as connection:
            answer = await idempotency.claim(connection, payer.wallet.id, key, fingerprint, now)
            if answer is None:
                ((_, lines),) = parts
                began = monotonic()
                payments = await batch.pay_all_or_none(connection, services.settings, payer, lines, now)
                _tell(request, lines, payments, began)
                answer = Answer(200, msgspec.json.encode(_views(0, payments)))
                answer = await idempotency.keep(connection, payer.wallet.id, key, answer)
    else:
        answer = await idempotency.begin(services.database, payer.wallet.id, key, fingerprint, now)
        if answer is None:
            views: list[BulkResultView] = []
            async with aclosing(_ahead(_paid(request, services, payer, _each(parts)))) as paid:
                async for place, results in paid:
                    views += _views(place, results)
            answer = await idempotency.end(
                services.database, payer.wallet.id, key, Answer(200, msgspec.json.encode(views))
            )
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    return Response(answer.body, status_code=200, media_type="application/json", headers=headers)


class LinesResponse(Response[Any]):
    """Parts of an answer, sent as they come, while the request is still being read.

    Litestar's own stream listens for the client's disconnect, and would mistake the request's body for it.
    """

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        super().__init__(None, media_type=_NDJSON)
        self._parts = parts

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override] # an application is one too
        """The ASGI application that sends the parts."""

        async def send_parts(scope: Scope, _receive: Receive, send: Send) -> None:
            headers = [(b"content-type", _NDJSON.encode())]
            if _is_older(scope):
                whole = b"".join([part async for part in self._parts])
                headers.append((b"content-length", b"%d" % len(whole)))
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": whole, "more_body": False})
                return
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            try:
                async for part in self._parts:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            except InvalidRequest:
                return  # the client disconnected in the middle: the lines that it sent are paid
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        return send_parts


def _is_older(scope: Scope) -> bool:
    """Whether the client speaks HTTP/1.0, which has no chunks (RFC 9112, 6.1): it gets its answer as a whole."""
    return scope.get("http_version") == "1.0"


async def _answered_lines(
    request: StrictRequest, services: Services, payer: Payer, key: str, first: bytes | None, rest: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """Read lines as they arrive, pay a thousand at a time, and yield the answer of each part when it is committed.
    Meanwhile the lines of the next part are read and parsed.
    """
    if first is None:
        return
    async with aclosing(_ahead(_read(services, payer, key, first, rest))) as parts:
        async for place, results in _paid(request, services, payer, parts):
            yield b"".join([msgspec.json.encode(view) + b"\n" for view in _views(place, results)])


async def _read(
    services: Services, payer: Payer, key: str, first: bytes, rest: AsyncIterator[bytes]
) -> AsyncGenerator[tuple[int, Lines], None]:
    """Yield the parsed lines, a thousand at a time; with each part the index of its first line."""
    place, texts = 0, [first]
    async for text in rest:
        texts.append(text)
        if len(texts) == batch.AT_ONCE:
            yield place, _understood(services, payer, texts, key, place)
            place, texts = place + len(texts), []
    if texts:
        yield place, _understood(services, payer, texts, key, place)


async def _paid(
    request: StrictRequest, services: Services, payer: Payer, parts: AsyncIterator[tuple[int, Lines]]
) -> AsyncGenerator[tuple[int, list[Result]], None]:
    """The result of each line of each part. Unknown handles count as guesses of the caller; after too many of them the
    remaining lines are not looked up.
    """
    who = request.scope["state"][CALLER]
    async for place, lines in parts:
        now = services.clock()
        try:
            services.limits.check("guesses", who, now)
        except TooManyTries as too_many:
            yield place, [too_many] * len(lines.keys)
            continue
        began = monotonic()
        results = await batch.pay_each(services.database, services.settings, payer, lines, now)
        _tell(request, lines, results, began)
        wrong = sum(isinstance(one, UnknownPayee) for one in results)
        if wrong:
            services.limits.note(services.database, "guesses", who, now, wrong)
        yield place, results


def _tell(request: StrictRequest, lines: Lines, results: Sequence[Result], began: float) -> None:
    """Record the outcome of each line in the metrics, and its payment, made since that time (monotonic clock), in the
    traces.
    """
    services: Services = request.app.state.services
    if services.tracer is not None:
        paid = [one if isinstance(one, UUID) else one.id for one in results if isinstance(one, UUID | Payment)]
        part = Part("PostgreSQL batch", began, monotonic(), attributes=DB_SYSTEM)
        services.tracer.made("POST /v1/payments/batch", services.tracer.sampled(paid), len(results), part)
    traffic: Traffic = request.app.state.traffic
    rails: dict[str, RailName] = rails_of(services.settings.assets)
    for place, result in enumerate(results):
        rail = rails.get(lines.assets[place], NO_RAIL)
        if isinstance(result, GatewayError):
            outcome = problem_of(result).code
        else:
            found = result.payment if isinstance(result, Replayed) else result
            status = status_of(found) if isinstance(found, Payment) else 201
            outcome = outcome_of(status, is_hold=not lines.captures[place])
        traffic.paid(rail, outcome)


async def _each(parts: Iterable[Item]) -> AsyncGenerator[Item, None]:
    for part in parts:
        yield part


async def _ahead(source: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """Yield the same items, and produce the next one while the consumer is busy with the previous one."""

    async def next_one() -> Item | None:
        return await anext(source, None)

    upcoming = asyncio.create_task(next_one())
    try:
        while (item := await upcoming) is not None:
            upcoming = asyncio.create_task(next_one())
            yield item
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
        await source.aclose()


def _understood(
    services: Services, payer: Payer, elements: Sequence[bytes], key: str, place: int, together: bool = False
) -> Lines:
    """Parse the payments of these lines, the first of which has the index `place` in the call. An invalid line is
    refused alone. Lines that succeed or fail `together` use the key of the call; a line with its own key is refused.
    """
    count, prefix = len(elements), key if len(key) < 200 else _short(key)
    keys = [f"{prefix}/{n}" for n in range(place, place + count)]
    lines = Lines(keys, [b""] * count, [""] * count, [""] * count, [0] * count, [None] * count, [False] * count, {}, {})
    _, fingerprints, to, assets, amounts, memos, captures, notes, refused = lines
    of_wallet, payees, author = services.settings.assets.of_wallet, services.settings.payees, payer.wallet.id
    for n, asked in enumerate(body.read_each(elements, BulkPaymentRequest)):
        try:
            if isinstance(asked, GatewayError):
                raise asked
            if asked.idempotency_key is not None:
                if together:
                    raise InvalidRequest(
                        "idempotency_key", "with mode=all the whole has one key; leave idempotency_key out"
                    )
                keys[n] = key_of(asked.idempotency_key)
            fingerprints[n] = fingerprint_of(_CALL, asked, payees)
            amounts[n] = of_wallet(asked.asset).parse_units(asked.amount)
            check_memo(asked.memo)
            note = note_of(author, asked.reference, asked.metadata)
        except GatewayError as refusal:
            refused[n] = refusal
        else:
            to[n], assets[n], memos[n], captures[n] = asked.to, asked.asset, asked.memo, asked.capture
            if note is not None:
                notes[n] = note
    return lines


def _as_meant(elements: Sequence[bytes], parts: Sequence[tuple[int, Lines]]) -> bytes:
    """The fingerprint of an array, independent of its spelling: the hash of each line's fingerprint, or of its text if
    it cannot be parsed.
    """
    fingerprints = [fingerprint for _, lines in parts for fingerprint in lines.fingerprints]
    of_each = (meant or hashlib.sha256(one).digest() for one, meant in zip(elements, fingerprints, strict=True))
    return b"lines" + b"".join(of_each)


def _short(key: str) -> str:
    """A shorter replacement for a key that is too long to append an index to."""
    return hashlib.sha256(key.encode()).hexdigest()


def _views(place: int, results: Sequence[Result]) -> list[BulkResultView]:
    """The results of the lines from index `place` on."""
    return [
        BulkResultView(n, 201, show("pay", result), "settled") if isinstance(result, UUID) else _view(n, result)
        for n, result in enumerate(results, place)
    ]


def _view(index: int, result: Payment | Replayed | GatewayError) -> BulkResultView:
    if isinstance(result, GatewayError):
        problem = problem_document(result)
        status = problem["status"]
        assert isinstance(status, int)
        return BulkResultView(index, status, problem=problem)
    replayed, payment = (True, result.payment) if isinstance(result, Replayed) else (False, result)
    status = status_of(payment)
    return BulkResultView(index, status, show("pay", payment.id), payment.state.value, replayed=replayed)
