"""The Idempotency-Key of a call that moves money: claim it, act, keep the answer, all in one transaction."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response

from gateway.api.house import House
from gateway.api.shapes import payment_view
from gateway.errors import IdempotencyKeyMissing
from gateway.payments import once, records
from gateway.payments.once import Answer
from gateway.postgres import Connection
from gateway.wallets.wallet import Wallet

#: What the call does: a status and the answer to encode.
Act = Callable[[Connection, datetime], Awaitable[tuple[int, msgspec.Struct]]]


async def answer_once(
    house: House, request: Request[Any, Any, Any], caller: Wallet, asked: msgspec.Struct, act: Act
) -> Response[Any]:
    """Do `act` for the first request with its key; give every later one the first answer again.

    Raises IdempotencyKeyMissing, IdempotencyKeyReused, IdempotencyKeyInProgress, and whatever `act` raises: then
    nothing is kept, and the key may be used again.
    """
    key = key_of(request.headers.get("idempotency-key", ""))
    now = house.clock()
    fingerprint = fingerprint_of(f"{request.method} {request.url.path}", asked)
    async with house.database.transaction() as connection:
        answer = await once.claim(connection, caller.id, key, fingerprint, now)
        if answer is None:
            status, view = await act(connection, now)
            answer = Answer(status, msgspec.json.encode(view))
            answer = await once.keep(connection, caller.id, key, answer)
        body = answer.body or await _first_answer(connection, house, caller, answer)
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    return Response(body, status_code=answer.status, media_type="application/json", headers=headers)


async def _first_answer(connection: Connection, house: House, caller: Wallet, answer: Answer) -> bytes:
    """What a payment was answered that was settled when it was accepted: all that changes of it are its refunds."""
    assert answer.payment is not None
    payment = await records.payment(connection, house.terms.assets, answer.payment, caller.id)
    as_accepted = replace(payment, refunded=payment.captured - payment.captured)
    return msgspec.json.encode(payment_view(as_accepted))


def fingerprint_of(call: str, asked: msgspec.Struct) -> bytes:
    """The SHA-256 of what was asked: the method and path, and the request as it was understood."""
    return hashlib.sha256(call.encode() + b"\n" + msgspec.json.encode(asked)).digest()


def key_of(header: str) -> str:
    """The key that the header says: 1 to 255 visible ASCII characters. Raises IdempotencyKeyMissing."""
    if not (1 <= len(header) <= 255 and all(" " < letter <= "~" for letter in header)):
        raise IdempotencyKeyMissing
    return header
