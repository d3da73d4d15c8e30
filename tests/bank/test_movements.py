"""Deposits and withdrawals: the bank's line and the book's transfer, one for one."""

import pytest

from gateway.bank import movements
from gateway.bank.movements import BankMovement
from gateway.chain.signer import Vault
from gateway.errors import InsufficientFunds, UnknownAsset
from gateway.money import Assets
from gateway.payments.solvency import Difference
from gateway.postgres import Database
from gateway.wallets import wallet
from gateway.wallets.wallet import Wallet
from tests.factory import NOW

pytestmark = pytest.mark.anyio


class Bank:
    def __init__(self, database: Database, assets: Assets) -> None:
        self.database = database
        self.assets = assets

    async def person(self, handle: str) -> Wallet:
        async with self.database.transaction() as connection:
            return (await wallet.claim(connection, Vault(bytes(32)), handle, NOW))[0]

    async def move(self, verb: str, owner: Wallet, text: str) -> BankMovement:
        amount, _, code = text.partition(" ")
        async with self.database.transaction() as connection:
            act = getattr(movements, verb)
            return await act(connection, self.assets, owner, self.assets[code].parse(amount), NOW)

    async def differences(self) -> list[Difference]:
        async with self.database.snapshot() as connection:
            return await movements.reconcile(connection, self.assets)

    async def execute(self, statement: str) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(statement)


@pytest.fixture
async def bank(database: Database, assets: Assets) -> Bank:
    return Bank(database, assets)


async def test_what_is_paid_in_and_out_is_on_the_banks_statement(bank: Bank) -> None:
    alice, bob = await bank.person("alice"), await bank.person("bob")
    for owner, verb, text in (
        (alice, "deposit", "10.00 EUR"), (bob, "deposit", "5.50 EUR"), (alice, "withdraw", "3.25 EUR"),
        (bob, "deposit", "1000 JPY"),
    ):  # fmt: skip
        moved = await bank.move(verb, owner, text)
        assert (moved.state, str(moved.money)) == ("settled", text)

    async with bank.database.reading() as connection:
        lines = await connection.fetch("SELECT asset, amount, balance FROM sandbox_bank_line ORDER BY id")
    assert [tuple(line) for line in lines] == [
        ("EUR", 1000, 1000), ("EUR", 550, 1550), ("EUR", -325, 1225), ("JPY", 1000, 1000),
    ]  # fmt: skip
    assert await bank.differences() == []


async def test_no_more_is_paid_out_than_is_available(bank: Bank) -> None:
    alice, bob = await bank.person("alice"), await bank.person("bob")
    await bank.move("deposit", alice, "10.00 EUR")
    for owner, text in ((alice, "10.01 EUR"), (bob, "0.01 EUR"), (alice, "0.01 USD")):
        with pytest.raises(InsufficientFunds):
            await bank.move("withdraw", owner, text)
    assert await bank.differences() == []


@pytest.mark.parametrize("text", ["1 USDX", "1 ETH"])
async def test_a_bank_keeps_only_currencies(bank: Bank, text: str) -> None:
    alice = await bank.person("alice")
    for verb in ("deposit", "withdraw"):
        with pytest.raises(UnknownAsset) as refusal:
            await bank.move(verb, alice, text)
        assert refusal.value.known == ("EUR", "USD", "THB", "JPY")


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
    for text in ("10.00 EUR", "5.00 EUR"):
        await bank.move("deposit", alice, text)

    await bank.execute(tampering)

    assert await bank.differences() == [
        Difference("bank:EUR", "15.00 EUR", f"{at_bank} EUR", "the bank's statement")
    ]  # fmt: skip


async def test_what_the_bank_has_and_the_book_has_not_is_named(bank: Bank) -> None:
    await bank.execute(
        "INSERT INTO sandbox_bank_line (reference, asset, amount, balance, booked_at) VALUES ('x', 'USD', 5, 5, now())"
    )
    assert await bank.differences() == [Difference("bank:USD", "0.00 USD", "0.05 USD", "the bank's statement")]
