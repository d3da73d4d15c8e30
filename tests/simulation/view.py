"""The node as the workers see it: now and then it is away, or comes back behind, and what it is handed is looked at."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.chain.block import AccountState, Block, Call, Fees, Log, Receipt
from gateway.chain.errors import NodeBehind, NodeUnavailable
from gateway.chain.node import At, HttpNode


@dataclass
class View:
    """A node over the real one. `away` it answers nothing; `behind` by so many blocks it knows nothing of the newest.

    `handed` is told of every transaction that it is sent. `swallow` takes the next one and forgets it.
    """

    node: HttpNode
    handed: Callable[[bytes], Awaitable[None]]
    away: bool = False
    behind: int = 0
    swallow: bool = False

    async def _head(self) -> int:
        if self.away:
            raise NodeUnavailable("it is away")
        head = await self.node.block("latest")
        assert head is not None
        return max(0, head.number - self.behind)

    async def chain_id(self) -> int:
        await self._head()
        return await self.node.chain_id()

    async def block(self, at: At) -> Block | None:
        head = await self._head()
        number = at if isinstance(at, int) else head
        return None if number > head else await self.node.block(number)

    async def blocks(self, first: int, last: int) -> list[Block]:
        return await self.node.blocks(first, min(last, await self._head()))

    async def logs(self, addresses: Sequence[str], first: int, last: int) -> list[Log]:
        last = min(last, await self._head())
        return await self.node.logs(addresses, first, last) if first <= last else []

    async def logs_of(self, addresses: Sequence[str], hashes: Sequence[bytes]) -> list[Log]:
        await self._head()
        return await self.node.logs_of(addresses, hashes)

    async def all_logs_of(self, hash_: bytes) -> list[Log]:
        await self._head()
        return await self.node.all_logs_of(hash_)

    async def transfer_logs(self, contract: str, party: str, first: int, last: int) -> list[Log]:
        last = min(last, await self._head())
        return await self.node.transfer_logs(contract, party, first, last) if first <= last else []

    async def receipts_in(self, block: bytes) -> dict[bytes, Receipt]:
        await self._head()
        return await self.node.receipts_in(block)

    async def known(self, hashes: Collection[bytes]) -> set[bytes]:
        await self._head()
        return await self.node.known(hashes)

    async def sent(self, hashes: Iterable[bytes]) -> dict[bytes, Call]:
        await self._head()
        return await self.node.sent(hashes)

    async def receipts(self, hashes: Iterable[bytes]) -> dict[bytes, Receipt]:
        head = await self._head()
        found = await self.node.receipts(hashes)
        return {hash_: receipt for hash_, receipt in found.items() if receipt.block_number <= head}

    async def send(self, raw: bytes) -> str | None:
        await self._head()
        await self.handed(raw)
        if self.swallow:
            self.swallow = False
            return None
        return await self.node.send(raw)

    async def transaction_count(self, address: str, at: At) -> int:
        return await self.node.transaction_count(address, await self._known(at))

    async def fees(self) -> Fees:
        await self._head()
        return await self.node.fees()

    async def call(self, to: str, data: bytes, at: At) -> bytes:
        return await self.node.call(to, data, await self._known(at))

    async def calls(self, calls: Sequence[tuple[str | None, bytes]], at: At) -> list[bytes]:
        return await self.node.calls(calls, await self._known(at))

    async def calls_from(self, calls: Sequence[tuple[str, bytes]], number: int) -> tuple[int, list[bytes]]:
        head = await self._head()
        if head < number:
            raise NodeBehind(f"it has no block {number} yet; its newest is {head}")
        return head, await self.node.calls(calls, head)

    async def view(self, to: str, data: bytes, gas: int) -> bytes | None:
        """Of the newest block, also while it is behind: what a contract has signed does not change in a day."""
        await self._head()
        return await self.node.view(to, data, gas)

    async def code(self, address: str) -> bytes:
        await self._head()
        return await self.node.code(address)

    async def balance(self, address: str) -> int:
        await self._head()
        return await self.node.balance(address)

    async def account_states(self, addresses: Sequence[str]) -> list[AccountState]:
        head = await self._head()
        if not self.behind:
            return await self.node.account_states(addresses)
        return [
            AccountState(one, await self.node.transaction_count(one, head), await self.node.balance(one))
            for one in addresses
        ]

    async def close(self) -> None:
        """The real one is closed by whoever opened it."""

    async def _known(self, at: At) -> At:
        """The block that is asked about, as far as this node has it. Raises NodeUnavailable where it has not."""
        head = await self._head()
        if isinstance(at, int) and at > head:
            raise NodeUnavailable("header not found")
        return at if isinstance(at, int) or not self.behind else head

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(
            f"the simulation's node does not know {name} yet: say here what it does while it is behind"
        )
