"""A client that sends a given list of requests, each once, over so many connections, and keeps the answers.

wrk repeats a request for a given time, but a capture needs a hold that was not captured yet. So holds, captures, voids,
refunds and batches are sent from here, and so are the plain payments that they are compared with.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Call:
    """One POST by a handle's number; `key` is its Idempotency-Key."""

    path: str
    payer: int
    key: str
    body: bytes


@dataclass(frozen=True)
class Answers:
    """The answers of the calls, in order, and how long all of them took."""

    seconds: float
    statuses: list[int]
    bodies: list[bytes]
    seconds_each: list[float]

    def failures(self, status: int) -> Counter[str]:
        """The answers with another status: how many of each, by their text."""
        wrong = zip(self.statuses, self.bodies, strict=True)
        return Counter(f"{was} {body[:200]!r}" for was, body in wrong if was != status)

    def ids(self) -> list[str]:
        """The ids of the payments in the answers."""
        return [msgspec.json.decode(body, type=_Paid).id for body in self.bodies]


class _Paid(msgspec.Struct):
    id: str


async def send(url: str, header: str, calls: Sequence[Call], connections: int) -> Answers:
    """Send the calls, each as soon as a connection is free. `header` is the caller's credential, with one %d
    (callers.py).
    """
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 80
    whole = [_request(header, call) for call in calls]
    waiting = iter(enumerate(whole))
    statuses, bodies, took = [0] * len(calls), [b""] * len(calls), [0.0] * len(calls)

    async def work(calls: Iterator[tuple[int, bytes]]) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            for place, request in calls:
                started = time.monotonic()
                writer.write(request)
                statuses[place], bodies[place] = await _answer(reader)
                took[place] = time.monotonic() - started
        finally:
            writer.close()
            await writer.wait_closed()

    started = time.monotonic()
    await asyncio.gather(*(work(waiting) for _ in range(min(connections, len(calls)))))
    return Answers(time.monotonic() - started, statuses, bodies, took)


def _request(header: str, call: Call) -> bytes:
    head = (
        f"POST {call.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{header % call.payer}\r\n"
        f"Idempotency-Key: {call.key}\r\nContent-Length: {len(call.body)}\r\n\r\n"
    )
    return head.encode() + call.body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(_HEAD_END)
    first, *lines = head[: -len(_HEAD_END)].decode("latin-1").split("\r\n")
    lengths = [int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:")]
    return int(first.split()[1]), await reader.readexactly(lengths[0])
