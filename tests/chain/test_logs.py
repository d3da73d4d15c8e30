"""Logs are read whole, or not at all, from nodes as hosted ones are: with limits, and behind a load balancer."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, web

from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import HttpNode
from gateway.chain.watcher import cursors, watch
from tests.anvils import Chain
from tests.chain.conftest import FINALITY, Setup
from tests.chain.test_watch import cursor_of

pytestmark = pytest.mark.anyio

#: What the front does with one request for logs: None passes it on; a number is a HTTP status, a dict an error, a list
#: the answer.
Answer = None | int | dict[str, Any] | list[Any]


ANYBODY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


@dataclass
class Front:
    """What stands in front of a node, and answers requests for logs in its own way."""

    url: str = ""
    answer: Callable[[dict[str, Any]], Answer] = lambda _: None
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ranges(self) -> list[tuple[int, int]]:
        return [(int(one["fromBlock"], 16), int(one["toBlock"], 16)) for one in self.asked if "fromBlock" in one]


@asynccontextmanager
async def in_front_of(chain: Chain) -> AsyncIterator[tuple[Front, HttpNode]]:
    front = Front()

    async def one(http: ClientSession, request: dict[str, Any]) -> dict[str, Any]:
        if request["method"] == "eth_getLogs":
            front.asked.append(request["params"][0])
            own = front.answer(request["params"][0])
            if isinstance(own, int):
                raise _Refused(own)
            if own is not None:
                said = {"error": own} if isinstance(own, dict) else {"result": own}
                return {"jsonrpc": "2.0", "id": request["id"], **said}
        async with http.post(chain.url, json=request) as response:
            found: dict[str, Any] = await response.json()
            return found

    async def serve(request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        try:
            async with ClientSession() as http:
                answers = [await one(http, each) for each in (asked if isinstance(asked, list) else [asked])]
        except _Refused as refused:
            return web.Response(status=refused.status)
        return web.json_response(answers if isinstance(asked, list) else answers[0])

    application = web.Application()
    application.router.add_post("/", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    node = HttpNode(front.url)
    try:
        yield front, node
    finally:
        await node.close()
        await runner.cleanup()


async def paid(setup: Setup, blocks: int, units: int = 3) -> None:
    """So many payments of one unit each, spread over so many blocks."""
    alice, bob = await setup.rich(100), setup.purse()
    for _ in range(units):
        await setup.enqueue(setup.order("transfer", alice, bob.address, 1))
        await setup.form()
        await setup.send()
        setup.chain.mine(blocks // units)
    setup.chain.mine(FINALITY)


async def values(node: HttpNode, setup: Setup, start: cursors.Cursor) -> list[int]:
    block_range = await watch.read(node, [setup.contract], start, FINALITY, {})
    assert block_range is not None
    return [moved.value for moved in block_range.movements]


# ---- a node that is behind ------------------------------------------------------------------------------------------


async def test_near_the_tip_logs_are_asked_for_by_hash_alone(setup: Setup) -> None:
    start = await cursor_of(setup)
    await paid(setup, 6)

    async with in_front_of(setup.chain) as (front, node):
        assert await values(node, setup, start) == [100, 1, 1, 1]

    assert front.ranges == []
    assert all("blockHash" in one for one in front.asked)


@pytest.mark.parametrize("behind", ["all", "half"])
async def test_logs_that_a_range_leaves_out_are_asked_for_by_hash(setup: Setup, behind: str) -> None:
    start = await cursor_of(setup)
    await paid(setup, 60)
    everything = setup.chain.rpc("eth_getLogs", {"fromBlock": hex(start.number + 1), "toBlock": "latest"})
    known = everything[: len(everything) // 2] if behind == "half" else []
    final = setup.chain.head() - FINALITY

    async with in_front_of(setup.chain) as (front, node):
        front.answer = lambda asked: known if "fromBlock" in asked else None
        assert await values(node, setup, start) == [100, 1, 1, 1]

    assert front.ranges == [(start.number + 1, final)]
    assert 1 <= len(front.asked) - 1 <= 5  # the blocks that have logs, and no others but by an accident of the bloom


async def test_a_whole_range_is_one_request(setup: Setup) -> None:
    start = await cursor_of(setup)
    await paid(setup, 60)

    async with in_front_of(setup.chain) as (front, node):
        assert await values(node, setup, start) == [100, 1, 1, 1]

    assert len(front.ranges) == len(front.asked) == 1


async def test_a_node_that_does_not_know_a_block_has_no_answer(setup: Setup) -> None:
    start = await cursor_of(setup)
    await paid(setup, 6)

    async with in_front_of(setup.chain) as (front, node):
        front.answer = lambda _: {"code": -32000, "message": "unknown block"}
        with pytest.raises(NodeUnavailable, match="unknown block"):
            await values(node, setup, start)
        front.answer = lambda _: None
        assert await values(node, setup, start) == [100, 1, 1, 1]


async def test_the_bloom_of_a_block_never_denies_a_log(setup: Setup) -> None:
    await paid(setup, 6)

    logs = await setup.node.logs([setup.contract.address], 0, setup.chain.head())
    headers = await setup.node.blocks(0, setup.chain.head())

    with_logs = {log.block_number for log in logs}
    assert with_logs
    assert with_logs <= {one.number for one in headers if one.may_have_logs_of(setup.contract.address)}
    assert not headers[0].may_have_logs_of(setup.contract.address)


# ---- ranges that are refused ----------------------------------------------------------------------------------------


def limited(blocks: int, refusal: int | dict[str, Any]) -> Callable[[dict[str, Any]], Answer]:
    """Refuses ranges of more than so many blocks."""
    return lambda asked: refusal if int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) >= blocks else []


@pytest.mark.parametrize(
    "refusal",
    [
        400,
        413,
        {"code": -32602, "message": "block range too large"},
        {"code": -32005, "message": "query returned more than 10000 results. Try with this block range [0x1, 0x2]."},
        {"code": -32000, "message": "we cannot generate that"},
    ],
)
async def test_a_range_that_is_refused_is_asked_for_in_smaller_ones(
    chain: Chain, refusal: int | dict[str, Any]
) -> None:
    async with in_front_of(chain) as (front, node):
        front.answer = limited(2, refusal)
        assert await node.logs([ANYBODY], 1, 7) == []

    assert front.ranges == [(1, 7), (1, 7), (1, 4), (1, 2), (3, 4), (5, 6), (7, 7)]


async def test_a_limit_of_one_block_costs_a_request_a_block_and_one_for_each_halving_once(chain: Chain) -> None:
    async with in_front_of(chain) as (front, node):
        front.answer = limited(1, {"code": -32602, "message": "range"})
        assert await node.logs([ANYBODY], 1, 500) == []
        assert len(front.asked) == 500 + 10  # the first is asked twice

        front.asked.clear()
        assert await node.logs([ANYBODY], 1, 50) == []
        assert len(front.asked) == 50


async def test_what_one_block_is_refused_too_is_not_asked_for_in_ever_smaller_ranges(chain: Chain) -> None:
    async with in_front_of(chain) as (front, node):
        front.answer = lambda _: {"code": -32602, "message": "range"}
        for requests in (11, 12):
            with pytest.raises(NodeUnavailable, match="range"):
                await node.logs([ANYBODY], 1, 500)
            assert len(front.asked) == requests


@pytest.mark.parametrize(
    "refusal",
    [
        429,
        503,
        {"code": -32005, "message": "limit exceeded"},
        {"code": 429, "message": "exceeded its compute units, see the range of plans"},
        {"code": -32000, "message": "Too Many Requests"},
        {"code": -32005, "message": "daily request count exceeded, request rate limited"},
    ],
)
async def test_a_node_that_says_to_come_back_later_is_asked_once(chain: Chain, refusal: int | dict[str, Any]) -> None:
    async with in_front_of(chain) as (front, node):
        front.answer = lambda _: refusal
        with pytest.raises(NodeUnavailable):
            await node.logs([ANYBODY], 1, 500)

    assert front.ranges == [(1, 500)]
