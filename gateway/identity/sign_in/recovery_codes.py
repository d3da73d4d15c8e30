"""Recovery codes: ten of them, made at once and shown once, each good once, for who has lost every passkey.

A code lets its owner in to register a new passkey, and to nothing else. There is no waiting time, but it is announced:
as an event, as an audit event, and by the new passkey being a new device to the wallet's policy.

A code has 80 random bits and is kept as its scrypt hash (RFC 7914), so whoever reads the database cannot search for it
either. Tries are counted in the database before a code is looked at, so that no number of gateways lets anybody try
more often.
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

#: How many codes there are, of how many letters (five bits each), in groups of four.
CODES, _LETTERS = 10, 16

#: Crockford's base 32: no letter of it is taken for another.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

#: What people write who take one for the other all the same, and what stands between the groups.
_MEANT = str.maketrans({"o": "0", "i": "1", "l": "1", " ": "", "-": ""})

#: So many tries of a wallet within so long a time.
TRIES_MAX, TRIES_WITHIN = 10, timedelta(minutes=15)

#: scrypt's cost: 16 MiB and some 50 ms (RFC 7914, section 2).
_N, _R, _P = 2**14, 8, 1


@dataclass(frozen=True, slots=True)
class Kept:
    """How many codes of a wallet were not used yet, and when its owner last typed one: to use it, or to show that they
    are kept. None: never, of the codes of now.
    """

    left: int
    proved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was found to be one of the wallet's, not used yet when it was looked at."""

    wallet: WalletId
    hash: bytes


def fresh_codes() -> list[str]:
    """Ten codes, as they are shown: `k7fm-2q9x-0c4t-hhz3`."""
    drawn = ["".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS)) for _ in range(CODES)]
    return ["-".join(code[at : at + 4] for at in range(0, _LETTERS, 4)) for code in drawn]


async def hashes_of(codes: list[str], salt: bytes) -> list[bytes]:
    """What is kept of codes, however they were typed. Takes a while, in another thread."""
    return await asyncio.to_thread(lambda: [_hash(code, salt) for code in codes])


async def keep(
    connection: Connection, wallet: WalletId, hashes: list[bytes], salt: bytes, by: By, now: datetime
) -> None:
    """These are the wallet's codes from now on; those before are good no more."""
    await lock_wallet(connection, wallet)
    await connection.execute(sql.forget_codes, wallet)
    await connection.execute(sql.keep_codes, wallet, hashes, salt, now)
    details = {"codes": len(hashes)}
    await log.append(connection, [log.Event("recovery_codes.created", wallet, wallet, details)], now)
    await audit.append(connection, [AuditEvent("recovery_codes.created", wallet, by, wallet, details)], now)


async def left(connection: Connection, wallet: WalletId) -> int:
    """How many codes of the wallet were not used yet."""
    return (await kept(connection, wallet)).left


async def kept(connection: Connection, wallet: WalletId) -> Kept:
    """What there is of the wallet's codes."""
    row = await connection.fetchrow(sql.kept, wallet)
    assert row is not None
    return Kept(row["left"], row["proved_at"])


async def find(database: Database, wallet: WalletId, text: str, now: datetime) -> Code:
    """The code that this text is. The try is counted first, and stays counted.

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
    """It is used now, and never again. Raises InvalidRecoveryCode where it was used meanwhile, or replaced."""
    if await connection.fetchval(sql.use_code, code.wallet, code.hash, now) is None:
        raise InvalidRecoveryCode
    await connection.execute(sql.forget_tries, code.wallet)
    await connection.execute(sql.recovered, code.wallet, now)
    details = {"codes_left": await left(connection, code.wallet)}
    await log.append(connection, [log.Event("recovery_code.used", code.wallet, code.wallet, details)], now)
    await audit.append(
        connection, [AuditEvent("recovery_code.used", code.wallet, By("recovery"), code.wallet, details)], now
    )


async def prove(connection: Connection, code: Code, now: datetime) -> Kept:
    """Its owner has shown that the codes are kept: it stays good. Raises InvalidRecoveryCode as `use` does."""
    if await connection.fetchval(sql.prove_code, code.wallet, code.hash, now) is None:
        raise InvalidRecoveryCode
    await connection.execute(sql.forget_tries, code.wallet)
    return await kept(connection, code.wallet)


def _hash(code: str, salt: bytes) -> bytes:
    meant = code.strip().lower().translate(_MEANT)
    return hashlib.scrypt(meant.encode(), salt=salt, n=_N, r=_R, p=_P, dklen=32)
