"""Checkpoints: a chain of keyed hashes over the event log and the audit log, so that a change to either is detected.

A checkpoint covers the next rows of both logs, up to a thousand of each, with a leaf for each row (row.py). Its hash is
an HMAC-SHA-256 (RFC 2104) over its number, the hash of the checkpoint before, its time, the numbers that it covers and
the leaves. The key is in the database only encrypted under the master key (custody/wallet_keys.py), so somebody who can
only write to the database cannot make a checkpoint. They can delete the newest ones, so keep a head outside the
database and verify that it is still in the chain (verify.py).

A worker covers rows after they are committed; appending never waits for it. A checkpoint covers only the part where no
row can be added any more: below the numbers that are announced in either log (events/log.py). A row with a covered
number and no leaf was inserted later.
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
from gateway.postgres.pool import Connection, Record

sql = log.sql

#: The most rows of each log under one checkpoint.
ROWS_MAX = 1000

#: The prefix that is hashed first, so that no other hash with this key is a checkpoint's.
_DOMAIN = b"wallet-gateway checkpoint 1"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: The two logs; the tables and views of each, with the columns in the order in which they are hashed, the number first;
#: and the base that their numbers are announced from (events/log.py, audit/log.py).
LOGS: Final = ("event", "audit_event")
SOURCES: Final[Mapping[str, Mapping[str, str]]] = {
    "event": {
        "logged_event": "id, at, wallet_id, other_id, subject, kind, payload",
        "settled_event": "id, at, wallet_id, other_id, subject, kind, checkpoint_payload",
    },
    "audit_event": {"audit_event": "id, at, wallet_id, subject, kind, by_kind, by_id, details"},
}
ANNOUNCED: Final[Mapping[str, int]] = {"event": 1 << 62, "audit_event": log.ANNOUNCED}


@dataclass(frozen=True, slots=True)
class CheckpointKey:
    """The key of checkpoints, 32 bytes, and its id."""

    id: UUID
    secret: bytes

    def __repr__(self) -> str:
        return f"CheckpointKey({self.id})"


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one log that a checkpoint covers: those numbered above `after`, up to `to`, and their leaves."""

    after: int
    to: int
    leaves: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint of the chain."""

    number: int
    previous: bytes
    at: datetime
    key: UUID
    parts: Mapping[str, Part]
    hash: bytes

    @property
    def head(self) -> "Head":
        return Head(self.number, self.hash, self.at, {name: part.to for name, part in self.parts.items()})

    @property
    def rows(self) -> int:
        return sum(len(part.leaves) // LEAF for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class Head:
    """The newest checkpoint: the part of it that the next one needs. Printed as the hash in hex, a colon and the
    number. `to` is the number up to which it covers each log.
    """

    number: int
    hash: bytes
    at: datetime
    to: Mapping[str, int]

    def __str__(self) -> str:
        return f"{self.hash.hex()}:{self.number}"


#: The head before the first checkpoint.
NOTHING = Head(0, bytes(32), _EPOCH, dict.fromkeys(LOGS, 0))


def hash_of(secret: bytes, number: int, previous: bytes, at: datetime, key: UUID, parts: Mapping[str, Part]) -> bytes:
    """Return the hash of a checkpoint. Integers are eight bytes, big-endian; the time is in microseconds since 1970."""
    said = [_DOMAIN, number.to_bytes(8, "big"), previous, ((at - _EPOCH) // _MICROSECOND).to_bytes(8, "big"), key.bytes]
    for name in LOGS:
        part = parts[name]
        said += [part.after.to_bytes(8, "big"), part.to.to_bytes(8, "big"), sha256(part.leaves).digest()]
    return hmac.digest(secret, b"".join(said), "sha256")


_MICROSECOND = timedelta(microseconds=1)


async def write(connection: Connection, key: CheckpointKey, now: datetime) -> Checkpoint | None:
    """Write a checkpoint over the next rows of both logs. Returns None if there are none, or if another worker is
    writing one.

    Call it outside a snapshot: it must read rows that were committed before it read up to where the logs are complete.
    """
    if not await connection.fetchval(sql.lock_checkpoints):
        return None
    last = await head(connection) or NOTHING
    complete_to = await connection.fetchrow(sql.complete_to, *ANNOUNCED.values())
    assert complete_to is not None
    parts = {name: await _next(connection, name, last.to[name], complete_to[name]) for name in LOGS}
    if not any(part.leaves for part in parts.values()):
        return None
    number, previous = last.number + 1, last.hash
    checkpoint = Checkpoint(
        number, previous, now, key.id, parts, hash_of(key.secret, number, previous, now, key.id, parts)
    )
    await connection.execute(
        sql.add_checkpoint,
        *(number, previous, now, key.id, checkpoint.hash),
        *(field for name in LOGS for field in (parts[name].after, parts[name].to, parts[name].leaves)),
    )
    return checkpoint


async def head(connection: Connection) -> Head | None:
    """Return the newest checkpoint; None if there is none."""
    row = await connection.fetchrow(sql.newest_checkpoint)
    return None if row is None else Head(row["number"], row["hash"], row["at"], {n: row[f"{n}s_to"] for n in LOGS})


async def pending_since(connection: Connection) -> datetime | None:
    """Return the time of the first row of either log that no checkpoint covers yet; None if all are covered."""
    last = await head(connection) or NOTHING
    since: datetime | None = await connection.fetchval(sql.pending_since, *(last.to[name] for name in LOGS))
    return since


async def _next(connection: Connection, name: str, after: int, complete_to: int) -> Part:
    """Return the next rows of a log, up to the number below which nothing can be added any more. Unused numbers after
    the last row are left to the next checkpoint: after a failover, the new server may still give out numbers that the
    old one skipped.
    """
    leaves = await leaves_of(connection, name, after, complete_to, ROWS_MAX) if complete_to > after else b""
    return Part(after, numbers(leaves)[-1] if leaves else after, leaves)


async def leaves_of(connection: Connection, name: str, after: int, to: int, maximum: int | None = None) -> bytes:
    """Return the leaves of a log's rows numbered above `after`, up to `to`: of these, the first `maximum`."""
    leaves = Leaves()
    limit = f"LIMIT {maximum:d}" if maximum is not None else ""
    first = f"WHERE id > {after:d} AND id <= {to:d} ORDER BY id {limit}"
    sources = (f"(SELECT {columns} FROM {source} {first})" for source, columns in SOURCES[name].items())  # noqa: S608
    rows = " UNION ALL ".join(sources)
    query = f"SELECT * FROM ({rows}) AS row ORDER BY id {limit}"  # noqa: S608 - names and numbers of ours
    await connection.copy_from_query(query, output=leaves.take, format="binary")
    return leaves.all()


def checkpoint_of(row: Record) -> Checkpoint:
    parts = {name: Part(row[f"{name}s_after"], row[f"{name}s_to"], row[f"{name}s"]) for name in LOGS}
    return Checkpoint(row["number"], row["previous"], row["at"], row["key_id"], parts, row["hash"])
