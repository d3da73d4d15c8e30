"""What the database refuses, whatever a bug in the gateway may ask of it. Each refusal has a name."""

from collections.abc import Callable

import pytest

from gateway.ledger import recount
from gateway.postgres.driver_errors import constraint_of
from tests.ledger.conftest import Ledger

pytestmark = pytest.mark.anyio

#: The text of an INSERT: of the debited and then of the credited account, its id, and the entry's number and balance.
Transfer = Callable[[int, int, int, int, int, int], str]

ALICE, BOB = "wallet:alice:EUR", "wallet:bob:EUR"


async def refused_by(ledger: Ledger, *statements: str) -> str | None:
    """The name of the constraint that refuses these statements, in one transaction, if one does."""
    try:
        async with ledger.database.transaction() as connection:
            for statement in statements:
                await connection.execute(statement)
    except Exception as error:  # noqa: BLE001 - whatever refuses, its name is what is asserted
        return constraint_of(error)
    return None


@pytest.fixture
async def ids(ledger: Ledger) -> dict[str, int]:
    """Alice has 10.00 EUR in one entry, Bob has nothing."""
    await ledger.deposit(ALICE, 1000)
    await ledger.transfer((ALICE, BOB, 1))
    async with ledger.database.reading() as connection:
        return {row["code"]: row["id"] for row in await connection.fetch("SELECT code, id FROM account")}


@pytest.fixture(params=["transfer", "ledger_payment"])
def transfer(request: pytest.FixtureRequest) -> Transfer:
    """A transfer of 1.00, as it would be written, by itself or as a payment that settles at once."""
    more = {"transfer": ("purpose", "'payment'"), "ledger_payment": ("event", "nextval('event_id_seq')")}[request.param]

    def written(debit: int, number: int, balance: int, credit: int, credit_number: int, credit_balance: int) -> str:
        return (
            f"INSERT INTO {request.param} (debit_id, debit_number, debit_balance, credit_id, credit_number,"
            f" credit_balance, amount, posted_at, id, leg, {more[0]}) VALUES"
            f" ({debit}, {number}, {balance}, {credit}, {credit_number}, {credit_balance}, 100,"
            f" 'infinity', gen_random_uuid(), 1, {more[1]})"
        )

    return written


@pytest.mark.parametrize("table", ["transfer", "ledger_payment"])
async def test_a_transfer_is_never_changed(ledger: Ledger, ids: dict[str, int], table: str) -> None:
    assert await refused_by(ledger, f"UPDATE {table} SET amount = amount + 1") == f"{table}_is_append_only"


@pytest.mark.parametrize("table", ["transfer", "ledger_payment"])
async def test_a_transfer_is_never_removed(ledger: Ledger, ids: dict[str, int], table: str) -> None:
    assert await refused_by(ledger, f"DELETE FROM {table}") == f"{table}_is_append_only"
    assert await refused_by(ledger, f"TRUNCATE {table} CASCADE") == f"{table}_is_append_only"


async def test_a_hold_is_never_removed(ledger: Ledger, ids: dict[str, int]) -> None:
    assert await refused_by(ledger, "DELETE FROM hold") == "hold_is_append_only"
    assert await refused_by(ledger, "TRUNCATE hold CASCADE") == "hold_is_append_only"


async def test_what_others_name_without_a_foreign_key_is_never_removed(ledger: Ledger, ids: dict[str, int]) -> None:
    for table in ("account", "asset", "token_authorization", "wallet"):
        assert await refused_by(ledger, f"DELETE FROM {table}") == f"{table}_is_append_only"
        assert await refused_by(ledger, f"TRUNCATE {table} CASCADE") is not None


async def test_a_transfer_with_one_account_is_refused(ledger: Ledger, ids: dict[str, int], transfer: Transfer) -> None:
    changed = f"UPDATE account SET debits_posted = 100, entries = 2 WHERE id = {ids[ALICE]}"
    nobody = max(ids.values()) + 1_000
    assert await refused_by(ledger, changed, transfer(ids[ALICE], 2, 900, nobody, 1, 100)) == "entry_follows_entry"
    itself = transfer(ids[ALICE], 2, 900, ids[ALICE], 3, 1000)
    assert await refused_by(ledger, changed, itself) == "transfer_has_two_accounts"


async def test_a_transfer_between_two_assets_is_refused(
    ledger: Ledger, ids: dict[str, int], transfer: Transfer
) -> None:
    await ledger.post("bank:THB", "wallet:bob:THB", 1, asset=ledger.assets["THB"])
    async with ledger.database.reading() as connection:
        baht = await connection.fetchval("SELECT id FROM account WHERE code = 'wallet:bob:THB'")
    changes = (
        f"UPDATE account SET debits_posted = 100, entries = 2 WHERE id = {ids[ALICE]}",
        f"UPDATE account SET credits_posted = 101, entries = 2 WHERE id = {baht}",
    )
    both = transfer(ids[ALICE], 2, 900, baht, 2, 101)
    assert await refused_by(ledger, *changes, both) == "transfer_moves_one_asset"


@pytest.mark.parametrize(
    ("number", "balance", "entries", "constraint"),
    [
        (2, 900, 2, None),
        (3, 900, 3, "entry_follows_entry"),
        (2, 901, 2, "entry_follows_entry"),
        (2, 900, 3, "entry_follows_entry"),
        (1, 900, 2, "entry_follows_entry"),
        (1, 900, 1, "account_counts_its_entries"),
        (0, 900, 2, "transfer_numbers_from_one"),
    ],
    ids=[
        "the next number, and the balance after it",
        "a number left out",
        "a balance that does not follow",
        "an account that counts otherwise",
        "a number that the other side of the account has",
        "an entry that the account does not count",
        "a number before the first",
    ],
)
async def test_an_entry_that_does_not_follow_is_refused(
    ledger: Ledger,
    ids: dict[str, int],
    transfer: Transfer,
    number: int,
    balance: int,
    entries: int,
    constraint: str | None,
) -> None:
    changes = (
        f"UPDATE account SET debits_posted = 100, entries = {entries} WHERE id = {ids[ALICE]}",
        f"UPDATE account SET credits_posted = 100, entries = 1 WHERE id = {ids[BOB]}",
    )
    assert await refused_by(ledger, *changes, transfer(ids[ALICE], number, balance, ids[BOB], 1, 100)) == constraint


@pytest.mark.parametrize(("number", "balance", "entries"), [(2, 1100, 3), (3, 1100, 3), (2, 1101, 2)])
async def test_the_credited_side_follows_too(
    ledger: Ledger, ids: dict[str, int], transfer: Transfer, number: int, balance: int, entries: int
) -> None:
    await ledger.deposit(BOB, 100)
    changes = (
        f"UPDATE account SET debits_posted = 100, entries = 2 WHERE id = {ids[BOB]}",
        f"UPDATE account SET credits_posted = 1100, entries = {entries} WHERE id = {ids[ALICE]}",
    )
    both = transfer(ids[BOB], 2, 0, ids[ALICE], number, balance)
    assert await refused_by(ledger, *changes, both) == "entry_follows_entry"


async def test_a_credit_does_not_take_the_number_of_a_debit(
    ledger: Ledger, ids: dict[str, int], transfer: Transfer
) -> None:
    await ledger.deposit(BOB, 100)
    await ledger.post(BOB, ALICE, 50)
    changes = (
        f"UPDATE account SET debits_posted = 100, entries = 3 WHERE id = {ids[ALICE]}",
        f"UPDATE account SET credits_posted = 250, entries = 3 WHERE id = {ids[BOB]}",
    )
    both = transfer(ids[ALICE], 3, 950, ids[BOB], 2, 200)
    assert await refused_by(ledger, *changes, both) == "entry_follows_entry"


@pytest.mark.parametrize("change", ["entries = 0", "entries = 0, credits_posted = 5000", "credits_posted = 5000"])
async def test_what_is_posted_is_counted_and_never_counted_back(
    ledger: Ledger, ids: dict[str, int], change: str
) -> None:
    altered = f"UPDATE account SET {change} WHERE id = {ids[ALICE]}"
    assert await refused_by(ledger, altered) == "account_counts_its_entries"


async def test_an_entry_is_never_earlier_than_the_one_before(
    ledger: Ledger, ids: dict[str, int], transfer: Transfer
) -> None:
    changes = (
        f"UPDATE account SET debits_posted = 100, entries = 2 WHERE id = {ids[ALICE]}",
        f"UPDATE account SET credits_posted = 100, entries = 1 WHERE id = {ids[BOB]}",
    )
    earlier = transfer(ids[ALICE], 2, 900, ids[BOB], 1, 100).replace("'infinity'", "'2001-01-01'")
    assert await refused_by(ledger, *changes, earlier) == "entry_follows_entry"


async def test_an_account_whose_counters_were_altered_takes_no_further_entry(
    ledger: Ledger, ids: dict[str, int]
) -> None:
    async with ledger.database.transaction() as connection:
        await connection.execute(f"UPDATE account SET credits_posted = 5000, entries = 2 WHERE id = {ids[ALICE]}")

    with pytest.raises(Exception, match="does not follow") as refusal:
        await ledger.post(ALICE, BOB, 1)
    assert constraint_of(refusal.value) == "entry_follows_entry"
    async with ledger.database.snapshot() as connection:
        claims = {(fault.claim, fault.where) for fault in await recount.recount(connection)}
    assert ("an account's counters are the sum of its entries", ALICE) in claims


async def test_available_cannot_be_set_below_zero(ledger: Ledger, ids: dict[str, int]) -> None:
    held = f"UPDATE account SET debits_pending = 1001 WHERE id = {ids[ALICE]}"
    assert await refused_by(ledger, held) == "account_available_covered"


async def test_posted_cannot_be_set_below_zero(ledger: Ledger, ids: dict[str, int]) -> None:
    spent = f"UPDATE account SET debits_posted = 1001, entries = 2, shortfall = 1 WHERE id = {ids[ALICE]}"
    assert await refused_by(ledger, spent) == "account_posted_covered"


@pytest.mark.parametrize(
    ("amount", "constraint"),
    [("0", "amount_is_positive"), ("-1", "amount_is_positive"), ("0.5", "amount_is_whole"),
     (str(2**256), "amount_fits_uint256")],
)  # fmt: skip
async def test_an_amount_is_a_whole_positive_uint256(
    ledger: Ledger, ids: dict[str, int], amount: str, constraint: str
) -> None:
    leg = (
        "INSERT INTO hold (id, leg, state, debit_id, credit_id, amount, purpose, subject, created_at) VALUES"
        f" (gen_random_uuid(), 1, 'pending', {ids[ALICE]}, {ids[BOB]}, {amount}, 'payment', gen_random_uuid(), now())"
    )
    assert await refused_by(ledger, leg) == constraint


async def test_a_hold_that_has_ended_ends_no_second_time_whatever_its_caller_has_locked(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 1000)
    await ledger.deposit(BOB, 1)
    held = await ledger.hold(ALICE, BOB, 400)
    capture, void = (
        f"SELECT ledger_end(now(), ARRAY['{held}']::uuid[], '{{1}}', '{{{state}}}', '{{{units}}}')"
        for state, units in (("posted", 400), ("voided", 0))
    )

    assert await refused_by(ledger, capture, void) == "hold_is_pending"
    assert await refused_by(ledger, void) is None
    assert await refused_by(ledger, capture) == "hold_is_pending"
    assert (await ledger.balance(ALICE)).available == 1000


async def test_no_trigger_has_accounts_locked_before_they_are_updated(ledger: Ledger) -> None:
    """A BEFORE UPDATE trigger for each row (bits 2, 16 and 1) has PostgreSQL lock the row first, and log that."""
    async with ledger.database.reading() as connection:
        before = await connection.fetch(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'account'::regclass AND tgtype & 19 = 19"
        )
    assert [one["tgname"] for one in before] == []
