"""Requests that repeat a payment that the chain has and a restored database has lost.

reconciliation/recovery.py keeps what the chain has (`restored_payment`). The first request for the same payment gets it
as its answer, which is stored under the request's idempotency key, and moves no money.
"""

from datetime import datetime
from typing import Final

from gateway import idempotency
from gateway.idempotency import Answer, Claim
from gateway.ids import WalletId, read, show
from gateway.payments.errors import PaymentRestored
from gateway.postgres.errors import Contended
from gateway.postgres.pool import Connection, Database, Statements

sql = Statements(__package__, "restored.sql")

#: The prefix of restored payments' ids.
PREFIX: Final = "rst"


async def meet(connection: Connection, wallet: WalletId, key: str, refusal: PaymentRestored, now: datetime) -> None:
    """Store that the wallet's request with this key repeats a payment on the chain. Raises Contended if another request
    has taken that payment meanwhile: then this one is a new payment.
    """
    id = read(PREFIX, refusal.restored_id)
    if await connection.fetchval(sql.meet, id, now, wallet, key) is None:
        raise Contended


async def keep_met(database: Database, claim: Claim, refusal: PaymentRestored, now: datetime) -> None:
    """Like `meet`, in a transaction of its own, since everything else that the request did is rolled back. Retries of
    the request are answered with that payment. Raises Contended as `meet` does.
    """
    async with database.transaction() as connection:
        answer = await idempotency.claim(connection, claim.wallet, claim.key, claim.fingerprint, now)
        if answer is None:
            await meet(connection, claim.wallet, claim.key, refusal, now)
            await idempotency.keep(connection, claim.wallet, claim.key, Answer(409, None))


async def met(connection: Connection, wallet: WalletId, key: str) -> PaymentRestored | None:
    """The restored payment that the wallet's request with this key was answered with before, if any."""
    row = await connection.fetchrow(sql.met, wallet, key)
    return None if row is None else PaymentRestored(show(PREFIX, row["id"]), "0x" + row["transaction_hash"].hex())
