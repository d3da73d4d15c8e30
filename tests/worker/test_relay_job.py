"""The job that forms batches: what it asks of the node."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.chain.block import AccountState, Block, Fees
from gateway.chain.node import At, HttpNode
from gateway.payments.model.payment import State
from gateway.worker import jobs
from tests.factory import Town

pytestmark = pytest.mark.anyio

QUESTIONS = {"the chain", "fees", "relayers", "roles"}


class Patient(HttpNode):
    """A node that answers none of the questions before a batch until it was asked all of them."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked, self.all_asked = set[str](), asyncio.Event()

    async def _wait(self, question: str) -> None:
        self.asked.add(question)
        if self.asked == QUESTIONS:
            self.all_asked.set()
        await self.all_asked.wait()

    async def block(self, at: At) -> Block | None:
        await self._wait("the chain")
        return await super().block(at)

    async def fees(self) -> Fees:
        await self._wait("fees")
        return await super().fees()

    async def account_states(self, addresses: Sequence[str]) -> list[AccountState]:
        await self._wait("relayers")
        return await super().account_states(addresses)

    async def calls(self, calls: Sequence[tuple[str | None, bytes]], at: At) -> list[bytes]:
        await self._wait("roles")
        return await super().calls(calls, at)


async def test_before_a_batch_the_node_is_asked_everything_at_once(town: Town) -> None:
    alice, _ = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "1 USDX")
    node = Patient(town.chain.url)
    try:
        async with asyncio.timeout(10):
            assert await jobs.relay.run(town.worker(node))
    finally:
        await node.close()

    assert (await town.payment(payment)).state is State.SUBMITTED
