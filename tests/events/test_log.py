"""The event log: part of the transaction that it tells of, and read without gaps, whoever writes at the same time."""

import asyncio
import random

import pytest

from gateway.events import log
from gateway.events.log import Event
from gateway.identity import wallet
from gateway.ids import WalletId
from gateway.keys.vault import Vault
from gateway.money import Assets
from gateway.postgres.pool import Connection, Database
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio


@pytest.fixture
async def alice(database: Database) -> WalletId:
    async with database.transaction() as connection:
        return (await wallet.claim(connection, Vault(bytes(32)), "alice", NOW))[0].id


async def append(connection: Connection, owner: WalletId, *kinds: str) -> None:
    await log.append(connection, [Event(kind, owner, None, {}) for kind in kinds], NOW)


async def read(database: Database, owner: WalletId, after: int = 0, limit: int = 100) -> list[log.LoggedEvent]:
    async with database.reading() as connection:
        return (await log.read(connection, owner, after, limit)).events


async def test_events_come_in_order_with_their_payloads_in_pages(database: Database, alice: WalletId) -> None:
    async with database.transaction() as connection:
        payload = {"n": 1, "text": "ключ \u0001", "deep": [{"a": None}]}
        await log.append(connection, [Event("first", alice, alice, payload), Event("second", alice, None, {})], NOW)
    created, first, second = await read(database, alice)
    assert (created.kind, first.kind, second.kind) == ("wallet.created", "first", "second")
    assert (first.payload, first.subject, first.at) == (payload, alice, NOW)
    assert created.number < first.number < second.number
    assert await read(database, alice, after=created.number, limit=1) == [first]
    assert await read(database, alice, after=second.number) == []


async def test_an_event_is_undone_with_its_transaction(database: Database, alice: WalletId) -> None:
    async def crash() -> None:
        async with database.transaction() as connection:
            await append(connection, alice, "never")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await crash()
    assert [event.kind for event in await read(database, alice)] == ["wallet.created"]


async def test_no_event_of_another_wallet_is_shown(database: Database, alice: WalletId) -> None:
    async with database.transaction() as connection:
        bob = (await wallet.claim(connection, Vault(bytes(32)), "bob", NOW))[0].id
    assert len(await read(database, alice)) == len(await read(database, bob)) == 1


async def test_a_later_number_is_not_shown_before_an_earlier_one_that_is_still_being_written(
    database: Database, alice: WalletId
) -> None:
    async with database.transaction() as first:
        await append(first, alice, "earlier")
        async with database.transaction() as second:
            await append(second, alice, "later")
        assert [event.kind for event in await read(database, alice)] == ["wallet.created"]
    assert [event.kind for event in await read(database, alice)] == ["wallet.created", "earlier", "later"]


async def test_nor_when_the_later_one_is_of_a_transaction_that_began_earlier(
    database: Database, alice: WalletId
) -> None:
    async with database.transaction() as slow:
        async with database.transaction() as early:
            await early.execute("SELECT pg_current_xact_id()")
            await slow.execute("SELECT pg_current_xact_id()")
            await append(slow, alice, "smaller number")
            await append(early, alice, "greater number")
        seen = await read(database, alice)
        assert [event.kind for event in seen] == ["wallet.created"]
    rest = await read(database, alice, after=seen[-1].number)
    assert [event.kind for event in rest] == ["smaller number", "greater number"]


async def test_a_transaction_that_writes_no_events_holds_nobody_up(database: Database, alice: WalletId) -> None:
    async with database.transaction() as idle:
        await idle.execute("SELECT pg_current_xact_id()")
        async with database.transaction() as writer:
            await append(writer, alice, "shown")
        assert [event.kind for event in await read(database, alice)] == ["wallet.created", "shown"]


@pytest.mark.seeds(2)
async def test_a_reader_misses_nothing_of_what_many_write_at_once(
    database: Database, alice: WalletId, seed: int
) -> None:
    chance, done = random.Random(seed), asyncio.Event()

    async def write(n: int) -> None:
        async with database.transaction() as connection:
            if chance.random() < 0.5:
                await connection.execute("SELECT pg_current_xact_id()")
            for part in range(chance.randint(1, 3)):
                await append(connection, alice, f"{n}.{part}")
                await connection.execute("SELECT 1")  # a round trip, in which others write

    async def follow() -> list[int]:
        seen: list[int] = []
        while True:
            last_round = done.is_set()
            while page := await read(database, alice, after=seen[-1] if seen else 0, limit=7):
                seen += [event.number for event in page]
            if last_round:
                return seen

    followers = [asyncio.create_task(follow()) for _ in range(3)]
    await asyncio.gather(*(write(n) for n in range(80)))
    done.set()

    async with database.reading() as connection:
        everything = [row["id"] for row in await connection.fetch("SELECT id FROM event ORDER BY id")]
    for follower in followers:
        assert await follower == everything


async def test_a_payments_events_are_there_with_it_and_for_both_sides(database: Database, assets: Assets) -> None:
    town = LedgerTown(database, assets)
    ann, ben = await town.person("ann", "5.00 EUR"), await town.person("ben")
    paid = await town.pay(ann, "@ben", "2.00 EUR")
    with pytest.raises(Exception, match="available"):
        await town.pay(ann, "@ben", "4.00 EUR")
    for party in (ann, ben):
        *_, last = await read(database, party.id)
        assert (last.kind, last.subject) == ("payment.settled", paid.id)
        assert isinstance(last.payload, dict)
        assert (last.payload["from"], last.payload["to"], last.payload["amount"]) == ("@ann", "@ben", "2.00")
