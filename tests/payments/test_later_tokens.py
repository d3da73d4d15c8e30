"""Tokens that are deployed while workers run that do not know them yet."""

import asyncio
from dataclasses import replace

import pytest

from gateway.chain.watcher import cursors
from gateway.errors import Misconfigured
from gateway.ledger import ledger
from gateway.money import Asset, Assets
from gateway.payments.model.payment import State
from gateway.worker import jobs
from gateway.worker import loop as working
from tests.factory import Town
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio


EURX = Asset("EURX", "token", 6, "EUR")


async def declare_eurx(town: Town) -> None:
    town.assets = Assets([*town.assets, EURX])
    async with town.database.transaction() as connection:
        await ledger.declare(connection, town.assets)


async def test_a_token_that_is_deployed_while_a_worker_runs_is_relayed_and_watched_by_it(town: Town) -> None:
    await declare_eurx(town)
    town.settings = replace(town.settings, assets=town.assets)
    worker, none_yet = town.worker(), replace(town.worker(), settings=replace(town.settings, contracts={}))
    await town.deploy()
    alice = await town.person("alice", "10.00 EUR", "10.00 USD")

    first = await town.convert(alice, "4.00 EUR", "EURX")
    await town.settle_with(worker)
    second = await town.convert(alice, "3.00 USD", "USDX")
    await town.settle_with(none_yet)

    assert (await town.conversion(first)).state is State.SETTLED
    assert (await town.conversion(second)).state is State.SETTLED
    assert await town.differences() == []


async def test_a_worker_that_does_not_have_a_token_reads_nothing_past_its_logs(town: Town) -> None:
    stale = town.worker()
    await declare_eurx(town)
    town.settings = replace(town.settings, assets=town.assets)
    await town.deploy()
    alice = await town.person("alice", "10.00 EUR")
    bought = await town.convert(alice, "4.00 EUR", "EURX")
    await jobs.relay.run(town.worker())
    town.chain.mine(2)
    before = await cursor_of(town)

    with pytest.raises(Misconfigured, match="EURX was deployed"):
        await jobs.watch.run(stale)
    with pytest.raises(Misconfigured, match="EURX was deployed"):
        await asyncio.wait_for(working.run(stale, asyncio.Event()), HANG_SECONDS)

    assert await cursor_of(town) == before
    await jobs.watch.run(town.worker())
    assert (await town.conversion(bought)).state is State.SETTLED


async def cursor_of(town: Town) -> cursors.Cursor | None:
    async with town.database.reading() as connection:
        return await cursors.read(connection, 31337)
