"""Checkpoints: in order, without a gap, one at a time, and never past a row that could still come."""

import asyncio
import random
from dataclasses import replace
from uuid import UUID

import pytest

from gateway.audit import checkpoint
from gateway.audit.log import ANNOUNCED
from gateway.audit.row import numbers
from gateway.custody import wallet_keys
from gateway.events import log as events
from gateway.events.log import Event
from gateway.keys.errors import EncryptedKeyUnreadable
from gateway.keys.vault import Vault
from gateway.postgres.pool import Database
from tests.audit.conftest import VAULT, Logs
from tests.factory import NOW

pytestmark = pytest.mark.anyio

NEXT = UUID(int=2)


async def checkpoints_of(database: Database) -> list[checkpoint.Checkpoint]:
    async with database.reading() as connection:
        return [checkpoint.checkpoint_of(row) for row in await connection.fetch(checkpoint.sql.checkpoints, 0, 10_000)]


def test_events_are_read_up_to_what_their_own_log_announces() -> None:
    assert checkpoint.ANNOUNCED == {"event": events.ANNOUNCED, "audit_event": ANNOUNCED}


async def test_each_checkpoint_goes_on_where_the_one_before_ended(logs: Logs) -> None:
    assert await logs.checkpoint() is None
    await logs.happen("one", "two")
    first = await logs.checkpoint()
    await logs.happen("three")
    second = await logs.checkpoint()
    assert await logs.checkpoint() is None
    assert first is not None
    assert second is not None
    assert (first.number, first.rows, second.number, second.rows) == (1, 4, 2, 2)
    assert second.previous == first.hash
    assert {name: part.after for name, part in second.parts.items()} == {
        name: part.to for name, part in first.parts.items()
    }
    assert await checkpoints_of(logs.database) == [first, second]


async def test_a_checkpoint_covers_a_thousand_rows_of_a_log_and_the_next_goes_on(logs: Logs) -> None:
    await logs.happen(*(f"n{n}" for n in range(checkpoint.ROWS_MAX + 5)))
    rows = []
    while (one := await logs.checkpoint()) is not None:
        rows.append(one.rows)
    assert rows == [2 * checkpoint.ROWS_MAX, 10]
    assert await logs.broken() == []


async def test_a_transaction_that_commits_late_is_covered_in_the_order_of_its_numbers(logs: Logs) -> None:
    await logs.happen("first")
    async with logs.database.transaction() as slow:
        await logs.write(slow, "slow")
        await logs.happen("quick")
        before = await logs.checkpoint()
        assert before is not None
        assert before.rows == 2, "nothing behind the slow one is covered while it may still be written"
        assert await logs.checkpoint() is None
    after = await logs.checkpoint()
    assert after is not None
    assert [len(numbers(part.leaves)) for part in after.parts.values()] == [2, 2]
    assert await logs.broken() == []


async def test_a_number_that_was_rolled_back_leaves_a_gap_and_no_difference(logs: Logs) -> None:
    await logs.roll_back("never")
    await logs.happen("after")
    assert await logs.checkpoint() is not None
    assert await logs.broken() == []


async def test_numbers_that_a_failover_skipped_and_another_gave_back_are_covered_when_they_come(logs: Logs) -> None:
    """A standby that takes over begins up to 32 numbers later: PostgreSQL logs a sequence that far ahead (sequence.c).
    The primary before it, which handed over in order, goes on where it was when it takes over again.
    """
    await logs.happen("one")
    async with logs.database.transaction() as connection:
        await connection.execute("SELECT setval('audit_event_id_seq', 33)")  # the standby
    assert await logs.checkpoint() is not None
    async with logs.database.transaction() as connection:
        await connection.execute("SELECT setval('audit_event_id_seq', 1)")  # the first primary again
        await events.append(connection, [Event("between", None, None, {})], NOW)
    assert await logs.checkpoint() is not None
    await logs.happen("two")
    assert await logs.checkpoint() is not None
    assert (await logs.verify()).pending == {"event": 0, "audit_event": 0}
    assert await logs.broken() == []


async def test_what_was_written_before_a_worker_was_killed_is_covered_by_the_next(logs: Logs) -> None:
    await logs.happen("one")

    async def killed() -> None:
        async with logs.database.transaction() as connection:
            assert await checkpoint.write(connection, logs.key, NOW) is not None
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await killed()
    assert (await logs.verify()).pending == {"event": 1, "audit_event": 1}
    written = await logs.checkpoint()
    assert written is not None
    assert (written.number, written.rows) == (1, 2)
    assert (await logs.verify()).pending == {"event": 0, "audit_event": 0}


async def test_of_two_workers_at_once_one_writes_and_the_other_waits_for_nothing(logs: Logs) -> None:
    await logs.happen("one")
    async with logs.database.transaction() as connection:
        assert await checkpoint.write(connection, logs.key, NOW) is not None
        assert await logs.checkpoint() is None
    assert len(await checkpoints_of(logs.database)) == 1


@pytest.mark.seeds(2)
async def test_many_writers_and_workers_at_once_make_one_chain_without_a_gap(logs: Logs, seed: int) -> None:
    chance, done = random.Random(seed), asyncio.Event()

    async def write(n: int) -> None:
        async with logs.database.transaction() as connection:
            if chance.random() < 0.5:
                await connection.execute("SELECT pg_current_xact_id()")
            for part in range(chance.randint(1, 3)):
                await logs.write(connection, f"{n}.{part}")
                await connection.execute("SELECT 1")  # a round trip, in which others write and make checkpoints

    async def worker() -> None:
        while not done.is_set():
            await logs.checkpoint()
        await logs.checkpoint()

    workers = [asyncio.create_task(worker()) for _ in range(3)]
    await asyncio.gather(*(write(n) for n in range(60)))
    done.set()
    await asyncio.gather(*workers)
    await logs.checkpoint()

    found = await logs.verify()
    assert (found.broken, found.pending) == ([], {"event": 0, "audit_event": 0})
    async with logs.database.reading() as connection:
        assert found.rows == {
            name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in checkpoint.LOGS
        }


async def test_however_many_ask_for_the_first_key_there_is_one(database: Database) -> None:
    async def ask() -> checkpoint.CheckpointKey:
        async with database.transaction() as connection:
            return await wallet_keys.checkpoint_key(connection, VAULT, NOW)

    keys = await asyncio.gather(*(ask() for _ in range(10)))
    assert len({key.secret for key in keys}) == 1
    assert keys[0].secret.hex() not in repr(keys[0])


async def test_another_master_key_decrypts_no_checkpoint_key(logs: Logs) -> None:
    async with logs.database.reading() as connection:
        with pytest.raises(EncryptedKeyUnreadable):
            await wallet_keys.checkpoint_keys(connection, Vault(bytes(32)))


async def test_the_chain_goes_on_under_another_key(logs: Logs) -> None:
    await logs.happen("one")
    await logs.checkpoint()
    async with logs.database.transaction() as connection:
        other = replace(logs.key, id=NEXT, secret=b"2" * 32)
        await connection.execute(
            "INSERT INTO checkpoint_key (id, number, ciphertext, master, made_at) VALUES ($1, 2, $2, 1, $3)",
            *(other.id, VAULT.encrypt(other.id, other.secret), NOW),
        )
        assert await wallet_keys.checkpoint_key(connection, VAULT, NOW) == other
        logs.keys = await wallet_keys.checkpoint_keys(connection, VAULT)
    logs.key = other
    await logs.happen("two")
    await logs.checkpoint()
    assert (await logs.verify()).checkpoints == 2
    assert await logs.broken() == []
