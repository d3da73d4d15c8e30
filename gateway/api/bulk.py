"""Many payments in one call: a JSON array answered with a JSON array, or NDJSON answered line by line as it is paid."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.types import ASGIApp, Receive, Scope, Send

from gateway.access.credential import Credential
from gateway.api import body
from gateway.api.body import StrictRequest
from gateway.api.fields import JSON
from gateway.api.house import CALLER, House, bearer_of
from gateway.api.once import fingerprint_of, key_of
from gateway.api.payments import status_of
from gateway.api.problems import problem_document
from gateway.api.shapes import BulkPaymentRequest, BulkResultView
from gateway.errors import BodyTooLarge, GatewayError, InvalidRequest, TooManyTries, UnknownPayee
from gateway.ids import show
from gateway.payments import bulk, once
from gateway.payments.bulk import Line, Payer, Replayed, Result
from gateway.payments.note import note_of
from gateway.payments.once import Answer
from gateway.payments.pay import PayRequest, check_memo
from gateway.payments.rails.ledger import Settled
from gateway.secret import hash_of

#: The largest array that is read: ten thousand payments with the longest memos. A line of NDJSON has the usual limit.
ARRAY_BYTES_MAX = 8 * 1024 * 1024

_NDJSON = "application/x-ndjson"

_CALL = "POST /v1/payments/batch"


Mode = Annotated[Literal["each", "all"], Parameter(description="Each on its own, or all or none (a JSON array only).")]

_LINES = {
    200: ResponseSpec(list[BulkResultView], description="A result per payment, in order.", generate_examples=False)
}


@post(
    "/v1/payments/batch",
    tags=["payments"],
    summary="Pay many at once",
    status_code=200,
    request_max_body_size=None,  # an array is measured as it is read; NDJSON has no end that could be too far
    responses=_LINES,
    needs="pay",
    names=True,
    capped=True,
)
async def pay_batch(
    request: StrictRequest, house: House, credential: Credential, mode: Mode = "each"
) -> Response[list[BulkResultView]]:
    """Up to 10,000 payments as a JSON array, or any number as NDJSON (`application/x-ndjson`), paid in order.

    The whole is sent again with its key when its answer was lost: what was paid is found, the rest is done.
    """
    key = key_of(request.headers.get("idempotency-key", ""))
    api_key_hash = hash_of(bearer_of(request)) if credential.kind == "api_key" else None
    payer = Payer(credential.wallet, api_key_hash, credential)
    if request.check_media_type(JSON, _NDJSON) == _NDJSON:
        if mode == "all":
            raise InvalidRequest("mode", "payments that stand or fall together come as a JSON array")
        if _is_older(request.scope) and int(request.headers.get("content-length", 0)) > ARRAY_BYTES_MAX:
            raise BodyTooLarge(ARRAY_BYTES_MAX)  # its answer is kept until it is whole
        lines = body.lines(request)
        first = await anext(lines, None)  # before the answer begins: what cannot be read at all is refused as a whole
        return LinesResponse(_paid_lines(request, house, payer, key, first, lines))
    return await _pay_array(request, house, payer, key, mode)


async def _pay_array(
    request: StrictRequest, house: House, payer: Payer, key: str, mode: Literal["each", "all"]
) -> Response[Any]:
    """The whole's key is claimed first, and its answer kept when all is done; what is in between is the lines' own."""
    whole = await body.read_limited(request, ARRAY_BYTES_MAX)
    elements = body.read_array(whole, bulk.MOST if mode == "each" else bulk.MOST_TOGETHER)
    lines = [_line(house, payer, element, key, place, mode == "all") for place, element in enumerate(elements)]
    now = house.clock()
    fingerprint = hashlib.sha256(f"{_CALL} {mode}\n".encode() + _as_meant(elements, lines)).digest()

    if mode == "all":
        async with house.database.transaction() as connection:
            answer = await once.claim(connection, payer.wallet.id, key, fingerprint, now)
            if answer is None:
                results = await bulk.pay_all_or_none(connection, house.terms, payer, lines, now)
                answer = Answer(200, _shown(results, 0))
                answer = await once.keep(connection, payer.wallet.id, key, answer)
    else:
        async with house.database.transaction() as connection:
            answer = await once.begin(connection, payer.wallet.id, key, fingerprint, now)
        if answer is None:
            answer = Answer(200, _shown(await _pay_each(request, house, payer, lines), 0))
            async with house.database.transaction() as connection:
                answer = await once.keep(connection, payer.wallet.id, key, answer)
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    return Response(answer.body, status_code=200, media_type="application/json", headers=headers)


class LinesResponse(Response[Any]):
    """Parts of an answer, sent as they come, while the request is still being read.

    Litestar's own stream listens for the client's hanging up, and would take the request's body for that.
    """

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        super().__init__(None, media_type=_NDJSON)
        self._parts = parts

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override] # an application is one too
        """The application that sends them."""

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
                return  # the client hung up in the middle: what it sent is paid, and nobody is there to be told
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        return send_parts


def _is_older(scope: Scope) -> bool:
    """Whether the client speaks HTTP/1.0, which has no chunks (RFC 9112, 6.1): its answer goes out as a whole."""
    return scope.get("http_version") == "1.0"


async def _paid_lines(
    request: StrictRequest, house: House, payer: Payer, key: str, first: bytes | None, rest: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """Read lines as they come, pay a thousand at a time, and answer each part when it is committed."""
    if first is None:
        return
    place, part = 0, [_line(house, payer, first, key, 0)]
    async for text in rest:
        part.append(_line(house, payer, text, key, place + len(part)))
        if len(part) == bulk.AT_ONCE:
            yield await _pay_part(request, house, payer, part, place)
            place, part = place + len(part), []
    if part:
        yield await _pay_part(request, house, payer, part, place)


async def _pay_part(request: StrictRequest, house: House, payer: Payer, part: Sequence[Line], place: int) -> bytes:
    results = await _pay_each(request, house, payer, part)
    return b"".join(msgspec.json.encode(_view(place + n, result)) + b"\n" for n, result in enumerate(results))


async def _pay_each(request: StrictRequest, house: House, payer: Payer, lines: Sequence[Line]) -> list[Result]:
    """What each line came to. Names that there are not are guesses of the caller's, and after too many of them none of
    the lines that follow is looked at.
    """
    who, results = request.scope["state"][CALLER], list[Result]()
    for start in range(0, len(lines), bulk.AT_ONCE):
        part, now = lines[start : start + bulk.AT_ONCE], house.clock()
        try:
            house.limits.check("guesses", who, now)
        except TooManyTries as too_many:
            results += [too_many] * len(part)
            continue
        done = await bulk.pay_each(house.database, house.terms, payer, part, now)
        wrong = sum(isinstance(one, UnknownPayee) for one in done)
        if wrong:
            house.limits.note(house.database, "guesses", who, now, wrong)
        results += done
    return results


def _line(house: House, payer: Payer, element: bytes, key: str, place: int, together: bool = False) -> Line:
    """One payment, understood; or why not, which is its own answer and nobody else's. Those that stand or fall together
    have the key of the whole: one of their own would be passed over.
    """
    own = f"{key}/{place}" if len(key) < 200 else f"{_short(key)}/{place}"
    fingerprint = b""
    try:
        asked = body.read(element, BulkPaymentRequest)
        assert isinstance(asked, BulkPaymentRequest)
        if together and asked.idempotency_key is not None:
            raise InvalidRequest("idempotency_key", "with mode=all the whole has one key; leave idempotency_key out")
        own = key_of(asked.idempotency_key) if asked.idempotency_key is not None else own
        fingerprint = fingerprint_of(_CALL, asked, house.terms.payees)
        money = house.terms.assets.of_wallet(asked.asset).parse_positive(asked.amount)
        check_memo(asked.memo)
        written = note_of(payer.wallet.id, asked.reference, asked.metadata)
        return Line(PayRequest(asked.to, money, asked.memo, asked.capture, note=written), own, fingerprint)
    except GatewayError as refusal:
        return Line(refusal, own, fingerprint)


def _as_meant(elements: Sequence[bytes], lines: Sequence[Line]) -> bytes:
    """What an array asks for, however it is written: what each line stands for, or itself where it cannot be read."""
    of_each = (line.fingerprint or hashlib.sha256(one).digest() for one, line in zip(elements, lines, strict=True))
    return b"lines" + b"".join(of_each)


def _short(key: str) -> str:
    """In the place of a key so long that no place would fit behind it."""
    return hashlib.sha256(key.encode()).hexdigest()


def _shown(results: Sequence[Result], place: int) -> bytes:
    return msgspec.json.encode([_view(place + n, result) for n, result in enumerate(results)])


def _view(index: int, result: Result) -> BulkResultView:
    if isinstance(result, Settled):
        return BulkResultView(index, 201, show("pay", result.asked.payment_id), "settled")
    if isinstance(result, GatewayError):
        problem = problem_document(result)
        status = problem["status"]
        assert isinstance(status, int)
        return BulkResultView(index, status, problem=problem)
    replayed, payment = (True, result.payment) if isinstance(result, Replayed) else (False, result)
    status = status_of(payment)
    return BulkResultView(index, status, show("pay", payment.id), payment.state.value, replayed=replayed)
