"""What the database refuses, whatever a bug in the gateway may ask of it. Each refusal has a name."""

import pytest

from gateway.ledger import audit
from gateway.postgres import constraint_of
from tests.ledger.conftest import Book

pytestmark = pytest.mark.anyio

ALICE, BOB = "wallet:alice:EUR", "wallet:bob:EUR"


async def refused_by(book: Book, *statements: str) -> str | None:
    """The name of the constraint that refuses these statements, in one transaction, if one does."""
    try:
        async with book.database.transaction() as connection:
            for statement in statements:
                await connection.execute(statement)
    except Exception as error:  # noqa: BLE001 - whatever refuses, its name is what is asserted
        return constraint_of(error)
    return None


@pytest.fixture
async def ids(book: Book) -> dict[str, int]:
    """Alice has 10.00 EUR in one entry, Bob has nothing."""
    await book.deposit(ALICE, 1000)
    await book.transfer((ALICE, BOB, 1))
    async with book.database.reading() as connection:
        return {row["code"]: row["id"] for row in await connection.fetch("SELECT code, id FROM account")}


TRANSFER = (
    "INSERT INTO transfer (id, state, purpose, subject, created_at, ended_at)"
    " VALUES ('00000000-0000-7000-8000-000000000001', 'posted', 'payment', gen_random_uuid(), now(), now())"
)


def entry(account: int, number: int, side: str, amount: int, balance: int) -> str:
    return (
        "INSERT INTO entry (account_id, number, transfer_id, side, amount, balance, posted_at) VALUES"
        f" ({account}, {number}, '00000000-0000-7000-8000-000000000001', '{side}', {amount}, {balance}, 'infinity')"
    )


async def test_an_entry_is_never_changed(book: Book, ids: dict[str, int]) -> None:
    assert await refused_by(book, "UPDATE entry SET amount = amount + 1") == "entry_is_append_only"


async def test_an_entry_is_never_removed(book: Book, ids: dict[str, int]) -> None:
    assert await refused_by(book, "DELETE FROM entry") == "entry_is_append_only"
    assert await refused_by(book, "TRUNCATE entry CASCADE") == "entry_is_append_only"


async def test_a_transfer_is_never_removed(book: Book, ids: dict[str, int]) -> None:
    assert await refused_by(book, "DELETE FROM transfer") == "transfer_is_append_only"


async def test_what_others_name_without_a_foreign_key_is_never_removed(book: Book, ids: dict[str, int]) -> None:
    for table in ("account", "asset", "token_authorization", "wallet"):
        assert await refused_by(book, f"DELETE FROM {table}") == f"{table}_is_append_only"
        assert await refused_by(book, f"TRUNCATE {table} CASCADE") is not None


async def test_a_lone_debit_is_refused(book: Book, ids: dict[str, int]) -> None:
    changed = f"UPDATE account SET debits_posted = 100, entries = 2 WHERE id = {ids[ALICE]}"
    lone = entry(ids[ALICE], 2, "debit", 100, 900)
    assert await refused_by(book, TRANSFER, changed, lone) == "entry_debits_equal_credits"


async def test_debits_of_one_asset_do_not_balance_credits_of_another(book: Book, ids: dict[str, int]) -> None:
    await book.post("bank:THB", "wallet:bob:THB", 1, asset=book.assets["THB"])
    async with book.database.reading() as connection:
        baht = await connection.fetchval("SELECT id FROM account WHERE code = 'wallet:bob:THB'")
    both = (
        entry(ids[ALICE], 2, "debit", 100, 900)
        + f", ({baht}, 2, '00000000-0000-7000-8000-000000000001', 'credit', 100, 101, 'infinity')"
    )
    changes = (
        f"UPDATE account SET debits_posted = 100, entries = 2 WHERE id = {ids[ALICE]}",
        f"UPDATE account SET credits_posted = 101, entries = 2 WHERE id = {baht}",
    )
    assert await refused_by(book, TRANSFER, *changes, both) == "entry_debits_equal_credits"


@pytest.mark.parametrize(
    ("number", "balance", "entries"),
    [(3, 900, 3), (2, 901, 2), (2, 900, 3)],
    ids=["a number left out", "a balance that does not follow", "an account that counts otherwise"],
)
async def test_an_entry_that_does_not_follow_is_refused(
    book: Book, ids: dict[str, int], number: int, balance: int, entries: int
) -> None:
    changes = (
        f"UPDATE account SET debits_posted = 100, entries = {entries} WHERE id = {ids[ALICE]}",
        f"UPDATE account SET credits_posted = 100, entries = 1 WHERE id = {ids[BOB]}",
    )
    both = (
        entry(ids[ALICE], number, "debit", 100, balance)
        + f", ({ids[BOB]}, 1, '00000000-0000-7000-8000-000000000001', 'credit', 100, 100, 'infinity')"
    )
    assert await refused_by(book, TRANSFER, *changes, both) == "entry_follows_entry"


async def test_an_account_whose_counters_were_altered_takes_no_further_entry(book: Book, ids: dict[str, int]) -> None:
    async with book.database.transaction() as connection:
        await connection.execute(f"UPDATE account SET credits_posted = 5000 WHERE id = {ids[ALICE]}")

    with pytest.raises(Exception, match="does not follow") as refusal:
        await book.post(ALICE, BOB, 1)
    assert constraint_of(refusal.value) == "entry_follows_entry"
    async with book.database.snapshot() as connection:
        claims = {(fault.claim, fault.where) for fault in await audit.recount(connection)}
    assert ("an account's counters are the sum of its entries", ALICE) in claims


async def test_available_cannot_be_set_below_zero(book: Book, ids: dict[str, int]) -> None:
    held = f"UPDATE account SET debits_pending = 1001 WHERE id = {ids[ALICE]}"
    assert await refused_by(book, held) == "account_available_covered"


async def test_posted_cannot_be_set_below_zero(book: Book, ids: dict[str, int]) -> None:
    spent = f"UPDATE account SET debits_posted = 1001, shortfall = 1 WHERE id = {ids[ALICE]}"
    assert await refused_by(book, spent) == "account_posted_covered"


@pytest.mark.parametrize(
    ("amount", "constraint"),
    [("0", "amount_is_positive"), ("-1", "amount_is_positive"), ("0.5", "amount_is_whole"),
     (str(2**256), "amount_fits_uint256")],
)  # fmt: skip
async def test_an_amount_is_a_whole_positive_uint256(
    book: Book, ids: dict[str, int], amount: str, constraint: str
) -> None:
    leg = f"INSERT INTO hold_leg SELECT id, 1, {ids[ALICE]}, {ids[BOB]}, {amount} FROM transfer LIMIT 1"
    assert await refused_by(book, leg) == constraint
