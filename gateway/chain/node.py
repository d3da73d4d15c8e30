"""JSON-RPC to an Ethereum node. The only file with web3.

A node is believed about what it says of the chain, not about what it will do: the answer to `send` decides nothing.
Whatever keeps it from answering is NodeUnavailable, in words that never contain the URL, whose path or query may be a
secret.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from aiohttp import ClientConnectorError, ClientError, ClientResponseError, ClientSession, ClientTimeout, TCPConnector
from web3 import AsyncHTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint, RPCResponse

from gateway.chain.address import checksum
from gateway.chain.block import Block, Fees, Log, Receipt, Standing
from gateway.errors import NodeUnavailable

#: Where to look: a block's number, or a name the node keeps moving.
At = int | Literal["latest", "finalized"]

#: Requests in one JSON-RPC batch; some hosted nodes refuse larger ones.
_BATCH = 100

#: The tip where a node suggests none: 1 gwei.
_TIP_WEI = 10**9

#: What a call costs before it begins, and the most that each byte of its data does (EIP-2028, EIP-7623).
_CALL_GAS, _BYTE_GAS = 21_000, 40

#: How nodes say that the contract that was called is what failed, and not they: it reverted, or had too little gas.
_NO_VIEW = re.compile(r"revert|out ?of ?gas|invalid opcode|invalid jump|stack|EVM error", re.IGNORECASE)


class Node(Protocol):
    """An Ethereum node. Every verb raises NodeUnavailable when it gets no answer."""

    async def chain_id(self) -> int: ...

    async def block(self, at: At) -> Block | None:
        """The block there; None when the node has none."""

    async def blocks(self, first: int, last: int) -> list[Block]:
        """The blocks from `first` to `last`, both included, as far as the node has them, in order."""

    async def logs(self, addresses: Sequence[str], first: int, last: int) -> list[Log]:
        """The logs of these contracts in these blocks, as far as the node has them: one that is behind leaves out the
        newest, and says nothing of it.
        """

    async def logs_of(self, addresses: Sequence[str], hashes: Sequence[bytes]) -> list[Log]:
        """The logs of these contracts in the blocks with these hashes: all of them, or NodeUnavailable where the node
        does not know a block (EIP-234).
        """

    async def receipts(self, hashes: Iterable[bytes]) -> dict[bytes, Receipt]:
        """The receipts of these transactions, by hash; one that is in no block is absent."""

    async def send(self, raw: bytes) -> str | None:
        """Hand over a signed transaction. Returns the node's complaint, which decides nothing."""

    async def transaction_count(self, address: str, at: At) -> int:
        """The next nonce of the address."""

    async def fees(self) -> Fees:
        """What to offer now: room for the base fee to double, which takes six full blocks."""

    async def call(self, to: str, data: bytes, at: At) -> bytes: ...

    async def calls(self, calls: Sequence[tuple[str, bytes]], at: At) -> list[bytes]:
        """The answers to many calls (contract, data) at one block, in order."""

    async def view(self, to: str, data: bytes, gas: int) -> bytes | None:
        """What a contract of anybody's answers in the newest block, with so much gas; None where it does not answer:
        it reverts, or burns all of it.
        """

    async def code(self, address: str) -> bytes: ...

    async def balance(self, address: str) -> int:
        """The native coin the address has, in wei."""

    async def standings(self, addresses: Sequence[str]) -> list[Standing]:
        """How these addresses stand in the newest block, in order."""

    async def close(self) -> None: ...


class HttpNode:
    """A node over HTTP. It keeps nothing between calls and never repeats one: that is the worker's to do."""

    def __init__(self, url: str, timeout_seconds: float = 10.0) -> None:
        self._url = url
        self._provider = _Provider(url, timeout_seconds)

    def __repr__(self) -> str:
        return "HttpNode()"

    async def chain_id(self) -> int:
        return _read(_int, await self._ask("eth_chainId"))

    async def block(self, at: At) -> Block | None:
        response = await self._post("eth_getBlockByNumber", [_tag(at), False])
        if at == "finalized" and "error" in response:
            return None  # geth's way to say that nothing is finalized yet
        found = self._result(response)
        return None if found is None else _read(_block, found)

    async def blocks(self, first: int, last: int) -> list[Block]:
        asked = [("eth_getBlockByNumber", [_tag(number), False]) for number in range(first, last + 1)]
        return [_read(_block, found) for found in await self._ask_all(asked) if found is not None]

    async def logs(self, addresses: Sequence[str], first: int, last: int) -> list[Log]:
        # Hosted nodes refuse ranges with too many blocks or logs: then half of it is asked for, and so on with what
        # is left. That is at most a request per block, and one more for each time it was halved.
        found: list[Log] = []
        step = last - first + 1
        while first <= last:
            until = min(first + step - 1, last)
            span = {"address": list(addresses), "fromBlock": hex(first), "toBlock": hex(until)}
            response = await self._post_sized("eth_getLogs", [span])
            if "error" in response and first < until and _is_too_large(response["error"]):
                step = (until - first + 2) // 2
                continue
            found += _read(_logs, self._result(response))
            first = until + 1
        return found

    async def logs_of(self, addresses: Sequence[str], hashes: Sequence[bytes]) -> list[Log]:
        asked = [("eth_getLogs", [{"address": list(addresses), "blockHash": _hex(hash_)}]) for hash_ in hashes]
        return [log for logs in await self._ask_all(asked) for log in _read(_logs, logs)]

    async def receipts(self, hashes: Iterable[bytes]) -> dict[bytes, Receipt]:
        found = await self._ask_all([("eth_getTransactionReceipt", [_hex(hash_)]) for hash_ in hashes])
        receipts = [_read(_receipt, receipt) for receipt in found if receipt is not None]
        return {receipt.hash: receipt for receipt in receipts}

    async def send(self, raw: bytes) -> str | None:
        response = await self._post("eth_sendRawTransaction", [_hex(raw)])
        return self._complaint(response) if "error" in response else None

    async def transaction_count(self, address: str, at: At) -> int:
        return _read(_int, await self._ask("eth_getTransactionCount", address, _tag(at)))

    async def fees(self) -> Fees:
        latest = await self._ask("eth_getBlockByNumber", "latest", False)
        suggested = await self._post("eth_maxPriorityFeePerGas", [])
        base = _read(lambda block: _int(block.get("baseFeePerGas", "0x0")), latest)
        tip = _read(_int, suggested["result"]) if "result" in suggested else _TIP_WEI
        return Fees(2 * base + tip, tip)

    async def call(self, to: str, data: bytes, at: At) -> bytes:
        return _read(_bytes, await self._ask("eth_call", {"to": to, "data": _hex(data)}, _tag(at)))

    async def calls(self, calls: Sequence[tuple[str, bytes]], at: At) -> list[bytes]:
        asked = [("eth_call", [{"to": to, "data": _hex(data)}, _tag(at)]) for to, data in calls]
        return [_read(_bytes, answer) for answer in await self._ask_all(asked)]

    async def view(self, to: str, data: bytes, gas: int) -> bytes | None:
        called = {"to": to, "data": _hex(data), "gas": hex(gas + _CALL_GAS + _BYTE_GAS * len(data))}
        response = await self._post("eth_call", [called, "latest"])
        if "error" in response and _NO_VIEW.search(self._complaint(response)):
            return None
        return _read(_bytes, self._result(response))

    async def code(self, address: str) -> bytes:
        return _read(_bytes, await self._ask("eth_getCode", address, "latest"))

    async def balance(self, address: str) -> int:
        return _read(_int, await self._ask("eth_getBalance", address, "latest"))

    async def standings(self, addresses: Sequence[str]) -> list[Standing]:
        methods = ("eth_getTransactionCount", "eth_getBalance")
        found = await self._ask_all([(method, [one, "latest"]) for one in addresses for method in methods])
        numbers = [_read(_int, number) for number in found]
        return [
            Standing(address, mined, balance)
            for address, mined, balance in zip(addresses, numbers[::2], numbers[1::2], strict=True)
        ]

    async def close(self) -> None:
        await self._provider.disconnect()

    # ---- JSON-RPC ---------------------------------------------------------------------------------------------------

    async def _ask(self, method: str, *params: Any) -> Any:
        return self._result(await self._post(method, list(params)))

    async def _ask_all(self, asked: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """The results of many requests, in order; a batch is as good as its worst answer."""
        results: list[Any] = []
        for start in range(0, len(asked), _BATCH):
            results += await self._post_batch(asked[start : start + _BATCH])
        return results

    async def _post(self, method: str, params: list[Any]) -> dict[str, Any]:
        try:
            response: Any = await self._provider.make_request(RPCEndpoint(method), params)
        except _NO_ANSWER as error:
            raise NodeUnavailable(_why(error)) from None  # the cause may show the URL
        return _json_rpc(response)

    async def _post_sized(self, method: str, params: list[Any]) -> dict[str, Any]:
        """As `_post`, where an HTTP status that says that too much was asked for is an error of JSON-RPC's."""
        try:
            return await self._post(method, params)
        except NodeUnavailable as away:
            if away.reason not in _TOO_LARGE_STATUS:
                raise
            return {"error": {"message": away.reason}}

    async def _post_batch(self, asked: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        try:
            responses: Any = await self._provider.make_batch_request(
                [(RPCEndpoint(method), params) for method, params in asked]
            )
        except _NO_ANSWER as error:
            raise NodeUnavailable(_why(error)) from None  # the cause may show the URL
        if not isinstance(responses, list):
            raise NodeUnavailable(self._complaint({"error": None} | _json_rpc(responses)))
        results = [self._result(_json_rpc(response)) for response in responses]
        # The provider has put the answers in the order of their ids, which are those of the requests.
        if len({response.get("id") for response in responses} - {None}) != len(asked) or len(results) != len(asked):
            raise NodeUnavailable("a batch of requests was not answered one to one")
        return results

    def _result(self, response: dict[str, Any]) -> Any:
        if "error" in response:
            raise NodeUnavailable(self._complaint(response))
        return response["result"]

    def _complaint(self, response: dict[str, Any]) -> str:
        error = response["error"]
        text = str(error.get("message", error) if isinstance(error, dict) else error)
        return text.replace(self._url, "its URL")[:300]


class _Provider(AsyncHTTPProvider):
    """web3's, but that answers are read by msgspec, for the logs of a block are a megabyte, and that its connections
    are its own, and kept. Those of web3 are behind a lock of the whole process that is waited for in a thread: a call
    that is cancelled while it waits leaves it taken, and nobody asks any node again.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        super().__init__(url, {"timeout": ClientTimeout(total=timeout_seconds)}, exception_retry_configuration=None)
        self._request_session_manager.async_make_post_request = self._send  # type: ignore[method-assign,assignment]
        self._session: ClientSession | None = None

    async def _send(self, url: str, data: Any, **request: Any) -> bytes:
        if self._session is None:
            self._session = ClientSession(raise_for_status=True, connector=TCPConnector())
        async with self._session.post(url, data=data, **request) as response:
            return await response.read()

    async def disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        response: RPCResponse = msgspec.json.decode(raw_response)
        return response


#: What the provider raises when there is no answer, or one that it cannot read.
_NO_ANSWER = (
    *(ClientError, OSError, TimeoutError, ValueError, TypeError, KeyError, AttributeError),
    *(msgspec.DecodeError, Web3Exception),
)


#: What a hosted node answers to a range that it finds too large, where it does not answer in JSON-RPC.
_TOO_LARGE_STATUS = ("HTTP status 400", "HTTP status 413")

#: Words of an error by which a node asks us to come back later; asking for less would only make it more requests.
_LATER = re.compile(r"\brate\b|too many requests|capacity|throttl|per (second|day)|daily|later|overload|busy", re.I)

#: Words of an error about how much was asked for. Some nodes say both with code -32005 (EIP-1474, "limit exceeded").
_SIZE = re.compile(r"range|results|\blogs\b|size|large|blocks", re.I)
_LIMIT_EXCEEDED = -32005


def _is_too_large(error: Any) -> bool:
    """Whether less might be answered: every error but those that say that it is too early to ask anything again."""
    code, text = (error.get("code"), str(error.get("message"))) if isinstance(error, dict) else (None, str(error))
    if code == 429 or _LATER.search(text):
        return False
    return code != _LIMIT_EXCEEDED or _SIZE.search(text) is not None


def _why(error: Exception) -> str:
    if isinstance(error, ClientResponseError):
        return f"HTTP status {error.status}"
    if isinstance(error, ClientConnectorError):
        return "no connection"
    if isinstance(error, TimeoutError):
        return "it took too long"
    return type(error).__name__


# ---- from and to JSON -----------------------------------------------------------------------------------------------

T = TypeVar("T")


def _json_rpc(response: Any) -> dict[str, Any]:
    if not isinstance(response, dict) or ("result" not in response and "error" not in response):
        raise NodeUnavailable("it answered with something that is not JSON-RPC")
    return response


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


#: The root of no transactions: of an empty trie (Yellow Paper, appendix D).
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
    )
