"""Serializes a row of a log for its checkpoint: as PostgreSQL's binary COPY writes it. Pure.

That format is documented, the same in every version, and comes from the server as it is: two bytes with the number of
columns; then for each column its length in four bytes, big-endian, and so many bytes, or the length -1 for NULL. An
integer is eight bytes, a time the microseconds since 2000 in eight, text UTF-8, a UUID its sixteen bytes, jsonb a byte
1 and its text, whose keys PostgreSQL has sorted. So two different rows never have the same bytes.

The leaf of a row is its number in eight bytes, then the SHA-256 of the row.
"""

from collections.abc import Iterator
from hashlib import sha256
from struct import Struct

#: The header of a binary COPY, with its flags and extension, which are empty here; and its trailer.
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"

#: Bytes of a leaf: the row's number, and the hash.
LEAF = 40

_INT = Struct(">i").unpack_from


class Leaves:
    """The leaves of the rows in a COPY, whose bytes arrive in pieces of any size. The first column is the number."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False
        self._leaves: list[bytes] = []

    async def take(self, piece: bytes) -> None:
        """Take the next bytes of the COPY."""
        self._rest += piece
        if not self._begun:
            if len(self._rest) < len(_HEAD):
                return
            assert self._rest.startswith(_HEAD), "a COPY in binary form"
            self._rest, self._begun = self._rest[len(_HEAD) :], True
        begin = 0
        for end in _ends(self._rest):
            row = self._rest[begin:end]
            self._leaves.append(row[6:14] + sha256(row).digest())
            begin = end
        self._rest = self._rest[begin:]

    def all(self) -> bytes:
        """Return all leaves, concatenated, once the COPY has ended."""
        assert self._rest == _END, "all of the COPY"
        return b"".join(self._leaves)


def numbers(leaves: bytes) -> list[int]:
    """Return the numbers of the rows, in order."""
    return [int.from_bytes(leaves[at : at + 8], "big", signed=True) for at in range(0, len(leaves), LEAF)]


def _ends(copied: bytes) -> Iterator[int]:
    """Yield the end of each whole row."""
    at, size = 0, len(copied)
    while at + 2 <= size:
        columns = int.from_bytes(copied[at : at + 2], "big", signed=True)
        if columns < 0:
            return
        at += 2
        for _ in range(columns):
            if at + 4 > size:
                return
            (length,) = _INT(copied, at)
            at += 4 + length if length > 0 else 4
        if at > size:
            return
        yield at
