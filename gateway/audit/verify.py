"""Verify both logs against their checkpoints, from the first on, and name the first row of each that differs.

The chain is verified first: every checkpoint follows the one before and has its original hash. Then the rows are read
in order, and their leaves computed again. If the chain is broken, nothing after that point can be trusted, so
verification ends there. Memory does not grow with the logs. Rows that no checkpoint covers yet are counted, not
verified.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from gateway.audit.checkpoint import LOGS, NOTHING, Checkpoint, Head, checkpoint_of, hash_of, leaves_of, sql
from gateway.audit.row import LEAF, numbers
from gateway.errors import InvalidRequest
from gateway.postgres.pool import Connection

#: How many checkpoints are read at once, at most 80 KB each.
_TOGETHER = 100

#: Below every possible number.
_LEAST = -(1 << 63)


@dataclass(frozen=True, slots=True)
class Broken:
    """A mismatch: `what` is `event`, `audit_event` or `checkpoint`; `fault` says how it was changed."""

    what: str
    number: int
    fault: str

    @property
    def noun(self) -> str:
        """`what`, as people write it."""
        return self.what.replace("_", " ")

    def __str__(self) -> str:
        return f"{self.noun} {self.number} {'was ' if self.what in LOGS else ''}{self.fault}"


@dataclass(slots=True)
class Verified:
    """The result: how many checkpoints and rows were verified, how many rows are pending, and what is `broken`, if
    anything.
    """

    checkpoints: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LOGS, 0))
    pending: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LOGS, 0))
    head: Head = NOTHING
    broken: list[Broken] = field(default_factory=list)


def read_head(text: str) -> tuple[bytes, int]:
    """Parse a head that was noted: hash and number. Raises InvalidRequest."""
    digits, _, number = text.strip().partition(":")
    try:
        noted = bytes.fromhex(digits)
    except ValueError:
        noted = b""
    if len(noted) != 32 or not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise InvalidRequest("head", f"{text[:100]!r} is not a head as 'gateway audit head' prints it: HASH:NUMBER")
    return noted, int(number)


async def verify_recent(connection: Connection, keys: Mapping[UUID, bytes], checkpoints: int) -> Verified:
    """Verify the last so many checkpoints and their rows, which is quick enough for a request. The chain before them is
    trusted. Call it in a snapshot.
    """
    row = await connection.fetchrow(sql.checkpoint_before, checkpoints)
    return await verify(connection, keys, since=NOTHING if row is None else checkpoint_of(row).head)


async def verify(
    connection: Connection,
    keys: Mapping[UUID, bytes],
    noted: tuple[bytes, int] | None = None,
    rows_after: int = 0,
    since: Head = NOTHING,
) -> Verified:
    """Verify everything. Call it in a snapshot. `noted` is an earlier head, which must be in the chain. Rows of
    checkpoints up to number `rows_after` are not read, and everything up to `since` is trusted.
    """
    found = Verified(checkpoints=since.number, head=since)
    while page := [checkpoint_of(row) for row in await connection.fetch(sql.checkpoints, found.checkpoints, _TOGETHER)]:
        for checkpoint in page:
            fault = _fault(checkpoint, found.head, keys)
            if fault is None and noted is not None and checkpoint.number == noted[1] and checkpoint.hash != noted[0]:
                fault = f"is {checkpoint.hash.hex()}, and not what was noted"
            if fault is not None:
                found.broken.append(Broken("checkpoint", found.checkpoints + 1, fault))
                return found
            found.head, found.checkpoints = checkpoint.head, checkpoint.number
        kept = [checkpoint for checkpoint in page if checkpoint.number > rows_after]
        for name in LOGS if kept else ():
            if name not in {one.what for one in found.broken}:
                await _rows(connection, name, kept, found)
    if noted is not None and found.checkpoints < noted[1]:
        found.broken.append(
            Broken("checkpoint", noted[1], f"was noted, and the chain ends at checkpoint {found.checkpoints}")
        )
    to = [found.head.to[name] for name in LOGS]
    row = await connection.fetchrow(sql.pending, *to)
    assert row is not None
    found.pending = {name: row[name] for name in LOGS}
    return found


def _fault(checkpoint: Checkpoint, last: Head, keys: Mapping[UUID, bytes]) -> str | None:
    """Return what is wrong with a checkpoint, given the one before; None if nothing is. Pure."""
    if checkpoint.number != last.number + 1:
        return "was removed"
    if checkpoint.key not in keys:
        return "is under an unknown key"
    made = hash_of(
        keys[checkpoint.key], checkpoint.number, checkpoint.previous, checkpoint.at, checkpoint.key, checkpoint.parts
    )
    if not hmac.compare_digest(made, checkpoint.hash):
        return "was altered"
    if checkpoint.previous != last.hash or any(checkpoint.parts[name].after != last.to[name] for name in LOGS):
        return "does not follow the one before it"
    return None


async def _rows(connection: Connection, name: str, page: list[Checkpoint], found: Verified) -> None:
    """Read the rows of a log that these checkpoints cover, and record the first that differs."""
    covered = b"".join(checkpoint.parts[name].leaves for checkpoint in page)
    first = page[0]
    after = _LEAST if first.number == 1 else first.parts[name].after
    there = await leaves_of(connection, name, after, page[-1].parts[name].to)
    found.rows[name] += len(covered) // LEAF
    if there != covered:
        found.broken.append(_first_difference(name, covered, there))


def _first_difference(name: str, covered: bytes, there: bytes) -> Broken:
    """Return the first row that differs from what the checkpoints cover. Pure."""
    at = next(at for at in range(0, len(covered) + LEAF, LEAF) if covered[at : at + LEAF] != there[at : at + LEAF])
    was, now = numbers(covered[at : at + LEAF]), numbers(there[at : at + LEAF])
    if was == now:
        return Broken(name, was[0], "altered")
    if not now or (was and was < now):
        return Broken(name, was[0], "removed")
    return Broken(name, now[0], "inserted")
