"""The lean path of `POST /v1/payments`: what a ledger payment needs, and nothing else.

A middleware of that one route, so the route stays what it is: in OpenAPI, with its ordinary handler behind. What comes
in is decoded by the same reader and encoded by the same view; but no request object is built, nothing is injected, and
the whole payment (who is calling, the key, the money, the events) is one element of one statement that all who wait
share (payments/ledger_rail.py). An ordinary Litestar handler spends more on itself than such a payment costs.

Whatever this path does not do, the handler behind it does: tokens, holds, addresses, a key used before, and every
request that will be refused for its form. It is handed the request as it came.
"""

import asyncio
from typing import Any

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api import body
from gateway.api.house import House
from gateway.api.once import fingerprint_of, key_of
from gateway.api.problems import BODY_BYTES_MAX
from gateway.api.shapes import PaymentRequest, PaymentView
from gateway.clock import rfc3339
from gateway.errors import GatewayError
from gateway.ids import PaymentId, new_id, show
from gateway.payments.group import GroupCommit
from gateway.payments.ledger_rail import LedgerPayment, Outcome, Settled, payee_of
from gateway.payments.pay import PayRequest, check_memo
from gateway.payments.route import ledger_route
from gateway.wallets.wallet import hash_of

_encode = msgspec.json.Encoder().encode


class LeanPayments:
    """The middleware. What it shares with other requests (the house, the group) lies in the application's state."""

    def __init__(self, app: ASGIApp) -> None:
        self._behind = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the payment, or hand it on."""
        whole = await _whole_body(receive)
        state = scope["litestar_app"].state
        payment = _understood(scope, whole, state.house)
        if payment is not None and payment.key in state.in_flight:
            await asyncio.wait([state.in_flight[payment.key]])
        elif payment is not None:
            outcome = await _settle(state.in_flight, state.ledger_payments, payment)
            if isinstance(outcome, Settled):
                await _answer(send, _encode(_view(outcome)))
                return
            if isinstance(outcome, GatewayError):
                raise outcome
        await self._behind(scope, _again(whole, receive), send)


async def _settle(
    in_flight: dict[tuple[bytes, str], asyncio.Future[Outcome]],
    group: GroupCommit[LedgerPayment, Outcome],
    payment: LedgerPayment,
) -> Outcome:
    """Wait for the commit that has the payment. Its key is in flight until then: a second request with it at the same
    moment waits too, then goes the long way and finds this one's answer. Were it to go at once, it would hold the key
    and want the accounts while the commit holds the accounts and wants the key.
    """
    future = group.submit(payment)
    in_flight[payment.key] = future
    future.add_done_callback(lambda _: in_flight.pop(payment.key))
    return await asyncio.shield(future)


def _understood(scope: Scope, whole: bytes, house: House) -> LedgerPayment | None:
    """The ledger payment that the request asks for; None where it asks for anything else, or wrongly."""
    said = [(name, value) for name, value in scope["headers"] if name in (b"authorization", b"idempotency-key")]
    headers = dict(said)
    api_key = headers.get(b"authorization", b"").decode("latin-1")
    key = headers.get(b"idempotency-key", b"").decode("latin-1")
    if len(said) != 2 or not api_key.startswith("Bearer "):
        return None  # one of them missing, or there twice
    try:
        key_of(key)
        asked = body.read(whole, PaymentRequest)
        assert isinstance(asked, PaymentRequest)
        money = house.terms.assets.of_wallet(asked.asset).parse_positive(asked.amount)
        check_memo(asked.memo)
    except GatewayError:
        return None
    handle = payee_of(PayRequest(asked.to, money, asked.memo, asked.capture))
    if handle is None:
        return None
    now = house.clock()
    return LedgerPayment(
        api_key_hash=hash_of(api_key[7:].strip()),
        idempotency_key=key,
        fingerprint=fingerprint_of("POST /v1/payments", asked),
        payee_handle=handle,
        money=money,
        memo=asked.memo,
        payment_id=PaymentId(new_id(now)),
    )


def _view(settled: Settled) -> PaymentView:
    """As `payment_view` would show the payment's row."""
    asked, at = settled.asked, rfc3339(settled.at)
    nothing = "0" if asked.money.asset.decimals == 0 else "0." + "0" * asked.money.asset.decimals
    return PaymentView(
        id=show("pay", asked.payment_id),
        state="settled",
        from_=f"@{settled.payer_handle}",
        to=f"@{asked.payee_handle}",
        amount=asked.money.amount,
        asset=asked.money.asset.code,
        fee=settled.fee.amount,
        memo=asked.memo,
        route=ledger_route(settled.fee),
        captured=asked.money.amount,
        refunded=nothing,
        refund_of=None,
        tx_hash=None,
        failure=None,
        created_at=at,
        expires_at=None,
        settled_at=at,
    )


async def _whole_body(receive: Receive) -> bytes:
    """The body, or so much of it that it is known to be too large: `_again` hands on what was read and what is left."""
    message: Any = await receive()
    read: bytes = message.get("body", b"")
    while message["type"] == "http.request" and message.get("more_body", False) and len(read) <= BODY_BYTES_MAX:
        message = await receive()
        read += message.get("body", b"")
    return read


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


async def _answer(send: Send, answer: bytes) -> None:
    start: Message = {
        "type": "http.response.start",
        "status": 201,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())],
    }
    await send(start)
    await send({"type": "http.response.body", "body": answer, "more_body": False})
