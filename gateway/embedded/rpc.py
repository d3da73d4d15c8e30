"""JSON-RPC to the local chain, which is asked here what no other node answers: `evm_mine`, `anvil_dumpState`."""

from typing import Any, Final

import httpx
import msgspec

from gateway.embedded.journal import Block
from gateway.errors import NodeUnavailable

_CALL_SECONDS: Final = 120.0  #: The largest state seen took 10.


class Rpc:
    """JSON-RPC over HTTP, with one answer or NodeUnavailable for everything that is not one."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=_CALL_SECONDS, trust_env=False)

    async def __call__(self, method: str, *params: Any) -> Any:
        return _result(await self._post({"jsonrpc": "2.0", "id": 0, "method": method, "params": params}))

    async def batch(self, method: str, each: list[str]) -> list[Any]:
        """One call per parameter, in order."""
        calls = [{"jsonrpc": "2.0", "id": n, "method": method, "params": [one]} for n, one in enumerate(each)]
        answers = await self._post(calls) if calls else []
        return [_result(answer) for answer in sorted(answers, key=lambda answer: int(answer["id"]))]

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, body: Any) -> Any:
        try:
            headers = {"content-type": "application/json"}
            response = await self._client.post("/", content=msgspec.json.encode(body), headers=headers)
            return msgspec.json.decode(response.content)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise NodeUnavailable(str(error) or type(error).__name__) from error


def _result(answer: dict[str, Any]) -> Any:
    if "error" in answer:
        raise NodeUnavailable(str(answer["error"].get("message")))
    return answer.get("result")


async def block_at(rpc: Rpc, which: str) -> Block:
    """A block as the node tells it, without its transactions. Raises NodeUnavailable where there is none."""
    header = await rpc("eth_getBlockByNumber", which, False)
    if header is None:
        raise NodeUnavailable(f"there is no block {which}")
    return Block(header, [])
