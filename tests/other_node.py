"""What other nodes answer: an HTTP server between the gateway and anvil that plays them.

It passes on what it has no fault for. Behind it may be several backends that are some blocks apart (`lags`): each
request goes to one of them, by a seeded choice, and with `split` each entry of a batch.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import MISSING, dataclass, field
from typing import Any, Literal

from aiohttp import ClientSession, web

from tests.anvils import Chain

#: What each client says to a transaction that it does not take.
REFUSALS = {
    "geth underpriced": "transaction underpriced: gas tip cap 1, minimum needed 25000000000",
    "geth funds": "insufficient funds for gas * price + value: balance 0, tx cost 12000000000, overshot 12000000000",
    "geth gas limit": "exceeds block gas limit",
    "nethermind": "FeeTooLow, MaxFeePerGas too low",
    "besu": "Upfront cost exceeds account balance",
    "erigon": "fee cap less than block base fee: address 0x0, feeCap: 1 baseFee: 7",
    "anvil": "Insufficient funds for gas * price + value",
    "hardhat": "Sender doesn't have enough funds to send tx. The max upfront cost is: 12 and the sender only has: 0",
    "method": "the method eth_sendRawTransaction does not exist/is not available",
    "policy": "transactions of this sender are not taken",
}

#: And to one that it has already: nothing is wrong then.
ALREADY = ("already known", "transaction already imported", "Known transaction", "AlreadyKnown")

#: What `calm` ends.
FAULTS = (
    *("lags", "unknown", "split", "batch_most", "range_most", "refusal", "already", "pruned", "indexing"),
    *("late_receipts", "no_finalized", "status", "retry_after", "chain_id", "code"),
)

#: How a batch that is too large is refused.
BatchRefusal = Literal["error", "entry", "status", "cut"]


@dataclass
class OtherNode:
    """The faults that are on, and what was asked."""

    chain: Chain
    url: str = ""
    lags: list[int] = field(default_factory=lambda: [0])  #: How many blocks behind each backend is.
    unknown: Literal["empty", "error"] = "empty"  #: What a backend says of logs in a block that it does not have.
    split: bool = False
    batch_most: int | None = None
    batch_refusal: BatchRefusal = "error"
    range_most: int | None = None  #: Blocks of one request for logs.
    refusal: str | None = None  #: To what is sent; nothing is then passed on.
    already: str | None = None  #: Said to a transaction that anvil says is imported already.
    pruned: int | None = None  #: The states of so many newest blocks are there, and no other.
    code: Literal["run", "error", "empty"] = "run"  #: What is done with a call of code that is no contract's.
    indexing: bool = False  #: Transactions are found by no hash yet.
    late_receipts: bool = False  #: Receipts are null still.
    no_finalized: bool = False
    status: int | None = None  #: Answered to everything.
    retry_after: str | None = None
    silent: bool = False  #: Nothing is answered, for as long as this is so.
    chain_id: int | None = None
    requests: int = 0  #: Over HTTP.
    asked: Counter[str] = field(default_factory=Counter)  #: By method.
    sizes: list[int] = field(default_factory=list)  #: Of batches.
    ranges: list[tuple[int, int]] = field(default_factory=list)
    seed: int = 0
    passes_on: bool = False  #: Everything, unread; nothing is counted then but requests.
    _lag: int = 0
    _loud: asyncio.Event = field(default_factory=asyncio.Event)

    _http: ClientSession = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    def speak(self) -> None:
        """End a silence."""
        self.silent = False
        self._loud.set()

    def calm(self) -> None:
        """End every fault."""
        self.speak()
        for name in FAULTS:
            default = self.__dataclass_fields__[name]
            value = default.default if default.default is not MISSING else default.default_factory()  # type: ignore[misc]
            setattr(self, name, value)

    async def serve(self, request: web.Request) -> web.Response:
        self.requests += 1
        raw = await request.read()
        if self.passes_on:
            async with self._http.post(self.chain.url, data=raw, headers={"Content-Type": "application/json"}) as said:
                return web.Response(body=await said.read(), content_type="application/json")
        body = json.loads(raw)
        if self.silent:
            await self._loud.wait()
        if self.status is not None:
            headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
            return web.Response(status=self.status, headers=headers)
        self._lag = self._rng.choice(self.lags)
        http = self._http
        if not isinstance(body, list):
            return web.json_response(await self._one(http, body))
        self.sizes.append(len(body))
        if self.batch_most is not None and len(body) > self.batch_most:
            return await self._refuse_batch(http, body)
        return web.json_response([await self._one(http, one) for one in body])

    async def _refuse_batch(self, http: ClientSession, body: list[dict[str, Any]]) -> web.Response:
        error = {"code": -32600, "message": f"batch too large: {len(body)} of at most {self.batch_most}"}
        if self.batch_refusal == "status":
            return web.Response(status=413)
        if self.batch_refusal == "entry":
            return web.json_response([{"jsonrpc": "2.0", "id": body[0]["id"], "error": error}])
        if self.batch_refusal == "cut":
            return web.json_response([await self._one(http, one) for one in body[: self.batch_most]])
        return web.json_response({"jsonrpc": "2.0", "id": None, "error": error})

    async def _one(self, http: ClientSession, one: dict[str, Any]) -> dict[str, Any]:
        self.asked[one["method"]] += 1
        lag = self._rng.choice(self.lags) if self.split else self._lag
        said = await self._said(http, one["method"], one.get("params", []), lag)
        return {"jsonrpc": "2.0", "id": one["id"], **said}

    async def _said(self, http: ClientSession, method: str, params: list[Any], lag: int) -> dict[str, Any]:
        if method == "eth_chainId" and self.chain_id is not None:
            return {"result": hex(self.chain_id)}
        if method == "eth_sendRawTransaction":
            return await self._sent(http, params)
        if method == "eth_call" and "to" not in params[0] and self.code != "run":
            return _error("missing field `to`") if self.code == "error" else {"result": "0x"}
        if method == "eth_getLogs":
            return await self._logs(http, params[0], lag)
        if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            if self.indexing:
                return _error("transaction indexing is in progress")
            if self.late_receipts and method == "eth_getTransactionReceipt":
                return {"result": None}
        if method in ("eth_getBlockByNumber", "eth_call", "eth_getTransactionCount", "eth_getBalance", "eth_getCode"):
            return await self._at(http, method, params, lag)
        found = await self._pass(http, method, params)
        result = found.get("result")
        if lag and isinstance(result, dict) and _number(result) > await self._head(http) - lag:
            return {"result": None}  # a block or a receipt that this backend does not have yet
        return found

    async def _at(self, http: ClientSession, method: str, params: list[Any], lag: int) -> dict[str, Any]:
        """What is asked at a block, whose number or name is the first or second parameter."""
        place = 0 if method == "eth_getBlockByNumber" else 1
        head = await self._head(http) - lag
        at = params[place] if len(params) > place else "latest"
        if at == "finalized" and (self.no_finalized or head < 2):
            return _error("finalized block not found")
        number = head if at == "latest" else head - 2 if at == "finalized" else int(at, 16)
        if number > head:
            return {"result": None} if place == 0 else _error("header not found")
        if place and self.pruned is not None and number <= head - self.pruned:
            return _error(f"missing trie node {number:064x} (path ) state 0x{number:064x} is not available")
        if lag or at == "finalized":
            params = [*params[:place], hex(max(number, 0)), *params[place + 1 :]]
        return await self._pass(http, method, params)

    async def _logs(self, http: ClientSession, wanted: dict[str, Any], lag: int) -> dict[str, Any]:
        head = await self._head(http) - lag
        if "blockHash" in wanted:
            block = (await self._pass(http, "eth_getBlockByHash", [wanted["blockHash"], False]))["result"]
            if block is None or _number(block) > head:
                return {"result": []} if self.unknown == "empty" else _error("unknown block")
            return await self._pass(http, "eth_getLogs", [wanted])
        first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
        self.ranges.append((first, last))
        if self.range_most is not None and last - first >= self.range_most:
            return _error(f"query exceeds max block range {self.range_most}")
        found = await self._pass(http, "eth_getLogs", [wanted])
        return {"result": [log for log in found["result"] if _number(log) <= head]}

    async def _sent(self, http: ClientSession, params: list[Any]) -> dict[str, Any]:
        if self.refusal is not None:
            return _error(self.refusal)
        said = await self._pass(http, "eth_sendRawTransaction", params)
        if self.already is not None and "imported" in str(said.get("error")):
            return _error(self.already)
        return said

    async def _head(self, http: ClientSession) -> int:
        return int((await self._pass(http, "eth_blockNumber", []))["result"], 16)

    async def _pass(self, http: ClientSession, method: str, params: list[Any]) -> dict[str, Any]:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with http.post(self.chain.url, json=asked) as response:
            answer = await response.json()
        return {key: answer[key] for key in ("result", "error") if key in answer}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"code": -32000, "message": message}}


def _number(found: dict[str, Any]) -> int:
    return int(found.get("number") or found.get("blockNumber") or "0x0", 16)


@asynccontextmanager
async def in_front_of(chain: Chain, **faults: Any) -> AsyncIterator[OtherNode]:
    """Another node over this chain, with these faults to begin with."""
    other = OtherNode(chain, **faults)
    other._http = ClientSession()
    application = web.Application(client_max_size=64 * 2**20)
    application.router.add_post("/", other.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    other.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield other
    finally:
        other.speak()
        await runner.cleanup()
        await other._http.close()
