"""The seals: what the event log and the audit log say, chained, so that nobody changes it unseen.

A seal covers the next rows of both logs, up to a thousand of each, with a leaf for each row (row.py). Its hash is an
HMAC-SHA-256 (RFC 2104) over its number, the hash of the seal before, its time, the numbers that it covers and the
leaves. The key lies in the database only sealed under the master key (wallets/custody.py): who can write to the
database, and nothing else, can make no seal. What they can do is take away the newest ones, so a head that was noted
elsewhere should still be on the chain (verify.py).

Rows are sealed after they were committed, by whoever comes first; nobody who appends waits for it. A seal ends where
nothing can be added any more: below what is announced in either log (events/log.py). From then on a number that was
not there is an inserted row.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from gateway.audit import log
from gateway.audit.row import LEAF, Leaves, numbers
from gateway.postgres import Connection, Record

sql = log.sql

#: The most rows of each log under one seal.
MOST = 1000

#: What a seal's hash begins with, so that no other hash of ours is one.
_DOMAIN = b"wallet-gateway seal 1"

#: The first seal follows this one.
_NOTHING = bytes(32)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: The two logs, the columns in the order in which they are sealed, the number always first, and what their numbers are
#: announced from (events/log.py, audit/log.py).
LOGS: Final = ("event", "act")
COLUMNS: Final[Mapping[str, str]] = {
    "event": "id, at, wallet_id, other_id, subject, kind, facts",
    "act": "id, at, wallet_id, subject, kind, by_kind, by_id, facts",
}
ANNOUNCED: Final[Mapping[str, int]] = {"event": 1 << 62, "act": log.ANNOUNCED}


@dataclass(frozen=True, slots=True)
class SealKey:
    """What seals are made with, 32 bytes, and its id."""

    id: UUID
    secret: bytes

    def __repr__(self) -> str:
        return f"SealKey({self.id})"


@dataclass(frozen=True, slots=True)
class Part:
    """What a seal says of one log: the rows numbered above `after`, up to `to`, by their leaves."""

    after: int
    to: int
    leaves: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """One of the chain. `head` is how it is noted elsewhere: the hash in hex, a colon, the number."""

    number: int
    previous: bytes
    at: datetime
    key: UUID
    parts: Mapping[str, Part]
    hash: bytes

    @property
    def head(self) -> str:
        return f"{self.hash.hex()}:{self.number}"

    @property
    def rows(self) -> int:
        return sum(len(part.leaves) // LEAF for part in self.parts.values())


def hash_of(secret: bytes, number: int, previous: bytes, at: datetime, key: UUID, parts: Mapping[str, Part]) -> bytes:
    """The hash of a seal. Integers are eight bytes, big-endian; the time is in microseconds since 1970."""
    said = [_DOMAIN, number.to_bytes(8, "big"), previous, ((at - _EPOCH) // _MICROSECOND).to_bytes(8, "big"), key.bytes]
    for name in LOGS:
        part = parts[name]
        said += [part.after.to_bytes(8, "big"), part.to.to_bytes(8, "big"), sha256(part.leaves).digest()]
    return hmac.digest(secret, b"".join(said), "sha256")


_MICROSECOND = timedelta(microseconds=1)


async def seal(connection: Connection, key: SealKey, now: datetime) -> Seal | None:
    """Seal the next rows of both logs. None where there are none, or somebody else is sealing.

    Call it outside a snapshot: what it reads has to be what was committed before it looked how far that is complete.
    """
    if not await connection.fetchval(sql.take_seals):
        return None
    last = await head(connection)
    parts: dict[str, Part] = {}
    for name in LOGS:
        after = last.parts[name].to if last else 0
        complete_to = await connection.fetchval(_complete_to(name), ANNOUNCED[name])
        leaves = await leaves_of(connection, name, after, complete_to, MOST)
        full = len(leaves) == MOST * LEAF
        parts[name] = Part(after, numbers(leaves)[-1] if full else complete_to, leaves)
    if not any(part.leaves for part in parts.values()):
        return None
    number, previous = (last.number + 1, last.hash) if last else (1, _NOTHING)
    sealed = Seal(number, previous, now, key.id, parts, hash_of(key.secret, number, previous, now, key.id, parts))
    await connection.execute(
        sql.add_seal,
        *(number, previous, now, key.id, sealed.hash),
        *(field for name in LOGS for field in (parts[name].after, parts[name].to, parts[name].leaves)),
    )
    return sealed


async def head(connection: Connection) -> Seal | None:
    """The newest seal, if there is one."""
    row = await connection.fetchrow(sql.newest_seal)
    return None if row is None else seal_of(row)


async def leaves_of(connection: Connection, name: str, after: int, to: int, most: int | None = None) -> bytes:
    """The leaves of the rows of a log numbered above `after`, up to `to`, and of those the first `most`."""
    leaves = Leaves()
    query = f"SELECT {COLUMNS[name]} FROM {name} WHERE id > $1 AND id <= $2 ORDER BY id"  # noqa: S608 - names of ours
    if most is not None:
        query += f" LIMIT {most}"
    await connection.copy_from_query(query, after, to, output=leaves.take, format="binary")
    return leaves.all()


def seal_of(row: Record) -> Seal:
    parts = {name: Part(row[f"{name}s_after"], row[f"{name}s_to"], row[f"{name}s"]) for name in LOGS}
    return Seal(row["number"], row["previous"], row["at"], row["key_id"], parts, row["hash"])


def _complete_to(name: str) -> str:
    statement: str = getattr(sql, f"{name}s_complete_to")
    return statement
