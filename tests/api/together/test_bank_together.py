"""Deposits and withdrawals that share a commit: whatever is asked before the event loop comes round."""

import asyncio
from typing import Any

import pytest
from litestar import Response

from gateway.api.payments.bank import Movements, movements_of
from gateway.bank.movements import BankRequest
from gateway.idempotency import Claim
from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.ledger.errors import InsufficientFunds
from tests.api.conftest import Api
from tests.api.together.conftest import outcomes
from tests.databases import until_waiting

pytestmark = pytest.mark.anyio


@pytest.fixture
async def alice(api: Api) -> Wallet:
    await api.person("alice", "10.00 EUR")
    async with api.services.database.reading() as connection:
        return await wallet.by_handle(connection, "alice")


def asking(api: Api, together: Movements, owner: Wallet, *moneys: str) -> list["asyncio.Task[Response[Any]]"]:
    """Ask for deposits, or with a minus for withdrawals, all at once; the money is the key, too."""
    tasks = []
    for text in moneys:
        units, _, code = text.removeprefix("-").partition(" ")
        money = api.services.settings.assets[code].parse(units)
        asked = BankRequest("withdrawal" if text.startswith("-") else "deposit", owner, money)
        tasks.append(asyncio.create_task(together.answer(Claim(owner.id, text, b"f" * 32), asked)))
    return tasks


async def fail_at_666(api: Api, statement: str) -> None:
    """Have the database do this where 6.66 comes to the bank, in the middle of a group's transaction."""
    async with api.services.database.transaction() as connection:
        await connection.execute(
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NEW; END $$;"
            "CREATE TRIGGER fail AFTER INSERT ON sandbox_bank_line"
            " FOR EACH ROW WHEN (NEW.amount = 666) EXECUTE FUNCTION fail()"
        )


async def mend(api: Api) -> None:
    async with api.services.database.transaction() as connection:
        await connection.execute("DROP TRIGGER fail ON sandbox_bank_line")


async def commits(api: Api) -> list[int]:
    """How many movements each commit wrote, the fewest first."""
    async with api.services.database.reading() as connection:
        rows = await connection.fetch("SELECT count(*) FROM bank_movement GROUP BY xmin::text ORDER BY 1")
    return [row["count"] for row in rows]


async def test_a_group_shares_one_commit_and_who_is_refused_in_it_is_refused_alone(api: Api, alice: Wallet) -> None:
    tasks = asking(
        api, movements_of(api.services), alice, "1.00 EUR", "-11.01 EUR", "2.00 EUR", "3 USDX", "-13.00 EUR", "1.00 EUR"
    )

    assert await outcomes(tasks) == ["201", "InsufficientFunds", "201", "NotAtTheBank", "201", "201r"]

    refusal = tasks[1].exception()
    assert isinstance(refusal, InsufficientFunds)
    assert (str(refusal.asked), str(refusal.available)) == ("11.01 EUR", "11.00 EUR")
    assert tasks[5].result().content == tasks[0].result().content
    assert await commits(api) == [1, 3]
    assert await api.wrong() == []


async def test_a_fault_that_one_of_a_group_runs_into_is_its_own(api: Api, alice: Wallet) -> None:
    together, moneys = movements_of(api.services), ("1.00 EUR", "6.66 EUR", "2.00 EUR", "-3.00 EUR")
    await fail_at_666(api, "RAISE 'crash'")

    assert await outcomes(asking(api, together, alice, *moneys)) == ["201", "RaiseError", "201", "201"]

    await mend(api)
    assert await outcomes(asking(api, together, alice, *moneys)) == ["201r", "201", "201r", "201r"]
    assert await api.wrong() == []


async def test_when_the_connection_is_cut_everybody_in_the_group_is_told_and_may_ask_again(
    api: Api, alice: Wallet
) -> None:
    together, moneys = movements_of(api.services), ("1.00 EUR", "6.66 EUR", "2.00 EUR", "-3.00 EUR")
    await fail_at_666(api, "PERFORM pg_terminate_backend(pg_backend_pid())")
    before = await api.counts()

    assert await outcomes(asking(api, together, alice, *moneys)) == ["DatabaseUnavailable"] * 4

    assert await api.counts() == before
    await mend(api)
    assert await outcomes(asking(api, together, alice, *moneys)) == ["201"] * 4
    assert await commits(api) == [1, 4]
    assert await api.wrong() == []


async def test_a_client_that_hangs_up_changes_nothing(api: Api, alice: Wallet) -> None:
    together = movements_of(api.services)
    moneys = ("1.00 EUR", "2.00 EUR", "3.00 EUR")
    async with api.services.database.transaction() as connection:
        await connection.execute("SELECT FROM account WHERE code = 'bank:EUR' FOR UPDATE")  # no group can commit
        tasks = asking(api, together, alice, *moneys)
        await until_waiting(connection, 1)
        tasks[1].cancel()

    assert await outcomes(tasks) == ["201", "CancelledError", "201"]
    assert await outcomes(asking(api, together, alice, *moneys)) == ["201r"] * 3
    assert await commits(api) == [1, 3]
