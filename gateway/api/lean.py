"""The lean path of `POST /v1/payments`: what a payment needs, and nothing else.

`Gateway` is the Litestar application with this one path before its router, so the route stays what it is: in OpenAPI,
with its ordinary handler behind. What comes in is decoded by the same reader and encoded by the same view; but there is
no routing, no request object, nothing is injected, and the whole payment (who is calling, the key, the money, the
event) is one element of one statement that all who wait share: one of each rail (payments/ledger_rail.py,
payments/chain_rail.py). An ordinary Litestar handler spends more on itself than such a payment costs.

Whatever this path does not do, the handler behind it does: holds, addresses, references and metadata, payers who keep
their own key, a key used before, callers who are nobody or have sent too much, and every request that will be refused
for its form. It is handed the request as it came.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Litestar
from litestar.types import Receive, Scope, Send
from msgspec import structs

from gateway.access.api_key import LastUsed
from gateway.api import body, problems
from gateway.api.fields import NOT_PLAIN, is_json
from gateway.api.headers import security_headers
from gateway.api.house import House
from gateway.api.methods import without_body
from gateway.api.once import fingerprint_of, key_of
from gateway.api.problems import BODY_BYTES_MAX
from gateway.api.request_id import request_id
from gateway.api.shapes import PaymentRequest, PaymentView
from gateway.clock import rfc3339
from gateway.errors import GatewayError, PaymentRestored, Unauthenticated
from gateway.ids import PaymentId, new_id
from gateway.money import Money
from gateway.payments import chain_rail, ledger_rail
from gateway.payments.chain_rail import Queued, TokenPayment
from gateway.payments.group import GroupCommit
from gateway.payments.lean import Elsewhere
from gateway.payments.ledger_rail import LedgerPayment, Settled
from gateway.payments.pay import check_memo
from gateway.payments.route import Route, ledger_route
from gateway.secret import hash_of

_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")

#: In the place of a payment's id until its commit.
_NO_ID = PaymentId(UUID(int=0))

Payment = LedgerPayment | TokenPayment
Asked = TypeVar("Asked", LedgerPayment, TokenPayment)
Outcome = ledger_rail.Outcome | chain_rail.Outcome


class LeanPayments:
    """Answers payments. Of each rail up to `most` share a commit, and `at_once` commits run side by side (group.py)."""

    def __init__(self, house: House, most: int, at_once: int) -> None:
        self._house = house
        self._headers = security_headers(house.public_url)
        self._ledger = GroupCommit(self._settle, most, at_once)
        self._chain = GroupCommit(self._queue, most, at_once)
        self._in_flight: dict[tuple[bytes, str], asyncio.Future[Any]] = {}
        self._last_used = LastUsed()
        self._writing: asyncio.Task[None] | None = None  # the loop itself keeps only weak references to tasks

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """Answer the payment (or nobody, who has hung up) and return None; or return the request's messages, for the
        handler behind.
        """
        whole = await _whole_body(receive)
        if whole is None:
            return None
        if len(whole) > BODY_BYTES_MAX:
            return _again(whole, receive)
        payment = _understood(self._house, scope["headers"], whole)
        if payment is None or self._has_done_too_much(payment):
            return _again(whole, receive)
        if payment.key in self._in_flight:
            await asyncio.wait([self._in_flight[payment.key]])
            return _again(whole, receive)
        outcome = await self._pay(payment)
        if not isinstance(outcome, Elsewhere | Unauthenticated):  # which the handler behind counts
            now, who = self._house.clock(), payment.api_key_hash
            self._house.limits.note(self._house.database, "requests", who.hex(), now)
            if self._last_used.note(who, now):
                self._writing = asyncio.create_task(self._last_used.write(self._house.database))
        if isinstance(outcome, Settled):
            await self._send(scope, send, 201, [_JSON], _encode(_settled(outcome)))
            return None
        if isinstance(outcome, Queued):
            await self._send(scope, send, 202, [_JSON], _encode(_queued(outcome)))
            return None
        if isinstance(outcome, GatewayError) and not isinstance(outcome, Unauthenticated):
            await self._send(scope, send, *problems.as_bytes(outcome))
            return None
        return _again(whole, receive)

    def _has_done_too_much(self, payment: Payment) -> bool:
        """Whether the handler behind is to refuse it."""
        limits, who, now = self._house.limits, payment.api_key_hash.hex(), self._house.clock()
        return limits.is_over("requests", who, now) or limits.is_over("guesses", who, now)

    async def _pay(self, payment: Payment) -> Outcome | GatewayError:
        """Wait for the commit that has the payment. Its key is in flight until then: a second request with it at the
        same moment waits too, then goes the long way and finds this one's answer. Were it to go at once, it would hold
        the key and want the accounts while the commit holds the accounts and wants the key.
        """
        future: asyncio.Future[Any] = (
            self._chain.submit(payment) if isinstance(payment, TokenPayment) else self._ledger.submit(payment)
        )
        self._in_flight[payment.key] = future
        try:
            outcome: Outcome = await future
            return outcome
        except PaymentRestored:
            return Elsewhere()  # the handler behind keeps that under the key
        except GatewayError as refused:
            return refused
        except Exception:  # noqa: BLE001 - whatever it was, the handler behind tries it again, and tells what is wrong
            return Elsewhere()
        finally:
            del self._in_flight[payment.key]

    async def _send(
        self, scope: Scope, send: Send, status: int, headers: list[tuple[bytes, bytes]], answer: bytes
    ) -> None:
        headers.append((b"content-length", b"%d" % len(answer)))
        await self.send_head(scope, send, status, headers, answer)

    async def send_head(
        self, scope: Scope, send: Send, status: int, headers: list[tuple[bytes, bytes]], answer: bytes = b""
    ) -> None:
        """Answer with these headers and those that every answer has."""
        named = [*headers, *self._headers, (b"x-request-id", request_id(scope))]
        await send({"type": "http.response.start", "status": status, "headers": named})
        await send({"type": "http.response.body", "body": answer, "more_body": False})

    async def _settle(self, asked: Sequence[LedgerPayment]) -> list[ledger_rail.Outcome]:
        now = self._house.clock()
        return await ledger_rail.pay_all(self._house.database, self._house.terms, _with_ids(asked, now), now)

    async def _queue(self, asked: Sequence[TokenPayment]) -> list[chain_rail.Outcome]:
        now = self._house.clock()
        return await chain_rail.pay_all(self._house.database, self._house.terms, _with_ids(asked, now), now)


class Gateway(Litestar):
    """The application, with the lean path in front. `lean` is set once, by whoever builds it."""

    lean: LeanPayments

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """An ASGI request: a payment is tried first."""
        if scope["type"] == "http":
            method = scope["method"]
            if method == "POST" and scope["path"] == "/v1/payments" and not scope["query_string"]:
                receive = await self.lean.answer(scope, receive, send)
                if receive is None:
                    return
            elif method == "HEAD":
                scope, send = {**scope, "method": "GET"}, without_body(send)
            elif method == "OPTIONS" and (methods := self.state.methods.of(scope["path"])):
                await self.lean.send_head(scope, send, 204, [(b"allow", ", ".join(methods).encode())])
                return
        await super().__call__(scope, receive, send)


def _understood(house: House, headers: Iterable[tuple[bytes, bytes]], whole: bytes) -> Payment | None:
    """The payment that the request asks for; None where it asks for anything else, or wrongly."""
    api_key: bytes | None = None
    key: bytes | None = None
    content_type: bytes | None = None
    for name, value in headers:
        if name == b"authorization":
            if api_key is not None:
                return None  # there twice
            api_key = value
        elif name == b"idempotency-key":
            if key is not None:
                return None
            key = value
        elif name == b"content-type":
            if content_type is not None or not is_json(value):
                return None
            content_type = value
        elif name in NOT_PLAIN:
            return None
    if api_key is None or key is None or not api_key.startswith(b"Bearer "):
        return None
    try:
        own_key = key_of(key.decode("latin-1"))
        asked = body.read(whole, PaymentRequest)
        if asked.reference is not None or asked.metadata is not None:
            return None
        money = house.terms.assets.of_wallet(asked.asset).parse_positive(asked.amount)
        check_memo(asked.memo)
    except GatewayError:
        return None
    kind: type[LedgerPayment] | type[TokenPayment] = LedgerPayment
    handle = ledger_rail.payee_of(asked.to, money, asked.capture)
    if handle is None:
        kind, handle = TokenPayment, chain_rail.payee_of(house.terms, asked.to, money, asked.capture)
    if handle is None:
        return None
    return kind(
        hash_of(api_key[7:].strip().decode("latin-1")),
        own_key,
        fingerprint_of("POST /v1/payments", asked, house.terms.payees),
        handle,
        money,
        asked.memo,
        _NO_ID,
    )


def _with_ids(asked: Sequence[Asked], now: datetime) -> list[Asked]:
    """Payments with ids of the time at which they are created, which is that of their commit and not of their arrival:
    the list of payments is searched by time by its ids.
    """
    return [structs.replace(one, payment_id=PaymentId(new_id(now))) for one in asked]


def _settled(settled: Settled) -> PaymentView:
    amount, at = settled.asked.money.amount, rfc3339(settled.at)
    return _view(settled, "settled", settled.fee, ledger_route(settled.fee), captured=amount, settled_at=at)


def _queued(queued: Queued) -> PaymentView:
    nothing = Money(0, queued.asked.money.asset)
    return _view(queued, "queued", nothing, queued.route, captured=nothing.amount, settled_at=None)


def _view(
    done: Settled | Queued, state: str, fee: Money, route: Route, captured: str, settled_at: str | None
) -> PaymentView:
    """As `payment_view` would show the payment's row."""
    asked, decimals = done.asked, done.asked.money.asset.decimals
    return PaymentView(
        id=asked.shown_id,
        state=state,
        from_="@" + done.payer_handle,
        to="@" + asked.payee_handle,
        amount=asked.money.amount,
        asset=asked.money.asset.code,
        fee=fee.amount,
        memo=asked.memo,
        route=route,
        captured=captured,
        refunded="0." + "0" * decimals if decimals else "0",
        refund_of=None,
        tx_hash=None,
        failure=None,
        created_at=rfc3339(done.at),
        expires_at=None,
        settled_at=settled_at,
        to_sign=None,
        approval=None,
        undo_until=None,
        reference=None,
        metadata=None,
    )


async def _whole_body(receive: Receive) -> bytes | None:
    """The body, or so much of it that it is known to be too large: `_again` hands on what was read and what is left.
    None when the client hung up before all of it had come: what it meant is not known, and nobody is there to be told.
    """
    read = bytearray()
    while True:
        message: Any = await receive()
        if message["type"] != "http.request":
            return None
        read += message.get("body", b"")
        if not message.get("more_body", False) or len(read) > BODY_BYTES_MAX:
            return bytes(read)


def _again(whole: bytes, receive: Receive) -> Receive:
    """The request's messages once more, for the handler behind."""
    given = False

    async def again() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": whole, "more_body": len(whole) > BODY_BYTES_MAX}

    return again
