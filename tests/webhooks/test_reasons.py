"""The delivery log of an endpoint says why each attempt failed."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.webhooks import message
from tests.api.conftest import Person
from tests.webhooks.conftest import Workers, deliveries, hook
from tests.webhooks.receiver import OK, Answer, Received, Receiver, receiving, status
from tests.webhooks.test_sender import certified

pytestmark = pytest.mark.anyio

#: What becomes of an attempt, and the status of its answer, by the path of the endpoint that answers so.
ANSWERED = {
    "wrong-secret": ("http_status", 401),
    "long-head": ("answer_unreadable", None),
    "long-body": ("delivered", 200),
    "drips": ("timeout", None),
    "hangs-up": ("connection_lost", None),
    "moved": ("redirect", 307),
    "busy": ("too_many_requests", 429),
    "gone": ("gone", 410),
}


async def drip(writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200 + b"\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)  # it drips: that is what is tested


def answer(request: Received) -> Answer:
    match request.target.split()[1].removeprefix("/"):
        case "wrong-secret":
            try:
                Webhook(message.secret_text(message.new_secret())).verify(request.body, request.headers)
            except WebhookVerificationError:
                return status(401)
            return OK
        case "long-head":
            return b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"
        case "long-body":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"a" * 1_000_000
        case "drips":
            return drip
        case "hangs-up":
            return b""
        case "moved":
            return status(307, "Location: http://127.0.0.1/")
        case "busy":
            return status(429)
        case _:
            return status(410)


def look_up(host: str, port: int, *_: Any) -> list[tuple[Any, ...]]:
    """`inside.test` leads into a network that nothing is sent to, and other names nowhere."""
    if host == "inside.test":
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", port))]
    raise socket.gaierror(socket.EAI_NONAME, "none")


async def test_each_attempt_is_listed_with_its_reason_and_status(
    workers: Workers, receiver: Receiver, alice: Person, bob: Person, tmp_path: Path
) -> None:
    receiver.answer = answer
    workers.sending = {"look_up": look_up, "total_seconds": 1.0}
    server, _ = certified(tmp_path, "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with receiving(server) as untrusted:
            wanted = {
                **{f"http://127.0.0.1:{receiver.port}/{path}": reason for path, reason in ANSWERED.items()},
                f"http://127.0.0.1:{closed.getsockname()[1]}/": ("connection_failed", None),
                untrusted.url: ("tls_failed", None),
                "http://inside.test/": ("address_refused", None),
                "http://nowhere.test/": ("name_not_resolved", None),
            }
            made = {url: (await hook(bob, url, "payment.*"))["id"] for url in wanted}
            await alice.pay("@bob", "1.00 EUR")
            await workers.deliver()

    listed = {}
    for url, id in made.items():
        (found,) = await deliveries(bob, id)
        (attempt,) = found["attempts"]
        listed[url] = (attempt["outcome"], attempt["status"])
    assert listed == wanted
