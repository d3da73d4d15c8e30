"""The local chain: anvil, which mines on demand.

Invariant, whatever is killed: block n is on disk, synced, before block n+1 is mined. So a final block (two below the
head) is never lost, whatever the load, and a slow or full disk slows the chain down instead of letting it run ahead. A
stored block comes back with its hash, transactions, receipts, logs and state.

anvil's own `--state` cannot do this: it rewrites its one file in place (if it is killed while writing, the file is
torn), and a dump of a busy chain takes seconds. So this module mines (`--no-mining` and `evm_mine`) and keeps a
journal: the signed transactions of each block. After a kill, a second anvil replays them over the last snapshot
(replay.py), and each block must come out with the same state, transactions and receipts.

A block is mined every `block_seconds` while there is anything to mine or to make final, otherwise every half minute: an
idle chain costs nothing and does not grow.

Limit: changes that no transaction made (`anvil_setBalance` and similar) cannot be replayed, nor can blocks on top of
them. They are safe from the next snapshot on: within 15 s if there is a pause and the chain is small.
"""

import asyncio
import os
import signal
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.chain.errors import NodeUnavailable
from gateway.embedded.children import Child, Children
from gateway.embedded.journal import Block, Journal, Snapshot, unpacked
from gateway.embedded.ports import can_bind, free_port, listens
from gateway.embedded.replay import replayed, restored
from gateway.embedded.rpc import Rpc, Silent, block_at
from gateway.errors import Misconfigured

CHAIN_ID: Final = 31_337

#: anvil's cost of a block grows with the number of blocks it holds: past the first number, only the second are kept.
_BLOCKS_MAX: Final = 20_000
_BLOCKS_KEPT: Final = 10_000

#: `--slots-in-an-epoch 1` makes blocks final that are two below the head. The gas limit is mainnet's; since EIP-7825
#: (Osaka) one transaction may use 16,777,216 of it. Old states are not kept. Transactions, with logs and receipts, are
#: kept for so many blocks that a worker may be away for half an hour of blocks every half second, or for a day of an
#: idle chain; one that was away for longer gets an error that says what is missing (chain/watcher/watch.py).
_OPTIONS: Final = (
    *("--host", "127.0.0.1", "--chain-id", str(CHAIN_ID), "--no-mining", "--slots-in-an-epoch", "1"),
    *("--gas-limit", "60000000", "--enable-tx-gas-limit", "--prune-history", "64"),
    *("--transaction-block-keeper", "4096", "--no-request-size-limit", "--quiet"),
)
_REST_SECONDS: Final = 30.0  # Between two blocks of an idle chain.
_DEAF_AFTER: Final = 3  # After so many calls in a row without an answer, a running anvil is ended.

#: A snapshot is taken when no transaction is pending, at most this often, and so that it takes at most 2% of the time.
_SNAPSHOT_SECONDS: Final = 15.0
_SNAPSHOT_SHARE: Final = 0.02
#: An idle chain needs no snapshot, except for the limit above: it takes one only if that costs next to nothing.
_SNAPSHOT_CHEAP_SECONDS: Final = 0.1
#: A snapshot is taken even under load when so much is journalled, so that a replay takes at most half a minute.
_SNAPSHOT_BLOCKS: Final = 2_048
_SNAPSHOT_BYTES: Final = 256 * 1024 * 1024


class Anvil:
    """The chain of one home. `start` and `stop` may follow each other any number of times."""

    name = "the chain"

    def __init__(
        self,
        home: Path,
        children: Children,
        node_modules: Path,
        *,
        block_seconds: float = 0.5,
        confirmations: int = 2,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._home = home
        self._folder = home / "anvil"
        self._children = children
        self._node_modules = node_modules
        self._block_seconds = block_seconds
        self._confirmations = confirmations
        self._say = say
        self._port = 0
        self._started_once = False
        self._child: Child | None = None
        self._rpc: Rpc | None = None
        self._miner: asyncio.Task[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child and self._child.running else None

    async def start(self) -> None:
        """Restore the chain, or begin one, and start mining. Raises Misconfigured if that fails."""
        _prepare(self._folder)
        binary = _binary(self._node_modules)
        self._journal = journal = Journal(self._folder)
        kept = await asyncio.to_thread(journal.read)
        if kept is None:
            snapshot = Snapshot(0, int(time.time()), None)
            journal.begin(snapshot.genesis)
        else:
            snapshot, blocks = kept
            if blocks:
                snapshot = await self._rebuild(binary, snapshot, blocks)
            else:
                journal.go_on(snapshot)
        self._genesis = snapshot.genesis
        self._child, self._rpc = await self._serve_somewhere(binary, snapshot)
        self._head = await block_at(self._rpc, "latest")
        await self._rpc("anvil_setTime", max(int(time.time()), self._head.timestamp))
        self._first = self._used = self._snapshot_head = self._head.number
        self._snapshot_at, self._snapshot_seconds = time.monotonic(), 0.0
        self._mined_at = 0.0
        self._enough = asyncio.Event()
        self._miner = asyncio.create_task(self._mine(), name="miner")

    async def died(self) -> str:
        """Wait until the chain has ended, or has stopped answering and was ended. Returns which."""
        assert self._child is not None
        assert self._miner is not None
        ended = asyncio.create_task(self._child.ended())
        try:
            await asyncio.wait({ended, self._miner}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        if self._child.running:
            self._child.process.kill()
        how = await self._child.ended()
        why = await self._mined_enough()
        await self._let_go()
        await self._children.sweep(self._child)
        return why or f"ended ({how})"

    async def stop(self) -> None:
        """Take a last snapshot if that is quick, so that the next start has nothing to replay, and end anvil."""
        if self._child is None:
            return
        await self._mined_enough()
        if self._child.running:
            if self._journal.blocks:
                with suppress(TimeoutError, NodeUnavailable, OSError):
                    await asyncio.wait_for(self._snapshot(), 5.0)
            await self._children.end(self._child, signal.SIGTERM, 2.0)
        await self._let_go()
        self._child = None

    # ---- mining -----------------------------------------------------------------------------------------------------

    async def _mine(self) -> str:
        """Check every `block_seconds`, and mine a block if there is a reason. Returns why anvil should be restarted, as
        `died` does.
        """
        loop = asyncio.get_running_loop()
        due, deaf, said = loop.time(), 0, ""
        while not self._enough.is_set():
            due = max(due + self._block_seconds, loop.time())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), due - loop.time())
                break
            try:
                if await self._tick():
                    return f"holds {_BLOCKS_MAX:,} blocks, and goes on with the newest"
                deaf, said = 0, ""
            except Silent as error:
                return f"does not answer ({error.reason})"
            except NodeUnavailable as error:
                deaf += 1
                if deaf >= _DEAF_AFTER:
                    return f"does not answer ({error.reason})"
            except OSError as error:
                if said != (said := f"the chain waits: {self._folder} cannot be written ({error.strerror})"):
                    self._say(said)
        return ""

    async def _mined_enough(self) -> str:
        """End the miner between two blocks, never within one, unless anvil hangs."""
        if self._miner is None:
            return ""
        self._enough.set()
        await asyncio.wait({self._miner}, timeout=5.0)
        self._miner.cancel()
        try:
            return await self._miner
        except asyncio.CancelledError:
            return ""
        finally:
            self._miner = None

    async def _tick(self) -> bool:
        """Do one check. Returns whether anvil holds so many blocks that it should be restarted."""
        assert self._rpc is not None
        pool = await self._rpc("txpool_status")
        waiting = int(pool["pending"], 16) > 0
        await self._keep(await block_at(self._rpc, "latest"))
        unsettled = self._head.number < self._used + self._confirmations
        if waiting or unsettled or time.monotonic() - self._mined_at >= _REST_SECONDS:
            await self._rpc("evm_mine")
            self._mined_at = time.monotonic()
            await self._keep(await block_at(self._rpc, "latest"))
        if self._journal.blocks and self._wants_snapshot(waiting):
            await self._snapshot()
        if self._head.number - self._first >= _BLOCKS_MAX and not waiting:
            await self._snapshot(kept=_BLOCKS_KEPT)
            return True
        return False

    def _wants_snapshot(self, waiting: bool) -> bool:
        if waiting:
            return self._journal.blocks >= _SNAPSHOT_BLOCKS or self._journal.bytes >= _SNAPSHOT_BYTES
        at_rest = self._used <= self._snapshot_head and self._snapshot_seconds > _SNAPSHOT_CHEAP_SECONDS
        due = self._snapshot_at + max(_SNAPSHOT_SECONDS, self._snapshot_seconds / _SNAPSHOT_SHARE)
        return time.monotonic() >= due and not at_rest

    async def _keep(self, latest: Block) -> None:
        """Journal every block from the known head to `latest`; if they are not its children, take a snapshot."""
        assert self._rpc is not None
        while self._head.hash != latest.hash:
            number = self._head.number + 1
            if number > latest.number:
                return await self._start_from(latest)
            block = latest if number == latest.number else await block_at(self._rpc, hex(number))
            if block.parent != self._head.hash:
                return await self._start_from(latest)
            signed = await self._rpc.batch("eth_getRawTransactionByHash", block.header["transactions"])
            if None in signed:
                return await self._start_from(latest)
            await asyncio.to_thread(self._journal.add, Block(block.header, signed))
            self._head = block
            if signed:
                self._used = number
        return None

    async def _start_from(self, latest: Block) -> None:
        """Start from a head that was changed otherwise than by a transaction (`anvil_reorg`, `anvil_setBalance`)."""
        await self._snapshot()
        self._head, self._used = latest, latest.number

    async def _snapshot(self, kept: int | None = None) -> None:
        """Write everything that anvil knows; only the newest `kept` blocks if that is given."""
        assert self._rpc is not None
        started = time.monotonic()
        packed = bytes.fromhex((await self._rpc("anvil_dumpState"))[2:])
        try:
            state: Iterable[bytes] = unpacked(packed) if kept is None else [restored(packed, [], kept)]
            await asyncio.to_thread(self._journal.snapshot, state, self._genesis)
        except zlib.error as error:
            raise NodeUnavailable(f"its state does not unpack ({error})") from error
        self._snapshot_at = time.monotonic()
        self._snapshot_seconds = self._snapshot_at - started
        self._snapshot_head = self._head.number

    # ---- anvil itself -----------------------------------------------------------------------------------------------

    async def _serve_somewhere(self, binary: Path, snapshot: Snapshot) -> tuple[Child, Rpc]:
        """Start on the port of the last run if it is free; within one run never on another port, because others know
        it.
        """
        note = self._folder / "port"
        self._port = self._port or (int(note.read_text()) if note.exists() else free_port())
        for _ in range(3):
            try:
                child, rpc = await self._serve("anvil", binary, self._port, snapshot)
            except Misconfigured:
                if self._started_once or can_bind(self._port):
                    raise
                self._port = free_port()
            else:
                note.write_text(str(self._port))
                self._started_once = True
                return child, rpc
        raise Misconfigured("no free port on 127.0.0.1 was found for the chain: set GATEWAY_RPC_URL")

    async def _serve(self, name: str, binary: Path, port: int, snapshot: Snapshot, *options: str) -> tuple[Child, Rpc]:
        """Start anvil and wait until it, and no other process, answers on the port."""
        load = ("--load-state", str(snapshot.path)) if snapshot.path else ()
        home = str(self._folder / "home")
        child = await self._children.start(
            name,
            [str(binary), "--port", str(port), "--timestamp", str(snapshot.genesis), *_OPTIONS, *load, *options],
            environ={"PATH": "/usr/bin:/bin", "HOME": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home},
            if_we_die=signal.SIGKILL,
            folder=Path("/"),
        )
        rpc = Rpc(f"http://127.0.0.1:{port}", child.processor_seconds)
        while child.running:
            if await asyncio.to_thread(listens, child.pid, port):
                with suppress(NodeUnavailable):
                    await rpc("eth_chainId")
                    return child, rpc
            await asyncio.sleep(0.005)
        await rpc.close()
        await self._children.sweep(child)
        raise Misconfigured(f"anvil does not start: {child.last_lines(4) or await child.ended()}")

    async def _let_go(self) -> None:
        if self._rpc:
            await self._rpc.close()
        self._journal.close()
        self._rpc = None

    # ---- coming back ------------------------------------------------------------------------------------------------

    async def _rebuild(self, binary: Path, snapshot: Snapshot, blocks: list[Block]) -> Snapshot:
        """Return a snapshot at the last of the blocks: they are replayed, compared, and get their headers back."""
        while True:
            packed, same = await self._replay(binary, snapshot, blocks)
            if same == len(blocks):
                break
            lost = blocks[same:]
            self._say(
                f"the chain goes back to block {lost[0].number - 1}: {len(lost)} blocks hold changes that no "
                "transaction made, and cannot be made again"
            )
            blocks = blocks[:same]
        state = await asyncio.to_thread(restored, packed, blocks, _BLOCKS_MAX)
        return await asyncio.to_thread(self._journal.snapshot, [state], snapshot.genesis)

    async def _replay(self, binary: Path, snapshot: Snapshot, blocks: list[Block]) -> tuple[bytes, int]:
        """Return the state after the blocks, as anvil packs it, and how many of them came out the same."""
        child, rpc = await self._serve("anvil-replay", binary, free_port(), snapshot, "--order", "fifo")
        try:
            head = await block_at(rpc, "latest")
            if blocks and blocks[0].parent != head.hash:
                return b"", 0
            await rpc("anvil_setTime", head.timestamp)
            for same, block in enumerate(blocks):
                if not await replayed(rpc, block):
                    return b"", same
            return bytes.fromhex((await rpc("anvil_dumpState"))[2:]), len(blocks)
        finally:
            await rpc.close()
            await self._children.end(child, signal.SIGKILL)


def _binary(node_modules: Path) -> Path:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    binary = node_modules / "@foundry-rs" / f"anvil-{os.uname().sysname.lower()}-{machine}" / "bin" / "anvil"
    if not binary.exists():
        raise Misconfigured(f"anvil is not installed at {binary}: run scripts/setup, or set GATEWAY_RPC_URL")
    return binary


def _prepare(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "home").mkdir(mode=0o700, exist_ok=True)
