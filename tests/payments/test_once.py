"""Keys in the database: claimed with the money, or not at all."""

import asyncio

import pytest

from gateway.bank import movements
from gateway.errors import IdempotencyKeyReused
from gateway.money import Assets
from gateway.payments import once
from gateway.payments.once import Answer
from gateway.postgres import Database
from gateway.wallets.wallet import Wallet
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

ASKED, OTHER = b"a" * 32, b"b" * 32


@pytest.fixture
async def town(database: Database, assets: Assets) -> LedgerTown:
    return LedgerTown(database, assets)


async def deposit_once(town: LedgerTown, wallet: Wallet, key: str, asked: bytes = ASKED, crash: bool = False) -> Answer:
    async with town.database.transaction() as connection:
        answer = await once.claim(connection, wallet.id, key, asked, NOW)
        if answer is None:
            await movements.deposit(connection, town.assets, wallet, town.money("1.00 EUR"), NOW)
            answer = Answer(201, b"done")
            await once.keep(connection, wallet.id, key, answer)
        if crash:
            raise RuntimeError("after the money, before the commit")
        return answer


async def test_a_key_is_claimed_once_and_answers_for_ever(town: LedgerTown) -> None:
    alice = await town.person("alice")
    answers = [await deposit_once(town, alice, "k") for _ in range(3)]
    assert [answer.replayed for answer in answers] == [False, True, True]
    assert {(answer.status, answer.body) for answer in answers} == {(201, b"done")}
    assert await town.available(alice, "EUR") == "1.00 EUR"


async def test_fifty_claims_of_one_key_at_once_act_once(town: LedgerTown) -> None:
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
