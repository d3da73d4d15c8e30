"""Deposits and withdrawals: the bank's line and the ledger's transfer, one for one."""

import asyncio

import pytest

from gateway.bank import movements
from gateway.bank.movements import BankMovement, BankRequest, Direction
from gateway.errors import GatewayError, UnknownAsset
from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.keys.vault import Vault
from gateway.ledger import account, ledger
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Assets
from gateway.postgres.pool import Database
from gateway.reconciliation.solvency import Difference
from tests.databases import statements, until_waiting
from tests.factory import NOW

pytestmark = pytest.mark.anyio


class Bank:
    def __init__(self, database: Database, assets: Assets) -> None:
        self.database = database
        self.assets = assets

    async def person(self, handle: str) -> Wallet:
        async with self.database.transaction() as connection:
            return (await wallet.claim(connection, Vault(bytes(32)), handle, NOW))[0]

    async def settle(self, *asked: tuple[Direction, Wallet, str]) -> list[BankMovement | GatewayError]:
        """All of these in one transaction."""
        async with self.database.transaction() as connection:
            return await movements.settle_all(connection, self.assets, [self.request(*one) for one in asked], NOW)

    def request(self, direction: Direction, owner: Wallet, text: str) -> BankRequest:
        amount, _, code = text.partition(" ")
        return BankRequest(direction, owner, self.assets[code].parse(amount))

    async def lines(self) -> list[tuple[str, int, int]]:
        """The bank's statement: asset, amount, balance after it."""
        async with self.database.reading() as connection:
            rows = await connection.fetch("SELECT asset, amount, balance FROM sandbox_bank_line ORDER BY id")
        return [tuple(row) for row in rows]

    async def differences(self) -> list[Difference]:
        async with self.database.snapshot() as connection:
            return await movements.reconcile(connection, self.assets)

    async def execute(self, statement: str) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(statement)


@pytest.fixture
async def bank(database: Database, assets: Assets) -> Bank:
    return Bank(database, assets)


@pytest.mark.parametrize("together", [True, False])
async def test_what_is_paid_in_and_out_is_on_the_banks_statement(bank: Bank, together: bool) -> None:
    alice, bob = await bank.person("alice"), await bank.person("bob")
    asked: list[tuple[Direction, Wallet, str]] = [
        ("deposit", alice, "10.00 EUR"), ("deposit", bob, "5.50 EUR"), ("deposit", bob, "1000 JPY"),
        ("withdrawal", alice, "3.25 EUR"),
    ]  # fmt: skip

    settled = await bank.settle(*asked) if together else [(await bank.settle(one))[0] for one in asked]

    assert all(isinstance(one, BankMovement) for one in settled)
    assert [(one.direction, one.state, str(one.money)) for one in settled] == [
        (direction, "settled", text) for direction, _, text in asked
    ]
    assert await bank.lines() == [
        ("EUR", 1000, 1000), ("EUR", 550, 1550), ("JPY", 1000, 1000), ("EUR", -325, 1225),
    ]  # fmt: skip
    assert await bank.differences() == []


async def test_of_many_each_is_settled_or_refused_by_itself_in_order(bank: Bank) -> None:
    alice, bob = await bank.person("alice"), await bank.person("bob")

    results = await bank.settle(
        ("withdrawal", alice, "1.00 EUR"),
        ("deposit", alice, "10.00 EUR"),
        ("deposit", bob, "1 USDX"),
        ("withdrawal", alice, "10.01 EUR"),
        ("withdrawal", alice, "9.00 EUR"),
        ("withdrawal", bob, "0.01 EUR"),
        ("withdrawal", alice, "1.01 EUR"),
        ("withdrawal", alice, "1.00 EUR"),
        ("withdrawal", alice, "1 JPY"),
    )

    refusals = {place: result for place, result in enumerate(results) if isinstance(result, GatewayError)}
    assert [type(refusals.get(place)).__name__ for place in range(9)] == [
        "InsufficientFunds", "NoneType", "NotAtTheBank", "InsufficientFunds", "NoneType", "InsufficientFunds",
        "InsufficientFunds", "NoneType", "InsufficientFunds",
    ]  # fmt: skip
    advice = "use a smaller amount, or put money in first"
    assert str(refusals[8]) == f"@alice has 0 JPY available, and 1 JPY is needed: {advice}"
    assert str(refusals[6]) == f"@alice has 1.00 EUR available, and 1.01 EUR is needed: {advice}"
    assert await bank.lines() == [("EUR", 1000, 1000), ("EUR", -900, 100), ("EUR", -100, 0)]
    async with bank.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM account") == 2  # nothing is opened for a refusal
    assert await bank.differences() == []


async def test_fifty_for_fresh_handles_take_no_more_statements_than_one(bank: Bank) -> None:
    people = [await bank.person(f"p{n}") for n in range(51)]
    taken = []
    for some in (people[:1], people[1:]):
        asked = [bank.request("deposit", one, money) for one in some for money in ("1.00 EUR", "1.00 USD")]
        asked += [bank.request("withdrawal", one, money) for one in some for money in ("0.50 EUR", "9.00 USD", "1 JPY")]
        async with bank.database.transaction() as connection:
            with statements(connection) as said:
                await movements.settle_all(connection, bank.assets, asked, NOW)
        taken.append(len(said))
    assert taken[0] == taken[1]
    assert await bank.differences() == []


async def test_two_groups_for_the_same_fresh_handles_in_other_orders_do_not_wait_in_a_ring(bank: Bank) -> None:
    await bank.settle(("deposit", await bank.person("first"), "1.00 EUR"))  # bank:EUR is open
    asked = [("deposit", await bank.person(handle), "1.00 EUR") for handle in ("aa", "mm", "zz")]
    eur = bank.assets["EUR"]
    async with bank.database.transaction() as gate:
        await ledger.accounts(gate, [(account.wallet("mm", eur), eur)])  # each would open its first now, and then wait
        groups = [asyncio.create_task(bank.settle(*order)) for order in (asked, asked[::-1])]
        await until_waiting(gate, 2)

    settled = [one for group in groups for one in await group]
    assert all(isinstance(one, BankMovement) for one in settled)
    assert [balance for _, _, balance in await bank.lines()] == [100, 200, 300, 400, 500, 600, 700]
    assert await bank.differences() == []


async def test_no_more_is_paid_out_than_is_available(bank: Bank) -> None:
    alice, bob = await bank.person("alice"), await bank.person("bob")
    await bank.settle(("deposit", alice, "10.00 EUR"))
    for owner, text in ((alice, "10.01 EUR"), (bob, "0.01 EUR"), (alice, "0.01 USD")):
        (refusal,) = await bank.settle(("withdrawal", owner, text))
        assert isinstance(refusal, InsufficientFunds)
    assert await bank.differences() == []


@pytest.mark.parametrize("text", ["1 USDX", "1 ETH"])
async def test_a_bank_keeps_only_currencies(bank: Bank, text: str) -> None:
    alice = await bank.person("alice")
    for refusal in await bank.settle(("deposit", alice, text), ("withdrawal", alice, text)):
        assert isinstance(refusal, UnknownAsset)
        assert refusal.known == ("EUR", "USD", "THB", "JPY")


@pytest.mark.parametrize(
    ("tampering", "at_bank"),
    [
        (
            "UPDATE sandbox_bank_line SET balance = balance + 1 WHERE id = (SELECT max(id) FROM sandbox_bank_line)",
            "15.01",
        ),
        ("DELETE FROM sandbox_bank_line WHERE id = (SELECT max(id) FROM sandbox_bank_line)", "10.00"),
        ("DELETE FROM sandbox_bank_line", "0.00"),
    ],
)
async def test_a_line_that_was_tampered_with_is_named(bank: Bank, tampering: str, at_bank: str) -> None:
    alice = await bank.person("alice")
    await bank.settle(*(("deposit", alice, text) for text in ("10.00 EUR", "5.00 EUR")))

    await bank.execute(tampering)

    eur = bank.assets["EUR"]
    assert await bank.differences() == [
        Difference("bank:EUR", eur.parse("15.00"), eur.parse(at_bank), "the bank's statement")
    ]  # fmt: skip


async def test_what_the_bank_has_and_the_ledger_has_not_is_named(bank: Bank) -> None:
    await bank.execute(
        "INSERT INTO sandbox_bank_line (reference, asset, amount, balance, booked_at) VALUES ('x', 'USD', 5, 5, now())"
    )
    (difference,) = await bank.differences()
    assert str(difference) == "bank:USD has 0.00 USD in the ledger and 0.05 USD by the bank's statement"
