"""Idempotency: a key makes a call happen once, and gives its first answer again for ever.

The key is claimed in the transaction that moves the money, so either both are there or neither. A second caller with
the same key waits for that transaction, briefly, then finds its answer. Keys belong to the wallet that used them.
Refusals are not kept: they moved nothing, so the same key may be tried again. (IETF draft idempotency-key-header-07.)
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.errors import IdempotencyKeyInProgress, IdempotencyKeyReused
from gateway.ids import PaymentId, WalletId
from gateway.postgres import Connection, LockNotAvailable, Statements

sql = Statements(__package__, "payments.sql")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call answered: a status (that of HTTP) and the bytes of its body.

    A payment that was settled when it was accepted keeps no body: its first answer follows from its row, `payment`.
    """

    status: int
    body: bytes | None
    replayed: bool = False
    payment: PaymentId | None = None


async def claim(connection: Connection, wallet: WalletId, key: str, fingerprint: bytes, now: datetime) -> Answer | None:
    """Claim the key for this request; None when it is ours now, the first answer when it was used before.

    Raises IdempotencyKeyReused when it was used for another request (another `fingerprint`), and
    IdempotencyKeyInProgress when the first is still running after the database's `lock_timeout`.
    """
    try:
        if await connection.fetchval(sql.claim_key, wallet, key, fingerprint, now):
            return None
    except LockNotAvailable:
        raise IdempotencyKeyInProgress(key) from None
    row = await connection.fetchrow(sql.answer_of_key, wallet, key)
    assert row is not None, "a key that was answered is never removed"
    if row["fingerprint"] != fingerprint:
        raise IdempotencyKeyReused(key)
    return Answer(row["status"], row["answer"], replayed=True, payment=row["payment_id"])


async def begin(connection: Connection, wallet: WalletId, key: str, fingerprint: bytes, now: datetime) -> Answer | None:
    """As `claim`, for a call of several transactions: commit this first and `keep` the answer last. A call that was cut
    off in between, or is not done yet, is None too: it is done again, and what it does must be done once by itself.
    """
    answer = await claim(connection, wallet, key, fingerprint, now)
    return answer if answer is not None and answer.body is not None else None


async def keep(connection: Connection, wallet: WalletId, key: str, answer: Answer) -> Answer:
    """Store the answer of the call that claimed the key; returns it, or the first one where two ran side by side."""
    row = await connection.fetchrow(sql.keep_answer, wallet, key, answer.status, answer.body, answer.payment)
    assert row is not None, "only a key that was claimed has an answer"
    return Answer(row["status"], row["answer"], answer.replayed, row["payment_id"])
