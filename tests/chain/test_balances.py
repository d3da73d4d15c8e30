"""Balances at a block: many by one call, whatever the node can do."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pytest

from gateway.address import ZERO, checksum
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import HttpNode
from gateway.chain.token import balance_list
from gateway.chain.watcher import balances
from tests.chain.conftest import Setup
from tests.other_node import OtherNode, in_front_of

pytestmark = pytest.mark.anyio


async def read(setup: Setup, other: OtherNode, addresses: Sequence[str], number: int) -> list[int]:
    node = HttpNode(other.url)
    try:
        return await balances.read(node, setup.contract, addresses, number)
    finally:
        await node.close()


async def test_many_balances_are_one_request_and_each_is_as_if_it_was_asked_for_alone(setup: Setup) -> None:
    alice, bob = (await setup.rich(100)).address, (await setup.rich(2**255)).address
    before = setup.chain.head()
    await setup.rich(7)
    strangers = [checksum(number.to_bytes(20, "big")) for number in range(1, 2 * balance_list.BALANCES_MAX)]

    async with in_front_of(setup.chain) as other:
        found = await read(setup, other, [ZERO, alice, *strangers, bob, alice], before)

        assert found == [100 + 2**255, 100, *(0 for _ in strangers), 2**255, 100]
        assert (other.requests, other.asked["eth_call"]) == (1, 4)  # three lists, and the supply
        assert await read(setup, other, [bob], before) == [2**255]


@pytest.mark.parametrize("code", ["error", "empty"])
async def test_a_node_that_runs_no_code_is_asked_for_each_balance(
    setup: Setup, code: Literal["error", "empty"]
) -> None:
    alice, bob = (await setup.rich(100)).address, (await setup.rich(70)).address

    async with in_front_of(setup.chain) as other:
        other.code = code
        assert await read(setup, other, [ZERO, alice, bob], setup.chain.head()) == [170, 100, 70]


async def test_a_pruned_node_is_asked_for_its_newest_block(setup: Setup) -> None:
    alice, bob = (await setup.rich(100)).address, (await setup.rich(70)).address
    before = setup.chain.head()
    await setup.rich(7)

    async with in_front_of(setup.chain) as other:
        other.pruned = 1
        assert await read(setup, other, [ZERO, alice, bob], before) == [170, 100, 70]


async def test_a_contract_that_is_not_there_has_no_balances(setup: Setup) -> None:
    nowhere = replace(setup, contract=replace(setup.contract, address="0x70997970C51812dc3A010C7d01b50e0d17dc79C8"))

    async with in_front_of(setup.chain) as other:
        with pytest.raises(NodeUnavailable, match="no contract at block"):
            await read(nowhere, other, [setup.purse().address, setup.purse().address], setup.chain.head())
