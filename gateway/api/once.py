"""The Idempotency-Key of a call that moves money: claim it, act, keep the answer, all in one transaction."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response

from gateway.api.house import House
from gateway.errors import IdempotencyKeyMissing
from gateway.payments import once
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
    key = _key_of(request)
    now = house.clock()
    fingerprint = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + msgspec.json.encode(asked))
    async with house.database.transaction() as connection:
        answer = await once.claim(connection, caller.id, key, fingerprint.digest(), now)
        if answer is None:
            status, view = await act(connection, now)
            answer = Answer(status, msgspec.json.encode(view))
            await once.keep(connection, caller.id, key, answer)
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    return Response(answer.body, status_code=answer.status, media_type="application/json", headers=headers)


def _key_of(request: Request[Any, Any, Any]) -> str:
    key = request.headers.get("idempotency-key", "")
    if not (1 <= len(key) <= 255 and all(" " < letter <= "~" for letter in key)):
        raise IdempotencyKeyMissing
    return key
