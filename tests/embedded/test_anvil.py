"""The local chain: what it keeps when it is killed."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.chain.errors import NodeUnavailable
from gateway.embedded import anvil
from gateway.embedded import rpc as rpcs
from gateway.embedded.children import Children
from gateway.embedded.rpc import Rpc
from gateway.embedded.supervise import Steps, embedded
from gateway.errors import Misconfigured

from .conftest import NODE_MODULES, until

#: A contract that at every call stores the block's number and writes a log, behind the code that deploys it.
LOGS = "0x600a600c600039600a6000f3" + "43600055" + "60206000a000"


class Heard(Steps):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@asynccontextmanager
async def chain(home: Path, steps: Steps | None = None):
    async with embedded(home, NODE_MODULES, database=False, block_seconds=0.05, steps=steps) as parts:
        rpc = Rpc(parts.rpc_url)
        try:
            yield parts.anvil, rpc
        finally:
            await rpc.close()


async def sent(rpc: Rpc, **transaction: str) -> dict:
    """The receipt of a transaction, once it is mined."""
    sender = (await rpc("eth_accounts"))[0]
    hash_ = await rpc("eth_sendTransaction", {"from": sender, "gas": "0x100000", **transaction})
    return await until(lambda: rpc("eth_getTransactionReceipt", hash_))


async def finality_of(rpc: Rpc, number: int) -> bool:
    return int((await rpc("eth_getBlockByNumber", "finalized", False))["number"], 16) >= number


async def back(rpc: Rpc, pid: int, of) -> None:
    async def another() -> bool:
        return of.pid not in (None, pid) and bool(await rpc("eth_chainId"))

    await until(another)


async def seen(rpc: Rpc, receipts: list[dict]) -> list[object]:
    """Everything there is to ask about some transactions, their blocks and their effects."""
    answers: list[object] = []
    for receipt in receipts:
        answers.append(await rpc("eth_getBlockByHash", receipt["blockHash"], False))
        answers.append(await rpc("eth_getBlockByNumber", receipt["blockNumber"], True))
        answers.append(await rpc("eth_getTransactionReceipt", receipt["transactionHash"]))
        answers.append(await rpc("eth_getLogs", {"blockHash": receipt["blockHash"]}))
    contract = receipts[0]["contractAddress"]
    answers.append(await rpc("eth_getCode", contract, "latest"))
    answers.append(await rpc("eth_getStorageAt", contract, "0x0", "latest"))
    for account in (receipts[0]["from"], "0x00000000000000000000000000000000000000aa"):
        answers.append(await rpc("eth_getTransactionCount", account, "latest"))
        answers.append(await rpc("eth_getBalance", account, "latest"))
    return answers


async def some_history(rpc: Rpc) -> list[dict]:
    receipts = [await sent(rpc, data=LOGS)]
    for n in range(4):
        receipts.append(await sent(rpc, to=receipts[0]["contractAddress"]))
        receipts.append(await sent(rpc, to="0x00000000000000000000000000000000000000aa", value=hex(n + 1)))
    assert len(receipts[1]["logs"]) == 1
    return receipts


def test_a_killed_anvil_keeps_its_final_blocks(home):
    async def killed() -> None:
        async with chain(home) as (node, rpc):
            receipts = await some_history(rpc)
            await until(lambda: finality_of(rpc, int(receipts[-1]["blockNumber"], 16)))
            before = await seen(rpc, receipts)

            for _ in range(2):
                pid = node.pid
                os.kill(pid, signal.SIGKILL)
                await back(rpc, pid, node)
                assert await seen(rpc, receipts) == before

            later = await sent(rpc, to=receipts[0]["contractAddress"])
            assert int(later["blockNumber"], 16) > int(receipts[-1]["blockNumber"], 16)
            await until(lambda: finality_of(rpc, int(later["blockNumber"], 16)))

    asyncio.run(killed())


def test_a_block_that_was_ever_seen_final_is_there_after_any_kill(home):
    """Killed under load, again and again, at whatever moment the load has reached."""

    async def killed() -> None:
        async with chain(home) as (node, rpc):
            sender = (await rpc("eth_accounts"))[1]
            for _ in range(4):
                final: dict[str, object] = {}

                async def four_more(final: dict[str, object] = final) -> bool:
                    await rpc("eth_sendTransaction", {"from": sender, "to": sender, "value": "0x1"})
                    block = await rpc("eth_getBlockByNumber", "finalized", False)
                    final[block["number"]] = block
                    return len(final) >= 4

                await until(four_more)
                pid = node.pid
                os.kill(pid, signal.SIGKILL)
                await back(rpc, pid, node)
                for number, block in final.items():
                    assert await rpc("eth_getBlockByNumber", number, False) == block

    asyncio.run(killed())


def test_a_killed_run_keeps_the_chain_and_its_address(run, home):
    first = run(home, database=False)
    url = first.wait_for("ready").split()[2]

    async def history() -> list[object]:
        rpc = Rpc(url)
        receipts.extend(await some_history(rpc))
        await until(lambda: finality_of(rpc, int(receipts[-1]["blockNumber"], 16)))
        return await seen(rpc, receipts)

    receipts: list[dict] = []
    before = asyncio.run(history())
    first.kill()

    second = run(home, database=False)
    assert second.wait_for("ready").split()[2] == url
    assert asyncio.run(seen(Rpc(url), receipts)) == before
    assert second.end() == 0


def test_a_stopped_chain_comes_back_from_its_snapshot(home):
    async def stopped() -> None:
        async with chain(home) as (_, rpc):
            receipts = await some_history(rpc)
            before = await seen(rpc, receipts)
        async with chain(home) as (_, rpc):
            assert await seen(rpc, receipts) == before

    asyncio.run(stopped())


def test_a_chain_that_holds_many_blocks_starts_again_with_the_newest(home, monkeypatch):
    monkeypatch.setattr(anvil, "_BLOCKS_MAX", 30)
    monkeypatch.setattr(anvil, "_BLOCKS_KEPT", 20)

    async def renewed() -> None:
        async with chain(home) as (node, rpc):
            receipts = [await sent(rpc, data=LOGS), await sent(rpc, data=LOGS)]
            before = await seen(rpc, receipts[1:])
            pid = node.pid
            await rpc("anvil_mine", hex(12))
            await sent(rpc, data="0x")
            before = [await rpc("eth_getTransactionReceipt", receipts[1]["transactionHash"]), before[-4:]]
            await rpc("anvil_mine", hex(6))
            latest = await rpc("eth_getBlockByNumber", "latest", False)
            await rpc("anvil_mine", hex(12))
            await back(rpc, pid, node)

            assert await rpc("eth_getBlockByNumber", latest["number"], False) == latest
            assert await rpc("eth_getBlockByNumber", "0x3", False) is None
            assert await rpc("eth_getBlockByNumber", "0x0", False) is not None
            assert (await sent(rpc, data=LOGS))["status"] == "0x1"

    asyncio.run(renewed())


def test_a_chain_of_many_blocks_is_small_on_disk_and_knows_its_oldest_logs(home):
    async def long_ago() -> None:
        async with chain(home) as (_, rpc):
            receipts = await some_history(rpc)
            for _ in range(3):
                await rpc("anvil_mine", hex(100))
                receipts.append(await sent(rpc, to=receipts[0]["contractAddress"]))
            before = await seen(rpc, receipts)
        async with chain(home) as (_, rpc):
            assert await seen(rpc, receipts) == before
            assert await rpc("eth_getLogs", {"fromBlock": "0x1", "toBlock": "latest"}) == [
                log for receipt in receipts for log in receipt["logs"]
            ]
        blocks, transactions = int(receipts[-1]["blockNumber"], 16), len(receipts)
        on_disk = sum(path.stat().st_size for path in (home / "anvil").rglob("*") if path.is_file())
        assert on_disk < 100_000 + 2 * (2_000 * blocks + 8_000 * transactions)  # the last two snapshots, and no more

    asyncio.run(long_ago())


def test_a_reorganised_chain_comes_back_as_reorganised(home):
    async def reorganised() -> None:
        async with chain(home) as (node, rpc):
            receipts = await some_history(rpc)
            await rpc("anvil_reorg", 2, [])
            head = await rpc("eth_getBlockByNumber", "latest", False)
            last = await sent(rpc, to=receipts[0]["contractAddress"])
            await until(lambda: finality_of(rpc, int(last["blockNumber"], 16)))
            pid = node.pid
            os.kill(pid, signal.SIGKILL)
            await back(rpc, pid, node)

            assert await rpc("eth_getBlockByNumber", head["number"], False) == head
            assert await rpc("eth_getTransactionReceipt", last["transactionHash"]) == last

    asyncio.run(reorganised())


def test_a_change_that_no_transaction_made_is_lost_by_a_kill_and_said_so(home):
    steps = Heard()

    async def changed() -> None:
        async with chain(home, steps) as (node, rpc):
            kept = await sent(rpc, data=LOGS)
            await until(lambda: finality_of(rpc, int(kept["blockNumber"], 16)))
            await rpc("anvil_setBalance", "0x00000000000000000000000000000000000000bb", "0x5")
            lost = await sent(rpc, data=LOGS)
            await until(lambda: finality_of(rpc, int(lost["blockNumber"], 16)))
            pid = node.pid
            os.kill(pid, signal.SIGKILL)
            await back(rpc, pid, node)

            assert await rpc("eth_getTransactionReceipt", kept["transactionHash"]) == kept
            assert any("cannot be made again" in line for line in steps.lines)

    asyncio.run(changed())


def test_a_chain_that_hangs_is_noticed_said_and_started_again(home, monkeypatch):
    assert rpcs._LOOKS * rpcs._LOOK_SECONDS <= 20
    monkeypatch.setattr(rpcs, "_LOOK_SECONDS", 0.25)
    steps = Heard()

    async def hung() -> None:
        async with chain(home, steps) as (node, rpc):
            kept = await sent(rpc, data=LOGS)
            await until(lambda: finality_of(rpc, int(kept["blockNumber"], 16)))
            pid = node.pid
            os.kill(pid, signal.SIGSTOP)
            await back(rpc, pid, node)
            assert await rpc("eth_getTransactionReceipt", kept["transactionHash"]) == kept

    asyncio.run(hung())
    said = "the chain does not answer (it gave no answer for 1 s and did nothing); starting it again"
    assert said in steps.lines


#: A server that works for a second and a half before it answers, or, with an argument, sleeps.
SLOW = """
import json, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Slow(BaseHTTPRequestHandler):
    def do_POST(self):
        while len(sys.argv) > 1 or time.process_time() < 1.5:
            if len(sys.argv) > 1:
                time.sleep(3600)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"result": "done"}')
server = HTTPServer(("127.0.0.1", 0), Slow)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.mark.parametrize("idle", [False, True])
def test_long_work_is_no_hang(home, monkeypatch, idle):
    monkeypatch.setattr(rpcs, "_LOOK_SECONDS", 0.25)

    async def asked() -> object:
        children = await Children.claim(home)
        child = await children.start("slow", [sys.executable, "-c", SLOW, *(["idle"] if idle else [])])
        try:
            port = await until(lambda: asyncio.to_thread(child.last_lines))
            return await Rpc(f"http://127.0.0.1:{int(port)}", child.processor_seconds)("anvil_loadState")
        finally:
            await children.end(child, signal.SIGKILL)
            await children.release()

    if idle:
        with pytest.raises(rpcs.Silent):
            asyncio.run(asked())
    else:
        assert asyncio.run(asked()) == "done"


def test_a_chain_at_rest_does_not_grow(home, monkeypatch):
    looks = []
    look = anvil.Anvil._tick

    async def counted(node: anvil.Anvil) -> bool:
        again = await look(node)
        looks.append(again)
        return again

    async def ten_more(before: int) -> bool:
        return len(looks) >= before + 10

    async def resting() -> None:
        async with chain(home) as (_, rpc):
            last = int((await sent(rpc, data=LOGS))["blockNumber"], 16)
            await until(lambda: finality_of(rpc, last))
            head, before = await rpc("eth_blockNumber"), len(looks)
            await until(lambda: ten_more(before))  # the miner looked for a reason to make a block
            assert await rpc("eth_blockNumber") == head

    monkeypatch.setattr(anvil.Anvil, "_tick", counted)
    asyncio.run(resting())


def test_one_transaction_may_have_as_much_gas_as_on_mainnet_and_no_more(home):
    async def run() -> None:
        async with chain(home) as (_, rpc):
            to = "0x00000000000000000000000000000000000000aa"
            assert (await sent(rpc, to=to, gas=hex(16_777_216)))["status"] == "0x1"
            with pytest.raises(NodeUnavailable, match="tx_gas_limit_cap"):
                await sent(rpc, to=to, gas=hex(16_777_217))

    asyncio.run(run())


def test_without_the_contract_tools_one_sentence_says_what_to_do(home, tmp_path):
    async def missing() -> None:
        with pytest.raises(Misconfigured, match="run scripts/setup, or set GATEWAY_RPC_URL"):
            async with embedded(home, tmp_path, database=False):
                pass

    asyncio.run(missing())
