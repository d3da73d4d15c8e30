"""Calls that share commits: deposits and withdrawals, captures and voids, at once and through two gateways."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Response

from gateway.api.bank import Movements, movements_of
from gateway.bank.movements import BankRequest
from gateway.errors import InsufficientFunds
from gateway.payments.once import Claim
from gateway.postgres import connect
from gateway.wallets import wallet
from gateway.wallets.wallet import Wallet
from tests.api.conftest import Api, Person, amount, code_of, opened
from tests.api.test_attack import known_to
from tests.factory import until_waiting

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(api: Api, database_url: str) -> AsyncIterator[Api]:
    """A second gateway over the same database, with a pool of its own."""
    async with connect(database_url, 16) as database, opened(database, api.house.terms.assets) as other:
        yield other


async def hold(payer: Person, payee: Person, count: int, money: str = "1.00 EUR") -> list[str]:
    """The ids of so many held payments."""
    answers = [await payer.pay(f"@{payee.handle}", money, capture=False) for _ in range(count)]
    return [answer.json()["id"] for answer in answers]


async def test_fifty_captures_of_one_hold_through_two_gateways_capture_it_once(api: Api, other: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    (held,) = await hold(alice, bob, 1, "10.00 EUR")

    answers = await asyncio.gather(
        *(who.post(f"/v1/payments/{held}/capture", {}) for who in [bob, known_to(other, bob)] * 25)
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}
    assert {code_of(answer)[1] for answer in answers if answer.status_code == 409} == {"state_conflict"}
    assert await bob.balance("EUR") == ("10.00", "0.00", "10.00")
    assert await api.wrong() == []


async def test_of_capture_and_void_of_each_of_twenty_holds_at_once_one_wins(api: Api, other: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    held = await hold(alice, bob, 20)
    calls = [(who, id, end) for id in held for who, end in ((known_to(other, bob), "capture"), (alice, "void"))]
    random.Random(1).shuffle(calls)

    answers = await asyncio.gather(*(who.post(f"/v1/payments/{id}/{end}", {}) for who, id, end in calls))

    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert sorted(one["id"] for one in won) == sorted(held)
    assert {code_of(answer) for answer in answers if answer.status_code != 200} == {(409, "state_conflict")}
    captured = sum(one["state"] == "settled" for one in won)
    assert (await alice.balance("EUR"))[1:] == ("0.00", f"{100 - captured}.00")
    assert await api.wrong() == []


async def test_keys_repeated_at_once_through_two_gateways_act_once_each(api: Api, other: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR"), await api.person("bob")
    held = await hold(alice, bob, 5)
    one_euro = amount("1.00 EUR")
    calls = [
        *((f"d{n}", "/v1/deposits", one_euro) for n in range(10)),
        *((f"w{n}", "/v1/withdrawals", one_euro) for n in range(3)),
        *((f"c{n}", f"/v1/payments/{id}/capture", {}) for n, id in enumerate(held)),
    ] * 6
    random.Random(2).shuffle(calls)
    whose = [alice, known_to(other, alice)] * len(calls)

    answers = await asyncio.gather(
        *(who.post(path, body, key) for who, (key, path, body) in zip(whose, calls, strict=False))
    )

    assert {answer.status_code for answer in answers} == {200, 201}
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers].count(None) == 18
    bodies = {(key, answer.content) for (key, _, _), answer in zip(calls, answers, strict=True)}
    assert len(bodies) == 18
    assert await alice.balance("EUR") == ("12.00", "0.00", "12.00")
    assert await api.wrong() == []


async def test_what_is_captured_on_either_rail_at_once_is_settled_or_queued(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR", "10 USDX"), await api.person("bob")
    euros, tokens = await hold(alice, bob, 5), await hold(alice, bob, 5, "1 USDX")
    held = [id for pair in zip(euros, tokens, strict=True) for id in pair]

    answers = await asyncio.gather(*(bob.post(f"/v1/payments/{id}/capture", {}) for id in held))

    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [
        (200, "settled"), (200, "queued"),
    ] * 5  # fmt: skip
    assert await api.wrong() == []


# ---- one group for certain: whatever is asked before the event loop comes round -------------------------------------


@pytest.fixture
async def alice(api: Api) -> Wallet:
    await api.person("alice", "10.00 EUR")
    async with api.house.database.reading() as connection:
        return await wallet.by_handle(connection, "alice")


def asking(api: Api, together: Movements, owner: Wallet, *moneys: str) -> list["asyncio.Task[Response[Any]]"]:
    """Ask for deposits, or with a minus for withdrawals, all at once; the money is the key, too."""
    tasks = []
    for text in moneys:
        units, _, code = text.removeprefix("-").partition(" ")
        money = api.house.terms.assets[code].parse(units)
        asked = BankRequest("withdrawal" if text.startswith("-") else "deposit", owner, money)
        tasks.append(asyncio.create_task(together.answer(Claim(owner.id, text, b"f" * 32), asked)))
    return tasks


async def outcomes(tasks: "list[asyncio.Task[Response[Any]]]") -> list[str]:
    """The status of each, followed by an r for a replay, or the name of the refusal."""
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    return [
        f"{answer.status_code}{'r' * ('Idempotency-Replayed' in answer.headers)}"
        if isinstance(answer, Response)
        else type(answer).__name__
        for answer in answers
    ]


async def fail_at_666(api: Api, statement: str) -> None:
    """Have the database do this where 6.66 comes to the bank, in the middle of a group's transaction."""
    async with api.house.database.transaction() as connection:
        await connection.execute(
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NEW; END $$;"
            "CREATE TRIGGER fail AFTER INSERT ON sandbox_bank_line"
            " FOR EACH ROW WHEN (NEW.amount = 666) EXECUTE FUNCTION fail()"
        )


async def mend(api: Api) -> None:
    async with api.house.database.transaction() as connection:
        await connection.execute("DROP TRIGGER fail ON sandbox_bank_line")


async def commits(api: Api) -> list[int]:
    """How many movements each commit wrote, the fewest first."""
    async with api.house.database.reading() as connection:
        rows = await connection.fetch("SELECT count(*) FROM bank_movement GROUP BY xmin::text ORDER BY 1")
    return [row["count"] for row in rows]


async def test_a_group_shares_one_commit_and_who_is_refused_in_it_is_refused_alone(api: Api, alice: Wallet) -> None:
    tasks = asking(
        api, movements_of(api.house), alice, "1.00 EUR", "-11.01 EUR", "2.00 EUR", "3 USDX", "-13.00 EUR", "1.00 EUR"
    )

    assert await outcomes(tasks) == ["201", "InsufficientFunds", "201", "NotAtTheBank", "201", "201r"]

    refusal = tasks[1].exception()
    assert isinstance(refusal, InsufficientFunds)
    assert (str(refusal.asked), str(refusal.available)) == ("11.01 EUR", "11.00 EUR")
    assert tasks[5].result().content == tasks[0].result().content
    assert await commits(api) == [1, 3]
    assert await api.wrong() == []


async def test_a_fault_that_one_of_a_group_runs_into_is_its_own(api: Api, alice: Wallet) -> None:
    together, moneys = movements_of(api.house), ("1.00 EUR", "6.66 EUR", "2.00 EUR", "-3.00 EUR")
    await fail_at_666(api, "RAISE 'crash'")

    assert await outcomes(asking(api, together, alice, *moneys)) == ["201", "RaiseError", "201", "201"]

    await mend(api)
    assert await outcomes(asking(api, together, alice, *moneys)) == ["201r", "201", "201r", "201r"]
    assert await api.wrong() == []


async def test_when_the_connection_is_cut_everybody_in_the_group_is_told_and_may_ask_again(
    api: Api, alice: Wallet
) -> None:
    together, moneys = movements_of(api.house), ("1.00 EUR", "6.66 EUR", "2.00 EUR", "-3.00 EUR")
    await fail_at_666(api, "PERFORM pg_terminate_backend(pg_backend_pid())")
    before = await api.counts()

    assert await outcomes(asking(api, together, alice, *moneys)) == ["DatabaseUnavailable"] * 4

    assert await api.counts() == before
    await mend(api)
    assert await outcomes(asking(api, together, alice, *moneys)) == ["201"] * 4
    assert await commits(api) == [1, 4]
    assert await api.wrong() == []


async def test_a_client_that_hangs_up_changes_nothing(api: Api, alice: Wallet) -> None:
    together = movements_of(api.house)
    moneys = ("1.00 EUR", "2.00 EUR", "3.00 EUR")
    async with api.house.database.transaction() as connection:
        await connection.execute("SELECT FROM account WHERE code = 'bank:EUR' FOR UPDATE")  # no group can commit
        tasks = asking(api, together, alice, *moneys)
        await until_waiting(connection, 1)
        tasks[1].cancel()

    assert await outcomes(tasks) == ["201", "CancelledError", "201"]
    assert await outcomes(asking(api, together, alice, *moneys)) == ["201r"] * 3
    assert await commits(api) == [1, 3]
