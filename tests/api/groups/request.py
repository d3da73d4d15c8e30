"""One request of a group, its answer, and how it is sent to an application."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Litestar

from tests.front import Front, is_fast


@dataclass(frozen=True)
class Asked:
    """One request. `path` names an earlier payment by its label, since each world has ids of its own."""

    label: str
    kind: str
    who: str
    credential: tuple[bytes, bytes]
    key: str
    path: str
    body: Any
    of: str = ""  #: The earlier payment that `path` names as {}.
    limit: str = ""  #: The key's cap or the mandate that it counts against.


@dataclass(frozen=True)
class Answer:
    status: int
    replayed: bool
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal; nothing where it is none."""
        return "" if self.status < 300 else str(self.said["code"])

    @property
    def is_new(self) -> bool:
        """Whether something was done for it."""
        return self.status < 300 and not self.replayed


@dataclass(frozen=True)
class Gateway:
    """An application, and its server's way in for payments."""

    app: Litestar
    front: Front


async def ask(gateway: Gateway, method: str, path: str, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Answer:
    """Ask the application as its server does. Its first step is done when this is first waited for, and that of what
    is answered before it when all that were begun together have a connection, so they are in one group together.
    """
    headers = [(b"host", b"localhost:8000"), *headers]
    if is_fast(method, path.encode()):
        paid = await gateway.front.pay(headers, body, path.encode())
        return Answer(paid.status, paid.header("idempotency-replayed") is not None, paid.body)
    done = asyncio.Event()
    parts = [{"type": "http.request", "body": body, "more_body": False}]
    said: list[Any] = []

    async def receive() -> Any:
        if parts:
            return parts.pop()
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    path, _, query = path.partition("?")
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 5000),
        "server": ("localhost", 8000),
        "state": {},
        "extensions": {},
    }
    await gateway.app(scope, receive, send)
    done.set()
    names = {name for name, _ in said[0]["headers"]}
    return Answer(said[0]["status"], b"idempotency-replayed" in names, b"".join(m.get("body", b"") for m in said[1:]))


def lines(asked: Asked, said: Any) -> list[tuple[str, Any]]:
    """The payments that a batch has made, with their labels."""
    return [(f"{asked.label}/{place}", line) for place, line in enumerate(said) if "id" in line]
