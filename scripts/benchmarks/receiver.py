"""A shop's server for webhooks, as a process of its own. It answers as it is told, and remembers what it accepted.

It accepts an event with the first delivery, by `webhook-id`, that it does not answer with an error. For each object it
keeps the state in the last event, which is compared with the gateway's at the end. An event is out of order if it is
accepted first after a later event of the same object.

    POST /hook/N    a delivery
    POST /mode      how deliveries are answered from now on: `take`, `dead` (503), or `fail` (30% are not answered 2xx:
                    two thirds of them 500, and of one third the answer is lost after the event was taken)
    GET /told       counts, and the time of the first and the last that was taken
    GET /states     the state of each object
"""

import asyncio
import random
import sys
import time
from collections.abc import Callable

import msgspec

_FAILING = 0.3
_LOST = 1 / 3


class _Data(msgspec.Struct):
    id: str
    state: str = ""


class _Event(msgspec.Struct):
    id: str
    sequence: int
    data: _Data


class Told(msgspec.Struct):
    """What was accepted: requests, events, those out of order, and when the first and the last was (time.time())."""

    requests: int = 0
    connections: int = 0
    taken: int = 0
    disordered: int = 0
    first_at: float = 0.0
    last_at: float = 0.0


class _Shop:
    def __init__(self) -> None:
        self.mode = "take"
        self.told = Told()
        self.seen: set[tuple[str, str]] = set()
        self.sequences: dict[tuple[str, str], int] = {}
        self.states: dict[str, str] = {}
        self.draw = random.Random(1)  # nosec B311 # noqa: S311 - the same failures in every run
        self._decode = msgspec.json.Decoder(_Event).decode

    def answer(self, target: str, body: bytes) -> bytes | None:
        """The answer to a request; None if it is to be lost."""
        if target == "/told":
            return _answered(200, msgspec.json.encode(self.told))
        if target == "/states":
            return _answered(200, msgspec.json.encode(self.states))
        if target == "/mode":
            self.mode, self.told = body.decode(), Told(connections=self.told.connections)
            return _answered(204)
        self.told.requests += 1
        fails = self.mode == "dead" or (self.mode == "fail" and self.draw.random() < _FAILING)
        lost = fails and self.mode == "fail" and self.draw.random() < _LOST
        if fails and not lost:
            return _answered(503 if self.mode == "dead" else 500)
        self._take(target, self._decode(body))
        return None if lost else _answered(204)

    def _take(self, target: str, event: _Event) -> None:
        key, of = (target, event.id), (target, event.data.id)
        if key in self.seen:
            return
        self.seen.add(key)
        self.told.taken += 1
        self.told.last_at = time.time()
        self.told.first_at = self.told.first_at or self.told.last_at
        self.told.disordered += event.sequence <= self.sequences.get(of, 0)
        self.sequences[of] = event.sequence
        self.states[event.data.id] = event.data.state


def _answered(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


class _Connection(asyncio.Protocol):
    """One connection, kept open until the client closes it."""

    def __init__(self, shop: _Shop) -> None:
        self._shop, self._come = shop, b""
        self._write: Callable[[bytes], None]
        self._close: Callable[[], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._shop.told.connections += 1
        self._write, self._close = transport.write, transport.close

    def data_received(self, data: bytes) -> None:
        self._come += data
        while (end := self._come.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._come[:end].decode("latin-1").split("\r\n")
            lengths = [int(line[15:]) for line in lines if line.lower().startswith("content-length:")]
            whole = end + 4 + (lengths[0] if lengths else 0)
            if len(self._come) < whole:
                return
            body, self._come = self._come[end + 4 : whole], self._come[whole:]
            answer = self._shop.answer(first.split()[1], body)
            if answer is None:
                self._close()
                return
            self._write(answer)


async def _serve(port: int) -> None:
    shop = _Shop()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(shop), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
