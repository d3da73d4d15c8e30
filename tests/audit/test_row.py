"""How a row is written down for its checkpoint: a form that is the same everywhere, and of no two rows."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import pytest

from gateway.audit.checkpoint import Part, hash_of, leaves_of
from gateway.audit.row import LEAF, Leaves, numbers
from gateway.postgres.pool import Database

pytestmark = pytest.mark.anyio

#: One event as a binary COPY has it: head, row, end. Written by hand from PostgreSQL's documentation of COPY.
ROW = bytes.fromhex(
    "0007"  # seven columns
    "00000008" "0000000000000007"  # id 7
    "00000008" "00035f7ae7383000"  # 2030-01-31 12:00 UTC: microseconds since 2000
    "00000010" "0190c0de000070008000000000000001"  # the wallet
    "ffffffff"  # no other
    "00000010" "0190c0de000070008000000000000002"  # the subject
    "0000000f" + b"payment.settled".hex() + "0000000a" "01" + b'{"n": 12}'.hex()
)  # fmt: skip
COPY = b"PGCOPY\n\xff\r\n\0" + bytes(8) + ROW + b"\xff\xff"


async def test_a_row_is_hashed_as_a_binary_copy_has_it_whatever_pieces_it_comes_in() -> None:
    expected = (7).to_bytes(8, "big") + hashlib.sha256(ROW).digest()
    for size in (1, 2, 5, 64, len(COPY)):
        leaves = Leaves()
        for at in range(0, len(COPY), size):
            await leaves.take(COPY[at : at + size])
        assert leaves.all() == expected
    assert numbers(expected) == [7]
    assert len(expected) == LEAF


async def test_postgresql_writes_the_row_that_was_written_by_hand(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO logged_event (id, kind, wallet_id, subject, payload, at) OVERRIDING SYSTEM VALUE"
            " VALUES (7, 'payment.settled', $1, $2, '{\"n\":12}', '2030-01-31 12:00+00')",
            UUID("0190c0de-0000-7000-8000-000000000001"),
            UUID("0190c0de-0000-7000-8000-000000000002"),
        )
        leaves = await leaves_of(connection, "event", 0, 7)
    assert leaves == (7).to_bytes(8, "big") + hashlib.sha256(ROW).digest()


def test_a_checkpoint_has_the_hash_that_was_made_of_it_elsewhere() -> None:
    """Made with `openssl dgst -sha256 -mac HMAC -macopt hexkey:0102…20`, of bytes written by hand."""
    secret, key = bytes(range(1, 33)), UUID("0190c0de-0000-7000-8000-0000000000ff")
    at = datetime(2030, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
    parts = {"event": Part(0, 9, b"e" * 80), "audit_event": Part(3, 3, b"")}
    assert hash_of(secret, 2, b"p" * 32, at, key, parts).hex() == VECTOR


VECTOR = "ea3f46900cd9a9048bc414a4cc207f6ca91060f1bf359e2e7a3570b86e0c49c8"
