"""Keys in the database: claimed with the money, or not at all."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest

from gateway import idempotency
from gateway.bank import movements
from gateway.bank.movements import BankRequest
from gateway.errors import IdempotencyKeyInProgress, IdempotencyKeyReused, Refused
from gateway.idempotency import Answer, Claim, Outcome, Unbatched
from gateway.identity.wallet import Wallet
from gateway.money import Assets
from gateway.postgres.errors import LockTimeout
from gateway.postgres.pool import Connection, Database
from tests.databases import statements, until_waiting
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

ASKED, OTHER = b"a" * 32, b"b" * 32


@pytest.fixture
async def town(database: Database, assets: Assets) -> LedgerTown:
    return LedgerTown(database, assets)


async def deposit_once(town: LedgerTown, wallet: Wallet, key: str, asked: bytes = ASKED, crash: bool = False) -> Answer:
    async with town.database.transaction() as connection:
        answer = await idempotency.claim(connection, wallet.id, key, asked, NOW)
        if answer is None:
            deposit = BankRequest("deposit", wallet, town.money("1.00 EUR"))
            await movements.settle_all(connection, town.assets, [deposit], NOW)
            answer = Answer(201, b"done")
            await idempotency.keep(connection, wallet.id, key, answer)
        if crash:
            raise RuntimeError("after the money, before the commit")
        return answer


async def test_a_key_is_claimed_once_and_answers_for_ever(town: LedgerTown) -> None:
    alice = await town.person("alice")
    answers = [await deposit_once(town, alice, "k") for _ in range(3)]
    assert [answer.replayed for answer in answers] == [False, True, True]
    assert {(answer.status, answer.body) for answer in answers} == {(201, b"done")}
    assert await town.available(alice, "EUR") == "1.00 EUR"


async def test_fifty_claims_of_one_key_at_once_run_idempotently(town: LedgerTown) -> None:
    alice = await town.person("alice", "1.00 EUR")
    answers = await asyncio.gather(*(deposit_once(town, alice, "k") for _ in range(50)))
    assert [answer.replayed for answer in answers].count(False) == 1
    assert await town.available(alice, "EUR") == "2.00 EUR"


async def test_a_key_of_another_request_is_refused_and_of_another_wallet_is_another_key(town: LedgerTown) -> None:
    alice, bob = await town.person("alice"), await town.person("bob")
    await deposit_once(town, alice, "k")
    with pytest.raises(IdempotencyKeyReused):
        await deposit_once(town, alice, "k", OTHER)
    assert not (await deposit_once(town, bob, "k", OTHER)).replayed


async def test_a_crash_before_the_commit_leaves_neither_key_nor_money(town: LedgerTown) -> None:
    alice = await town.person("alice")
    with pytest.raises(RuntimeError):
        await deposit_once(town, alice, "k", crash=True)
    assert await town.available(alice, "EUR") == "0.00 EUR"
    assert not (await deposit_once(town, alice, "k", OTHER)).replayed


async def test_of_two_calls_that_ran_side_by_side_the_first_that_ends_has_answered_for_both(town: LedgerTown) -> None:
    alice = await town.person("alice")
    for _ in range(2):
        assert await idempotency.begin(town.database, alice.id, "k", ASKED, NOW) is None

    first, second = [
        await idempotency.end(town.database, alice.id, "k", Answer(200, body)) for body in (b"one", b"two")
    ]

    assert (first, second) == (Answer(200, b"one"), Answer(200, b"one", replayed=True))
    assert await idempotency.begin(town.database, alice.id, "k", ASKED, NOW) == second


async def test_who_waits_for_a_claim_that_is_rolled_back_acts_oneself(town: LedgerTown) -> None:
    alice = await town.person("alice", "1.00 EUR")
    outcomes = await asyncio.gather(
        deposit_once(town, alice, "k", crash=True),
        *(deposit_once(town, alice, "k") for _ in range(5)),
        return_exceptions=True,
    )
    answers = [one for one in outcomes if isinstance(one, Answer)]
    assert [answer.replayed for answer in answers].count(False) == 1
    assert await town.available(alice, "EUR") == "2.00 EUR"


# ---- many that share a transaction ----------------------------------------------------------------------------------


class Refusing(Refused):
    """What a call of these tests is refused for."""


async def operation(connection: Connection, asked: Sequence[str], now: datetime) -> list[Outcome]:
    """Answers each with what it asked; what begins with "no" is refused, what begins with "alone" is for later."""
    later = {"no": Refusing(), "alone": Unbatched()}
    return [later.get(what.partition(" ")[0], Answer(201, what.encode())) for what in asked]


def asking(owner: Wallet, key: str, what: str) -> tuple[Claim, str]:
    return Claim(owner.id, key, what.encode()), what


async def run_idempotently(town: LedgerTown, *asked: tuple[Claim, str]) -> list[Outcome]:
    async with town.database.transaction() as connection:
        return await idempotency.run_idempotently(connection, asked, operation, NOW)


def seen(outcomes: list[Outcome]) -> list[str]:
    """What became of each: its answer, in brackets when it is an earlier one's, or the name of the refusal."""
    return [
        (f"({one.body.decode()})" if one.replayed else one.body.decode())
        if isinstance(one, Answer) and one.body is not None
        else type(one).__name__
        for one in outcomes
    ]


async def test_of_keys_claimed_together_each_is_new_used_or_reused_by_itself(town: LedgerTown) -> None:
    alice, bob = await town.person("alice"), await town.person("bob")
    assert seen(await run_idempotently(town, asking(alice, "a", "one"), asking(alice, "b", "two"))) == ["one", "two"]

    outcomes = await run_idempotently(
        town,
        asking(alice, "z", "new"),
        asking(alice, "a", "one"),
        asking(bob, "a", "his own"),
        asking(alice, "b", "another"),
        asking(alice, "c", "no"),
        asking(alice, "a", "one"),
        asking(alice, "0", "alone"),
    )

    assert seen(outcomes) == ["new", "(one)", "his own", "IdempotencyKeyReused", "Refusing", "(one)", "Unbatched"]


async def test_refused_calls_and_those_left_alone_have_their_keys_back(town: LedgerTown) -> None:
    alice = await town.person("alice")
    await run_idempotently(town, asking(alice, "a", "no"), asking(alice, "b", "alone"), asking(alice, "c", "yes"))
    again = [asking(alice, key, "now it is possible") for key in "abc"]
    assert seen(await run_idempotently(town, *again)) == ["now it is possible"] * 2 + ["IdempotencyKeyReused"]


async def test_of_one_new_key_twice_together_the_first_acts_and_the_other_comes_again(town: LedgerTown) -> None:
    alice = await town.person("alice")
    first, second, other = asking(alice, "k", "this"), asking(alice, "k", "this"), asking(alice, "k", "that")

    assert seen(await run_idempotently(town, first, second, other)) == ["this", "Unbatched", "Unbatched"]

    assert seen(await run_idempotently(town, second, other)) == ["(this)", "IdempotencyKeyReused"]


async def test_what_one_of_many_raises_leaves_no_key_of_any(town: LedgerTown) -> None:
    alice = await town.person("alice")

    async def crash(connection: Connection, asked: Sequence[str], now: datetime) -> list[Outcome]:
        raise RuntimeError(asked[0])

    with pytest.raises(RuntimeError):
        async with town.database.transaction() as connection:
            await idempotency.run_idempotently(
                connection, [asking(alice, "a", "x"), asking(alice, "b", "y")], crash, NOW
            )

    assert seen(await run_idempotently(town, asking(alice, "a", "one"), asking(alice, "b", "two"))) == ["one", "two"]


async def test_two_groups_that_want_the_same_keys_in_other_orders_do_not_wait_in_a_ring(town: LedgerTown) -> None:
    alice = await town.person("alice")
    asked = [asking(alice, key, "x") for key in "amz"]
    async with town.database.transaction() as gate:
        await idempotency.claim(gate, alice.id, "m", ASKED, NOW)  # each would have its first key now, and then wait
        groups = [asyncio.create_task(run_idempotently(town, *order)) for order in (asked, asked[::-1])]
        await until_waiting(gate, 2)
        await gate.execute("DELETE FROM idempotency_key")  # as if it had been refused

    assert sorted([seen(await group) for group in groups]) == [["(x)"] * 3, ["x"] * 3]


async def test_a_key_that_is_in_use_elsewhere_stops_several_and_names_itself_to_one(town: LedgerTown) -> None:
    alice = await town.person("alice")

    async def impatiently(*asked: tuple[Claim, str]) -> None:
        async with town.database.transaction() as connection:
            await connection.execute("SET LOCAL lock_timeout = '50ms'")
            await idempotency.run_idempotently(connection, asked, operation, NOW)

    async with town.database.transaction() as elsewhere:
        await idempotency.claim(elsewhere, alice.id, "busy", ASKED, NOW)
        with pytest.raises(LockTimeout):
            await impatiently(asking(alice, "free", "x"), asking(alice, "busy", "x"))
        with pytest.raises(IdempotencyKeyInProgress):
            await impatiently(asking(alice, "busy", "x"))
    assert seen(await run_idempotently(town, asking(alice, "free", "x"))) == ["x"]


async def test_fifty_keys_take_no_more_statements_than_one(town: LedgerTown) -> None:
    alice = await town.person("alice")
    await run_idempotently(town, asking(alice, "used 0", "x"), asking(alice, "used 1", "x"))
    taken = []
    for count in (1, 50):
        asked = [
            *(asking(alice, f"new {count} {n}", "x") for n in range(count)),
            *(asking(alice, f"refused {count} {n}", "no") for n in range(count)),
            *(asking(alice, f"used {n % 2}", "x") for n in range(count)),
        ]
        async with town.database.transaction() as connection:
            with statements(connection) as said:
                await idempotency.run_idempotently(connection, asked, operation, NOW)
        taken.append(said)
    assert taken[0] == taken[1]
