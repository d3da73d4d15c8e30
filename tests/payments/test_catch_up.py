"""A worker that was away for long: it reads what it missed, says so, and may be killed on the way."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.chain import watch
from gateway.chain.catch_up import CatchUp
from tests.factory import Town

pytestmark = pytest.mark.anyio

#: A few spans of 500 blocks.
BLOCKS = 1_200


async def cursor(town: Town) -> int:
    async with town.database.reading() as connection:
        found = await watch.cursor(connection, 31_337)
    assert found is not None
    return found.number


async def test_what_was_missed_is_read_across_a_kill_and_each_thing_once(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    before = await cursor(town)
    first = await town.pay(alice, "@bob", "4 USDX")
    worker = town.worker()
    await worker.relay()
    town.chain.rpc("anvil_mine", hex(BLOCKS))
    second = await town.pay(alice, "@bob", "1 USDX")
    await worker.relay()
    town.chain.mine(1 + Town.FINALITY)

    assert await town.worker().watch()  # one span, and no more of this worker
    halfway = await cursor(town)
    caplog.set_level(logging.INFO, "gateway.worker")
    another = replace(town.worker(), catch_up=CatchUp(far=100, every=timedelta(0)))
    while await another.watch():
        pass

    assert before < halfway < before + BLOCKS
    assert [(await town.payment(one)).state.value for one in (first, second)] == ["settled", "settled"]
    assert await town.available(bob, "USDX") == await town.on_chain(bob.address) == "5.000000 USDX"
    assert await town.differences() == []
    lines = [record.message for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith(f"catching up: block {halfway + 500:,} of ")
    assert lines[1].startswith(f"caught up with block {await cursor(town):,}, ")
