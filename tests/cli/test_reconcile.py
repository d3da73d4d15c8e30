"""reconcile, on a node that says nothing."""

import asyncio

import pytest

from gateway.bank import full_reconciliation
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import HttpNode
from tests.factory import Town

pytestmark = pytest.mark.anyio


async def test_a_silent_node_is_given_up_once_its_time_is_over(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_reconciliation, "_AGAIN_SECONDS", 0.2)
    heard: list[asyncio.StreamWriter] = []

    async def hear(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(writer)

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    node = HttpNode(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_seconds=0.3)
    with pytest.raises(NodeUnavailable, match="it took too long"):
        await full_reconciliation.against_chain(town.database, node, town.settings)
    await node.close()
    for writer in heard:
        writer.close()
    server.close()

    assert len(heard) == 1
