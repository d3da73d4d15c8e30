"""A worker that was away for long: it reads what it missed, says so, and may be killed on the way."""

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import HttpNode
from gateway.chain.watcher import cursors
from gateway.keys.vault import Vault
from gateway.postgres.pool import Database
from gateway.worker import jobs
from gateway.worker.catch_up import CatchUp
from tests.anvils import running_anvil
from tests.conftest import ASSETS
from tests.factory import Town

pytestmark = pytest.mark.anyio

#: A few block ranges of 500 blocks.
BLOCKS = 1_200


async def cursor(town: Town) -> int:
    async with town.database.reading() as connection:
        found = await cursors.read(connection, 31_337)
    assert found is not None
    return found.number


async def test_what_was_missed_is_read_across_a_kill_and_each_thing_once(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    before = await cursor(town)
    first = await town.pay(alice, "@bob", "4 USDX")
    worker = town.worker()
    await jobs.relay.run(worker)
    town.chain.rpc("anvil_mine", hex(BLOCKS))
    second = await town.pay(alice, "@bob", "1 USDX")
    await jobs.relay.run(worker)
    town.chain.mine(1 + Town.FINALITY)

    assert await jobs.watch.run(town.worker())  # one block range, and no more of this worker
    halfway = await cursor(town)
    caplog.set_level(logging.INFO, "gateway.worker")
    another = replace(town.worker(), catch_up=CatchUp(far=100, every=timedelta(0)))
    while await jobs.watch.run(another):
        pass

    assert before < halfway < before + BLOCKS
    assert [(await town.payment(one)).state.value for one in (first, second)] == ["settled", "settled"]
    assert await town.available(bob, "USDX") == await town.on_chain(bob.address) == "5.000000 USDX"
    assert await town.differences() == []
    lines = [record.message for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith(f"catching up: block {halfway + 500:,} of ")
    assert lines[1].startswith(f"caught up with block {await cursor(town):,}, ")


async def test_a_node_that_has_forgotten_what_moved_is_not_taken_for_one_where_nothing_did(
    database: Database, tmp_path: Path
) -> None:
    with running_anvil(tmp_path / "anvil", "--prune-history", "64", "--transaction-block-keeper", "16") as chain:
        town = Town(database, chain, HttpNode(chain.url), ASSETS, Vault(bytes(range(32))))
        await town.deploy()
        alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
        payment = await town.pay(alice, "@bob", "4 USDX")
        await jobs.relay.run(town.worker())
        before, block = await cursor(town), chain.head() + 1
        chain.mine(40)

        with pytest.raises(NodeUnavailable, match=f"forgotten the transactions of block {block}, of which"):
            await jobs.watch.run(town.worker())

        assert await cursor(town) == before
        assert (await town.payment(payment)).state.value == "submitted"
        assert await town.available(bob, "USDX") == "0.000000 USDX"
        await town.node.close()
