"""Readiness: what is said of a node and of workers, as they come and go."""

import pytest

from gateway.chain.node import HttpNode, Node
from gateway.cli.processes.ports import free_port
from gateway.reconciliation.readiness import Probe, Readiness
from gateway.worker import jobs
from tests.factory import Town

pytestmark = pytest.mark.anyio


async def of(town: Town, node: Node | None) -> Readiness:
    return await Probe(town.database, node, town.settings).readiness()


async def change(town: Town, statement: str) -> None:
    async with town.database.transaction() as connection:
        await connection.execute(statement)


async def test_a_node_that_is_away_behind_or_replaced_is_said_to_be(town: Town) -> None:
    before = town.chain.rpc("evm_snapshot")
    town.chain.mine(4)
    await town.settle()
    assert (await of(town, town.node)).node == "ok"

    assert (await of(town, None)).node == "not_set"
    assert (await of(town, HttpNode(f"http://127.0.0.1:{free_port('127.0.0.1')}"))).node == "away"

    town.chain.rpc("evm_revert", before)
    assert (await of(town, town.node)).node == "behind"
    town.chain.mine(20)
    assert (await of(town, town.node)).node == "replaced"


async def test_a_worker_that_was_never_there_or_has_stopped_its_rounds_is_said_to_be_missing(town: Town) -> None:
    await change(town, "UPDATE relayer SET resent_at = NULL, gas_checked_at = NULL")
    assert (await of(town, None)).worker == "none"
    await jobs.resend.run(town.worker())
    assert (await of(town, None)).worker == "ok"
    await change(town, "UPDATE relayer SET resent_at = resent_at - interval '31 seconds'")
    assert (await of(town, None)).worker == "late"
    await jobs.gas_balance.run(town.worker())
    assert (await of(town, None)).worker == "ok"
