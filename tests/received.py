"""What came over a connection, as HTTP/1.1 answers."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Received:
    """One answer as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for given, value in self.headers if given == name]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    @property
    def problem(self) -> Any:
        assert self.header("content-type") == "application/problem+json", (self.status, self.body)
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        return problem


def answers(received: bytes, heads: int = 0) -> list[Received]:
    """All of them, in order. The first `heads` are to HEAD and have no body."""
    read: list[Received] = []
    while received:
        start, _, received = received.partition(b"\r\n\r\n")
        line, *lines = start.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value) for name, _, value in (field.partition(": ") for field in lines)]
        status, given = int(line.split()[1]), dict(headers)
        length = int(given.get("content-length", 0))
        if len(read) < heads or status < 200 or status in (204, 304):
            length = 0
        if given.get("transfer-encoding") == "chunked" and status >= 200 and len(read) >= heads:
            body, received = _unchunked(received)
        else:
            body, received = received[:length], received[length:]
        read.append(Received(status, headers, body))
    return read


def _unchunked(received: bytes) -> tuple[bytes, bytes]:
    """A body that came in chunks, and what is behind it."""
    body = b""
    while True:
        size, _, received = received.partition(b"\r\n")
        length = int(size, 16)
        body += received[:length]
        assert received[length : length + 2] == b"\r\n"
        received = received[length + 2 :]
        if not length:
            return body, received
