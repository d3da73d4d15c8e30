"""Recovery codes: ten, created together and shown once, each usable once, for an owner who has lost every passkey.

A code lets its owner register a new passkey, and do nothing else. There is no waiting time, but it is announced: by an
event, by an audit event, and because the new passkey is a new device for the wallet's policy.

A code has 80 random bits and is stored as its scrypt hash (RFC 7914), so even somebody who reads the database cannot
search for it. Tries are counted in the database before a code is checked, so more gateways do not allow more tries.
"""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.events import log
from gateway.identity.errors import InvalidRecoveryCode, TooManyTries
from gateway.identity.wallet import lock_wallet
from gateway.ids import WalletId
from gateway.postgres.pool import Connection, Database, Statements

sql = Statements(__package__, "recovery_codes.sql")

#: The number of codes, and of characters in each (five bits each), in groups of four.
CODES, _LETTERS = 10, 16

#: Crockford's base 32: no two characters look alike.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

#: Characters that people write instead, and the separators of the groups.
_MEANT = str.maketrans({"o": "0", "i": "1", "l": "1", " ": "", "-": ""})

#: The most tries for a wallet in this time.
TRIES_MAX, TRIES_WITHIN = 10, timedelta(minutes=15)

#: scrypt's cost: 16 MiB and some 50 ms (RFC 7914, section 2).
_N, _R, _P = 2**14, 8, 1


@dataclass(frozen=True, slots=True)
class Status:
    """How many codes of a wallet are unused, and when its owner last typed one: to use it, or to show that they are
    kept. None if they never have, of the current codes.
    """

    left: int
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Code:
    """A code of the wallet that was unused when it was checked."""

    wallet: WalletId
    hash: bytes


def fresh_codes() -> list[str]:
    """Return ten codes, as they are shown: `k7fm-2q9x-0c4t-hhz3`."""
    drawn = ["".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS)) for _ in range(CODES)]
    return ["-".join(code[at : at + 4] for at in range(0, _LETTERS, 4)) for code in drawn]


async def hashes_of(codes: list[str], salt: bytes) -> list[bytes]:
    """Return the hashes of codes, however they were typed. Takes a while, in another thread."""
    return await asyncio.to_thread(lambda: [_hash(code, salt) for code in codes])


async def keep(
    connection: Connection, wallet: WalletId, hashes: list[bytes], salt: bytes, by: By, now: datetime
) -> None:
    """Store these as the wallet's codes; they replace the previous ones."""
    await lock_wallet(connection, wallet)
    await connection.execute(sql.forget_codes, wallet)
    await connection.execute(sql.keep_codes, wallet, hashes, salt, now)
    details = {"codes": len(hashes)}
    await log.append(connection, [log.Event("recovery_codes.created", wallet, wallet, details)], now)
    await audit.append(connection, [AuditEvent("recovery_codes.created", wallet, by, wallet, details)], now)


async def left(connection: Connection, wallet: WalletId) -> int:
    """Return how many codes of the wallet are unused."""
    return (await status(connection, wallet)).left


async def status(connection: Connection, wallet: WalletId) -> Status:
    """Return the state of the wallet's codes."""
    row = await connection.fetchrow(sql.kept, wallet)
    assert row is not None
    return Status(row["left"], row["confirmed_at"])


async def find(database: Database, wallet: WalletId, text: str, now: datetime) -> Code:
    """Return the code that matches this text. The try is counted first, and stays counted.

    Raises InvalidRecoveryCode, and TooManyTries, whatever the text says.
    """
    async with database.transaction() as connection:
        tries = await connection.fetchval(sql.count_try, wallet, now, now - TRIES_WITHIN)
    if tries > TRIES_MAX:
        raise TooManyTries("recovery-codes", int(TRIES_WITHIN.total_seconds()))
    async with database.reading() as connection:
        rows = await connection.fetch(sql.codes, wallet)
    salt = rows[0]["salt"] if rows else bytes(16)
    (typed,) = await hashes_of([text[:100]], salt)
    found = [row["hash"] for row in rows if secrets.compare_digest(row["hash"], typed)]
    if not found:
        raise InvalidRecoveryCode
    return Code(wallet, found[0])


async def use(connection: Connection, code: Code, now: datetime) -> None:
    """Use the code. Raises InvalidRecoveryCode if it was used or replaced in the meantime."""
    if await connection.fetchval(sql.use_code, code.wallet, code.hash, now) is None:
        raise InvalidRecoveryCode
    await connection.execute(sql.forget_tries, code.wallet)
    await connection.execute(sql.recovered, code.wallet, now)
    details = {"codes_left": await left(connection, code.wallet)}
    await log.append(connection, [log.Event("recovery_code.used", code.wallet, code.wallet, details)], now)
    await audit.append(
        connection, [AuditEvent("recovery_code.used", code.wallet, By("recovery"), code.wallet, details)], now
    )


async def confirm(connection: Connection, code: Code, now: datetime) -> Status:
    """Record that the owner has the codes; the code stays valid. Raises InvalidRecoveryCode as `use` does."""
    if await connection.fetchval(sql.confirm_code, code.wallet, code.hash, now) is None:
        raise InvalidRecoveryCode
    await connection.execute(sql.forget_tries, code.wallet)
    return await status(connection, code.wallet)


def _hash(code: str, salt: bytes) -> bytes:
    meant = code.strip().lower().translate(_MEANT)
    return hashlib.scrypt(meant.encode(), salt=salt, n=_N, r=_R, p=_P, dklen=32)
