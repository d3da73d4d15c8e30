"""Hold both logs against their seals, from the first to the newest, and name the first row of each that differs.

The chain comes first: every seal follows the one before and is as it was made. Then the rows are read as they are now,
in order, and their leaves made again. Where the chain itself is broken nothing after it is worth anything, so that is
where it ends. Memory does not grow with the logs. Rows that no seal covers yet are counted, and vouched for by nobody.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from gateway.audit.row import LEAF, numbers
from gateway.audit.seal import LOGS, NOTHING, Head, Part, Seal, hash_of, leaves_of, seal_of, sql
from gateway.errors import InvalidRequest
from gateway.postgres.pool import Connection

#: How many seals are looked at together, at most 80 KB each.
_TOGETHER = 100

#: Below every number that there is.
_LEAST = -(1 << 63)


@dataclass(frozen=True, slots=True)
class Broken:
    """What is not as it was sealed: `what` is `event`, `audit_event` or `seal`, and `how` a word for what was done to
    it.
    """

    what: str
    number: int
    how: str

    @property
    def row(self) -> str:
        """`what`, as people write it."""
        return self.what.replace("_", " ")

    def __str__(self) -> str:
        return f"{self.row} {self.number} was {self.how}" if self.what in LOGS else f"seal {self.number} {self.how}"


@dataclass(frozen=True, slots=True)
class Uncovered(Broken):
    """Rows from `number` to `last` whose numbers seals up to `seal` cover without a row: they came later (seal.py)."""

    last: int
    rows: int
    seal: int

    def __str__(self) -> str:
        return (
            f"{self.row}s {self.number} to {self.last} ({self.rows}) were {self.how} seal {self.seal} had covered "
            "their numbers without a row, as an earlier version did before a database server took over from another: "
            "no seal vouches for them, so see that they are right, and verify with "
            f"--rows-after {self.seal} from now on"
        )


@dataclass(slots=True)
class Verified:
    """What was found: how much was sealed, how much is not yet, and what is `broken`; nothing, if all is well."""

    seals: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LOGS, 0))
    unsealed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LOGS, 0))
    head: Head = NOTHING
    broken: list[Broken] = field(default_factory=list)


def read_head(text: str) -> tuple[bytes, int]:
    """A head as it was noted: hash and number. Raises InvalidRequest."""
    digits, _, number = text.strip().partition(":")
    try:
        noted = bytes.fromhex(digits)
    except ValueError:
        noted = b""
    if len(noted) != 32 or not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise InvalidRequest("head", f"{text[:100]!r} is not a head as 'gateway audit head' prints it: HASH:NUMBER")
    return noted, int(number)


async def verify(
    connection: Connection, keys: Mapping[UUID, bytes], noted: tuple[bytes, int] | None = None, rows_after: int = 0
) -> Verified:
    """All of it, in one snapshot. `noted` is a head from before, which has to be on the chain; rows under seals up to
    number `rows_after` are not read.
    """
    found = Verified()
    while page := [seal_of(row) for row in await connection.fetch(sql.seals, found.seals, _TOGETHER)]:
        for seal in page:
            fault = _fault(seal, found.head, keys)
            if fault is None and noted is not None and seal.number == noted[1] and seal.hash != noted[0]:
                fault = f"is {seal.hash.hex()}, and not what was noted"
            if fault is not None:
                found.broken.append(Broken("seal", found.seals + 1, fault))
                return found
            found.head, found.seals = seal.head, seal.number
        kept = [seal for seal in page if seal.number > rows_after]
        for name in LOGS if kept else ():
            if name not in {one.what for one in found.broken if not isinstance(one, Uncovered)}:
                await _rows(connection, name, kept, found)
    if noted is not None and found.seals < noted[1]:
        found.broken.append(Broken("seal", noted[1], f"was noted, and the chain ends at seal {found.seals}"))
    to = [found.head.to[name] for name in LOGS]
    row = await connection.fetchrow(sql.unsealed, *to)
    assert row is not None
    found.unsealed = {name: row[name] for name in LOGS}
    return found


def _fault(seal: Seal, last: Head, keys: Mapping[UUID, bytes]) -> str | None:
    """What is wrong with a seal, given the one before. Pure."""
    if seal.number != last.number + 1:
        return "was removed"
    if seal.key not in keys:
        return "is under a key that is not ours"
    made = hash_of(keys[seal.key], seal.number, seal.previous, seal.at, seal.key, seal.parts)
    if not hmac.compare_digest(made, seal.hash):
        return "was altered"
    if seal.previous != last.hash or any(seal.parts[name].after != last.to[name] for name in LOGS):
        return "does not follow the one before it"
    return None


async def _rows(connection: Connection, name: str, page: list[Seal], found: Verified) -> None:
    """Read the rows of a log that these seals cover, and note the first that differs."""
    sealed = b"".join(seal.parts[name].leaves for seal in page)
    first = page[0]
    after = _LEAST if first.number == 1 else first.parts[name].after
    there = await leaves_of(connection, name, after, page[-1].parts[name].to)
    found.rows[name] += len(sealed) // LEAF
    if there != sealed and any(_is_ahead(seal.parts[name]) for seal in page):
        there = _without_uncovered(name, page, there, found)
    if there != sealed:
        found.broken.append(_first_difference(name, sealed, there))


def _is_ahead(part: Part) -> bool:
    """Whether it covers numbers above those of its rows."""
    return part.to > _last(part)


def _last(part: Part) -> int:
    """The number of its last row."""
    return numbers(part.leaves[-LEAF:])[0] if part.leaves else part.after


def _without_uncovered(name: str, page: list[Seal], there: bytes, found: Verified) -> bytes:
    """What is there, without the rows that came after these seals had covered their numbers, which are noted."""
    kept = []
    for at in range(0, len(there), LEAF):
        leaf = there[at : at + LEAF]
        (number,) = numbers(leaf)
        part, by = next((one.parts[name], one.number) for one in page if number <= one.parts[name].to)
        if number > _last(part):
            _note(found, Uncovered(name, number, "written after", last=number, rows=1, seal=by))
        else:
            kept.append(leaf)
    return b"".join(kept)


def _note(found: Verified, more: Uncovered) -> None:
    """Add to what is known of a log's rows, which are named together."""
    for at, one in enumerate(found.broken):
        if isinstance(one, Uncovered) and one.what == more.what:
            found.broken[at] = replace(one, last=more.last, rows=one.rows + 1, seal=more.seal)
            return
    found.broken.append(more)


def _first_difference(name: str, sealed: bytes, there: bytes) -> Broken:
    """The row at which what is there goes another way than what was sealed. Pure."""
    at = next(at for at in range(0, len(sealed) + LEAF, LEAF) if sealed[at : at + LEAF] != there[at : at + LEAF])
    was, now = numbers(sealed[at : at + LEAF]), numbers(there[at : at + LEAF])
    if was == now:
        return Broken(name, was[0], "altered")
    if not now or (was and was < now):
        return Broken(name, was[0], "removed")
    return Broken(name, now[0], "inserted")
