"""scripts/partition.sql: a gateway over partitioned idempotency keys is as right as over the whole table."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import idempotency
from gateway.identity import wallet as wallets
from gateway.identity.wallet import Wallet
from gateway.ledger import ledger
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Assets
from gateway.payments.model.payment import State
from gateway.payments.model.plain import Undecided
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.ledger import LedgerPayment, Settled
from gateway.postgres.migration import check_migrated
from gateway.postgres.pool import Database
from gateway.secret import hash_of
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

CONVERT = (Path(__file__).resolve().parents[2] / "scripts" / "partition.sql").read_text()

PEOPLE = [f"person_{n}" for n in range(12)]


class PartitionedTown(LedgerTown):
    """A town of twelve with 100.00 EUR each, and some payments, whose ledger was partitioned afterwards."""

    def __init__(self, database: Database, assets: Assets) -> None:
        super().__init__(database, assets)
        self.people: list[Wallet] = []
        self.api_keys: list[str] = []

    async def arrive(self) -> None:
        for handle in PEOPLE:
            async with self.database.transaction() as connection:
                person, api_key = await wallets.claim(connection, self.vault, handle, NOW)
            self.people.append(person)
            self.api_keys.append(api_key)
            await self.give(person, "100.00 EUR")

    def asked(self, payer: int, payee: int, key: str, text: str = "1.00 EUR") -> LedgerPayment:
        return LedgerPayment(hash_of(self.api_keys[payer]), key, b"f" * 32, PEOPLE[payee], self.money(text), None)

    async def call(self, key: str) -> list[idempotency.Answer | None]:
        """A call of everybody's that keeps its key in the table of keys, and answers itself."""
        found = []
        async with self.database.transaction() as connection:
            for person in self.people:
                answer = await idempotency.claim(connection, person.id, key, b"f" * 32, NOW)
                if answer is None:
                    await idempotency.keep(connection, person.id, key, idempotency.Answer(200, key.encode()))
                found.append(answer)
        return found

    async def pay_all(self, *asked: LedgerPayment) -> list[ledger_rail.Outcome]:
        return await ledger_rail.pay_all(self.database, self.settings, asked, NOW)

    async def rows(self, statement: str) -> list[dict[str, Any]]:
        async with self.database.reading() as connection:
            return [dict(row) for row in await connection.fetch(statement)]


@pytest.fixture
async def town(database: Database, assets: Assets) -> PartitionedTown:
    town = PartitionedTown(database, assets)
    await town.arrive()
    await town.pay_all(*(town.asked(n, (n + 1) % 12, "before") for n in range(12)))
    await town.call("called before")
    reads = ("SELECT * FROM entry ORDER BY 1, 2", "SELECT * FROM idempotency_key ORDER BY 1, 2")
    before = [await town.rows(read) for read in reads]

    async with database.transaction() as connection:
        await connection.execute(CONVERT)

    assert [await town.rows(read) for read in reads] == before
    await check_migrated(database)
    return town


async def test_rows_lie_in_several_partitions_and_nothing_is_left_of_the_whole(town: PartitionedTown) -> None:
    await town.call("called after")
    rows = await town.rows("SELECT tableoid::regclass::text AS part FROM idempotency_key")
    parts = {row["part"] for row in rows}
    assert parts <= {f"idempotency_key_{n}" for n in range(4)}
    assert len(parts) > 1  # not always all four: where twelve wallets come to lie is their ids' chance
    left = "SELECT relname FROM pg_class WHERE relname ~ '^idempotency_key_whole'"
    assert await town.rows(left) == []


async def test_groups_of_payments_settle_and_what_is_short_is_refused(town: PartitionedTown) -> None:
    town.charge(100)
    async with town.database.transaction() as connection:
        await ledger.accounts(connection, [("fees:EUR", town.assets["EUR"])])
    groups = [[town.asked(n, (n + by) % 12, f"by {by}") for n in range(12)] for by in range(1, 11)]
    groups.append([town.asked(0, 1, "all", "999.00 EUR"), town.asked(1, 2, "some")])

    outcomes = await asyncio.gather(*(town.pay_all(*group) for group in groups))

    assert {type(one) for group in outcomes[:-1] for one in group} == {Settled}
    assert [type(one) for one in outcomes[-1]] == [InsufficientFunds, Settled]
    assert await town.fees() == "1.21 EUR"
    assert await town.available(town.people[0], "EUR") == "99.90 EUR"
    assert await town.wrong() == []


async def test_a_key_used_before_or_after_pays_once(town: PartitionedTown) -> None:
    (first,) = await town.pay_all(town.asked(0, 1, "after"))
    assert isinstance(first, Settled)

    for key, payment in (("after", first.payment_id), ("before", None)):
        (again,) = await town.pay_all(town.asked(0, 1, key))
        assert isinstance(again, Undecided)
        async with town.database.transaction() as connection:
            answer = await idempotency.claim(connection, town.people[0].id, key, b"f" * 32, NOW)
        assert answer is not None
        assert (answer.status, answer.replayed) == (201, True)
        assert payment in (None, answer.payment)
    assert await town.call("called after") == [None] * 12
    for key in ("called before", "called after"):
        assert await town.call(key) == [idempotency.Answer(200, key.encode(), replayed=True)] * 12
        (again,) = await town.pay_all(town.asked(0, 1, key))
        assert isinstance(again, Undecided)
    fifty = await asyncio.gather(*(town.pay_all(town.asked(2, 3, "fifty")) for _ in range(50)))
    assert sum(isinstance(one, Settled) for (one,) in fifty) == 1
    assert await town.wrong() == []


async def test_a_hold_is_captured_voided_and_listed_in_the_statement(town: PartitionedTown) -> None:
    alice, bob = town.people[:2]
    held = [await town.pay(alice, "@person_1", "40.00 EUR", capture=False) for _ in range(2)]
    assert await town.available(alice, "EUR") == "20.00 EUR"

    assert (await town.capture(bob, held[0], "30.00 EUR")).state is State.SETTLED
    assert (await town.void(bob, held[1])).state is State.VOIDED

    async with town.database.reading() as connection:
        pages = [
            await ledger.statement(connection, town.assets["EUR"], "wallet:person_0:EUR", before, 2)
            for before in (None, 3)
        ]
        code = "wallet:person_0:EUR"
        then = (await ledger.balances_at(connection, {code: town.assets["EUR"]}, NOW + timedelta(seconds=1)))[code]
    assert [[line.number for line in page] for page in pages] == [[4, 3], [2, 1]]
    assert [str(line.balance) for line in pages[0]] == ["70.00 EUR", "100.00 EUR"]
    assert str(then) == "70.00 EUR"
    assert await town.wrong() == []
