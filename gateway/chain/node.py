"""The calls to an Ethereum node, and their results as types.

A node is trusted about the state of the chain, not about what it will do: its answer to `send` decides nothing. Any
reason for not getting an answer is NodeUnavailable. Requests go through json_rpc.py, which requests less if a node
refuses the size.

Behind one URL there may be many nodes, some blocks apart. One that does not know a block yet may say so, or answer as
if the block were empty; so a query by block hash is sent together with a query for the block.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Literal, Protocol, TypeVar

from gateway.address import checksum
from gateway.chain.block import TRANSFER, AccountState, Block, Call, Fees, Log, Receipt
from gateway.chain.errors import ChainReplaced, NodeBehind, NodeUnavailable
from gateway.chain.json_rpc import JsonRpc, Portion

#: A block's number, or a name that moves with the chain.
At = int | Literal["latest", "finalized"]

#: The most blocks of one request for logs.
_RANGE = 10_000

#: The tip if a node suggests none: 1 gwei.
_TIP_WEI = 10**9

#: The base cost of a call, and the most that each byte of its data costs (EIP-2028, EIP-7623).
_CALL_GAS, _BYTE_GAS = 21_000, 40

#: The errors of nodes that mean that the called contract failed: it reverted, or ran out of gas.
_NO_VIEW = re.compile(r"revert|out ?of ?gas|invalid opcode|invalid jump|stack|EVM error", re.IGNORECASE)


class Node(Protocol):
    """An Ethereum node. Every method raises NodeUnavailable if it gets no answer."""

    async def chain_id(self) -> int: ...

    async def block(self, at: At) -> Block | None:
        """Return the block; None if the node does not have it."""

    async def blocks(self, first: int, last: int) -> list[Block]:
        """Return the blocks from `first` to `last`, inclusive and in order, as far as the node has them."""

    async def logs(self, addresses: Sequence[str], first: int, last: int) -> list[Log]:
        """Return the logs of these contracts in these blocks, as far as the node has them. A node that is behind leaves
        out the newest without saying so.
        """

    async def logs_of(self, addresses: Sequence[str], hashes: Sequence[bytes]) -> list[Log]:
        """Return the logs of these contracts in the blocks with these hashes, the newest last (EIP-234). Raises
        NodeBehind if the node that answers does not know the newest one.
        """

    async def all_logs_of(self, hash_: bytes) -> list[Log]:
        """Return the logs of every contract in the block with this hash."""

    async def transfer_logs(self, contract: str, party: str, first: int, last: int) -> list[Log]:
        """Return this contract's ERC-20 Transfer logs in these blocks that are from or to one address."""

    async def receipts(self, hashes: Iterable[bytes]) -> dict[bytes, Receipt]:
        """Return the receipts of these transactions, by hash; those in no block are left out."""

    async def receipts_in(self, block: bytes) -> dict[bytes, Receipt]:
        """Return the receipts of all transactions of the block with this hash; none if the node does not know it."""

    async def sent(self, hashes: Iterable[bytes]) -> dict[bytes, Call]:
        """Return the calls of these transactions, by hash; those that the node does not know are left out."""

    async def send(self, raw: bytes) -> str | None:
        """Send a signed transaction. Returns the node's error, if any, which decides nothing."""

    async def known(self, hashes: Collection[bytes]) -> set[bytes]:
        """Return those of these transactions that the node has, in a block or in its pool."""

    async def transaction_count(self, address: str, at: At) -> int:
        """Return the next nonce of the address."""

    async def fees(self) -> Fees:
        """Return the fees to offer now: enough for the base fee to double, which takes six full blocks."""

    async def call(self, to: str, data: bytes, at: At) -> bytes: ...

    async def calls(self, calls: Sequence[tuple[str | None, bytes]], at: At) -> list[bytes]:
        """Return the answers to many calls (contract, data) at one block, in order. If the contract is None, the data
        is code that the node runs.
        """

    async def calls_from(self, calls: Sequence[tuple[str, bytes]], number: int) -> tuple[int, list[bytes]]:
        """Return the number of the newest block, and the answers to these calls at it. Raises NodeBehind if it is below
        `number`: the backend that answers may be behind.
        """

    async def view(self, to: str, data: bytes, gas: int) -> bytes | None:
        """Return a contract's answer in the newest block, with this much gas; None if it reverts or runs out of gas."""

    async def deployment_gas(self, sender: str, code: bytes) -> int:
        """Return how much gas it would take `sender` to deploy this code now. Raises NodeRefused if it cannot be
        done.
        """

    async def executes(self, code: bytes) -> bool:
        """Return whether the chain can run this code, that is, has all its opcodes."""

    async def code(self, address: str) -> bytes: ...

    async def balance(self, address: str) -> int:
        """Return the address's balance of the native coin, in wei."""

    async def account_states(self, addresses: Sequence[str]) -> list[AccountState]:
        """Return nonce and balance of each address in the newest block, in order. Raises ChainReplaced if the node's
        chain id has changed since the first call.
        """

    async def close(self) -> None: ...


class HttpNode:
    """A node over HTTP. Between calls it keeps only the chain id. `now` is in seconds."""

    def __init__(self, url: str, timeout_seconds: float = 10.0, now: Callable[[], float] = time.monotonic) -> None:
        self._rpc = JsonRpc(url, timeout_seconds, now)
        self._range = Portion(_RANGE, now)
        self._chain_id: int | None = None

    def __repr__(self) -> str:
        return "HttpNode()"

    async def chain_id(self) -> int:
        return self._same_chain(_read(_int, await self._rpc.ask("eth_chainId")))

    def _same_chain(self, told: int) -> int:
        if self._chain_id is None:
            self._chain_id = told
        if self._chain_id != told:
            raise ChainReplaced(f"the node was of chain {self._chain_id} and is of chain {told} now")
        return told

    async def block(self, at: At) -> Block | None:
        response = await self._rpc.respond("eth_getBlockByNumber", _tag(at), False)
        if at == "finalized" and "error" in response:
            return None  # geth answers so if nothing is finalized yet
        found = self._rpc.result(response)
        return None if found is None else _read(_block, found)

    async def blocks(self, first: int, last: int) -> list[Block]:
        asked = [("eth_getBlockByNumber", [_tag(number), False]) for number in range(first, last + 1)]
        return [_read(_block, found) for found in await self._rpc.ask_all(asked) if found is not None]

    async def logs(self, addresses: Sequence[str], first: int, last: int) -> list[Log]:
        return await self._logs({"address": list(addresses)}, first, last)

    async def _logs(self, wanted: dict[str, Any], first: int, last: int) -> list[Log]:
        """Read by range, in as many requests as needed: nodes refuse ranges with too many blocks or too many logs."""

        async def part(start: int, size: int) -> list[Log]:
            block_range = {"fromBlock": hex(first + start), "toBlock": hex(first + start + size - 1)}
            return _read(_logs, await self._rpc.ask("eth_getLogs", wanted | block_range))

        return await self._range.each(last - first + 1, part)

    async def logs_of(self, addresses: Sequence[str], hashes: Sequence[bytes]) -> list[Log]:
        if not hashes:
            return []
        asked = [("eth_getLogs", [{"address": list(addresses), "blockHash": _hex(hash_)}]) for hash_ in hashes]
        *found, newest = await self._rpc.ask_all([*asked, ("eth_getBlockByHash", [_hex(hashes[-1]), False])])
        if newest is None:
            raise NodeBehind(f"it does not know block {_hex(hashes[-1])} yet, whose logs it was asked for")
        return [log for logs in found for log in _read(_logs, logs)]

    async def all_logs_of(self, hash_: bytes) -> list[Log]:
        return _read(_logs, await self._rpc.ask("eth_getLogs", {"blockHash": _hex(hash_)}))

    async def transfer_logs(self, contract: str, party: str, first: int, last: int) -> list[Log]:
        word = "0x" + party[2:].lower().rjust(64, "0")
        sent, received = [_hex(TRANSFER), word], [_hex(TRANSFER), None, word]
        found = [await self._logs({"address": contract, "topics": topics}, first, last) for topics in (sent, received)]
        return [log for logs in found for log in logs]

    async def receipts(self, hashes: Iterable[bytes]) -> dict[bytes, Receipt]:
        found = await self._rpc.ask_all([("eth_getTransactionReceipt", [_hex(hash_)]) for hash_ in hashes])
        receipts = [_read(_receipt, receipt) for receipt in found if receipt is not None]
        return {receipt.hash: receipt for receipt in receipts}

    async def receipts_in(self, block: bytes) -> dict[bytes, Receipt]:
        found = await self._rpc.ask("eth_getBlockReceipts", _hex(block))
        receipts = [_read(_receipt, receipt) for receipt in found or []]
        return {receipt.hash: receipt for receipt in receipts}

    async def sent(self, hashes: Iterable[bytes]) -> dict[bytes, Call]:
        found = await self._rpc.ask_all([("eth_getTransactionByHash", [_hex(hash_)]) for hash_ in hashes])
        return dict(_read(_call, one) for one in found if one is not None)

    async def send(self, raw: bytes) -> str | None:
        response = await self._rpc.respond("eth_sendRawTransaction", _hex(raw))
        return self._rpc.complaint(response["error"]) if "error" in response else None

    async def known(self, hashes: Collection[bytes]) -> set[bytes]:
        wanted = list(hashes)
        found = await self._rpc.ask_all([("eth_getTransactionByHash", [_hex(hash_)]) for hash_ in wanted])
        return {hash_ for hash_, transaction in zip(wanted, found, strict=True) if transaction is not None}

    async def transaction_count(self, address: str, at: At) -> int:
        return _read(_int, await self._rpc.ask("eth_getTransactionCount", address, _tag(at)))

    async def fees(self) -> Fees:
        latest, suggested = await asyncio.gather(
            self._rpc.ask("eth_getBlockByNumber", "latest", False), self._rpc.respond("eth_maxPriorityFeePerGas")
        )
        base = _read(lambda block: _int(block.get("baseFeePerGas", "0x0")), latest)
        tip = _read(_int, suggested["result"]) if "result" in suggested else _TIP_WEI
        return Fees(2 * base + tip, tip)

    async def call(self, to: str, data: bytes, at: At) -> bytes:
        return _read(_bytes, await self._rpc.ask("eth_call", {"to": to, "data": _hex(data)}, _tag(at)))

    async def calls(self, calls: Sequence[tuple[str | None, bytes]], at: At) -> list[bytes]:
        asked = [("eth_call", [{"data": _hex(data)} | ({"to": to} if to else {}), _tag(at)]) for to, data in calls]
        return [_read(_bytes, answer) for answer in await self._rpc.ask_all(asked)]

    async def calls_from(self, calls: Sequence[tuple[str, bytes]], number: int) -> tuple[int, list[bytes]]:
        asked = [("eth_call", [{"to": to, "data": _hex(data)}, "latest"]) for to, data in calls]
        first, *answers, last = await self._rpc.ask_all([("eth_blockNumber", []), *asked, ("eth_blockNumber", [])])
        head = min(_read(_int, first), _read(_int, last))
        if head < number:
            raise NodeBehind(f"it has no block {number} yet; its newest is {head}")
        return head, [_read(_bytes, answer) for answer in answers]

    async def view(self, to: str, data: bytes, gas: int) -> bytes | None:
        called = {"to": to, "data": _hex(data), "gas": hex(gas + _CALL_GAS + _BYTE_GAS * len(data))}
        response = await self._rpc.respond("eth_call", called, "latest")
        if "error" in response and _NO_VIEW.search(self._rpc.complaint(response["error"])):
            return None
        return _read(_bytes, self._rpc.result(response))

    async def deployment_gas(self, sender: str, code: bytes) -> int:
        return _read(_int, await self._rpc.ask("eth_estimateGas", {"from": sender, "data": _hex(code)}))

    async def executes(self, code: bytes) -> bool:
        return "result" in await self._rpc.respond("eth_call", {"data": _hex(code)}, "latest")

    async def code(self, address: str) -> bytes:
        return _read(_bytes, await self._rpc.ask("eth_getCode", address, "latest"))

    async def balance(self, address: str) -> int:
        return _read(_int, await self._rpc.ask("eth_getBalance", address, "latest"))

    async def account_states(self, addresses: Sequence[str]) -> list[AccountState]:
        methods = ("eth_getTransactionCount", "eth_getBalance")
        asked = [(method, [one, "latest"]) for one in addresses for method in methods]
        chain_id, *found = await self._rpc.ask_all([("eth_chainId", []), *asked])
        self._same_chain(_read(_int, chain_id))
        numbers = [_read(_int, number) for number in found]
        return [
            AccountState(address, mined, balance)
            for address, mined, balance in zip(addresses, numbers[::2], numbers[1::2], strict=True)
        ]

    async def client_version(self) -> str:
        """Return the node's name and version (web3_clientVersion)."""
        return _read(str, await self._rpc.ask("web3_clientVersion"))[:100]

    async def close(self) -> None:
        await self._rpc.close()


# ---- from and to JSON -----------------------------------------------------------------------------------------------

T = TypeVar("T")


def _read(convert: Callable[[Any], T], found: Any) -> T:
    try:
        return convert(found)
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError):
        raise NodeUnavailable("it answered with something that cannot be read") from None


def _int(text: str) -> int:
    return int(text, 16)


def _tag(at: At) -> str:
    return hex(at) if isinstance(at, int) else at


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


#: The root of an empty transaction trie (Yellow Paper, appendix D).
_NO_TRANSACTIONS = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"


def _block(found: dict[str, Any]) -> Block:
    return Block(
        number=_int(found["number"]),
        hash=_bytes(found["hash"]),
        parent_hash=_bytes(found["parentHash"]),
        timestamp=_int(found["timestamp"]),
        bloom=_int(found["logsBloom"]),
        forgotten=not found["transactions"] and found["transactionsRoot"] != _NO_TRANSACTIONS,
        transactions=frozenset(map(_bytes, found["transactions"])),
    )


def _logs(found: list[dict[str, Any]]) -> list[Log]:
    return [_log(log) for log in found]


def _log(found: dict[str, Any]) -> Log:
    return Log(
        address=checksum(_bytes(found["address"])),
        topics=tuple(_bytes(topic) for topic in found["topics"]),
        data=_bytes(found["data"]),
        block_number=_int(found["blockNumber"]),
        block_hash=_bytes(found["blockHash"]),
        transaction_hash=_bytes(found["transactionHash"]),
        log_index=_int(found["logIndex"]),
    )


def _call(found: dict[str, Any]) -> tuple[bytes, Call]:
    to = found.get("to")
    return _bytes(found["hash"]), Call(checksum(_bytes(to)) if to else None, _bytes(found["input"]))


def _receipt(found: dict[str, Any]) -> Receipt:
    created = found.get("contractAddress")
    return Receipt(
        hash=_bytes(found["transactionHash"]),
        succeeded=_int(found["status"]) == 1,
        block_number=_int(found["blockNumber"]),
        block_hash=_bytes(found["blockHash"]),
        gas_used=_int(found["gasUsed"]),
        gas_price_wei=_int(found["effectiveGasPrice"]),
        contract_address=checksum(_bytes(created)) if created else None,
        logs=Counter(log["address"].lower() for log in found["logs"]),
    )
