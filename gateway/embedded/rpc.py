"""JSON-RPC to the local chain, for calls that no other node has: `evm_mine`, `anvil_dumpState`.

A call may take long: a large block, a large state. So a hang is not detected by the time alone, but by a process that
used next to no processor time while it owed an answer.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
import msgspec

from gateway.chain.errors import NodeUnavailable
from gateway.embedded.journal import Block

_CALL_SECONDS: Final = 120.0  # The largest state seen took 10.

#: While it owes an answer it is checked every so many seconds. It hangs if it was idle in so many checks in a row: if
#: it used less than this share of one processor. Beside twenty other processes on two processors it still gets ten
#: times as much. More than one check is needed, because this process itself may have been stopped in the meantime.
_LOOK_SECONDS: Final = 5.0
_LOOKS: Final = 4
_WORK_SHARE: Final = 0.01


#: Plain HTTP needs no certificate authorities, which take 20 ms to load; without any, no certificate is accepted.
NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Silent(NodeUnavailable):
    """It runs, and does not answer: another call would only take as long again."""


class Rpc:
    """JSON-RPC over HTTP. Everything that is not a result is NodeUnavailable.

    `worked` returns the processor seconds of the process behind the URL; without it, it is taken to work all the time.
    """

    def __init__(self, url: str, worked: Callable[[], float] = time.monotonic) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=_CALL_SECONDS, trust_env=False, verify=NO_AUTHORITIES)
        self._worked = worked

    async def __call__(self, method: str, *params: Any) -> Any:
        return _result(await self._post({"jsonrpc": "2.0", "id": 0, "method": method, "params": params}))

    async def batch(self, method: str, each: list[str]) -> list[Any]:
        """Call the method once per parameter. Returns the results in order."""
        calls = [{"jsonrpc": "2.0", "id": n, "method": method, "params": [one]} for n, one in enumerate(each)]
        answers = await self._post(calls) if calls else []
        return [_result(answer) for answer in sorted(answers, key=lambda answer: int(answer["id"]))]

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, body: Any) -> Any:
        try:
            response = await self._answered(msgspec.json.encode(body))
            return msgspec.json.decode(response.content)
        except msgspec.DecodeError:
            raise NodeUnavailable("it answered with something that is not JSON") from None
        except httpx.TimeoutException:
            raise Silent(f"it gave no answer within {_CALL_SECONDS:g} s") from None
        except httpx.ConnectError:
            raise NodeUnavailable("no connection") from None
        except httpx.HTTPError:
            raise NodeUnavailable("the connection broke off") from None

    async def _answered(self, content: bytes) -> httpx.Response:
        """Return the response. Raises Silent, and what httpx raises."""
        asking = asyncio.create_task(self._client.post("/", content=content, headers=_JSON))
        worked, idle = self._worked(), 0
        try:
            while not asking.done():
                await asyncio.wait({asking}, timeout=_LOOK_SECONDS)
                before, worked = worked, self._worked()
                idle = idle + 1 if worked - before < _WORK_SHARE * _LOOK_SECONDS else 0
                if idle >= _LOOKS and not asking.done():
                    raise Silent(f"it gave no answer for {_LOOKS * _LOOK_SECONDS:g} s and did nothing")
            return await asking
        finally:
            asking.cancel()


_JSON: Final = {"content-type": "application/json"}


def _result(answer: dict[str, Any]) -> Any:
    if "error" in answer:
        raise NodeUnavailable(str(answer["error"].get("message")))
    return answer.get("result")


async def block_at(rpc: Rpc, which: str) -> Block:
    """Return a block as the node has it, without its transactions. Raises NodeUnavailable if there is none."""
    header = await rpc("eth_getBlockByNumber", which, False)
    if header is None:
        raise NodeUnavailable(f"there is no block {which}")
    return Block(header, [])
