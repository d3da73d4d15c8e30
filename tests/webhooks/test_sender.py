"""One request, to receivers that are hostile or broken, and to addresses that are not to be connected to."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.clock import system_clock
from gateway.outbound.allowed import Allowed, networks
from gateway.webhooks.delivery import Attempt
from gateway.webhooks.sender import Sender
from tests.processes import HANG_SECONDS
from tests.webhooks.conftest import LOOPBACK
from tests.webhooks.receiver import Receiver, receiving, status

pytestmark = pytest.mark.anyio

BODY = b'{"type":"payment.settled"}'
HTTP = ("https", "http")


@asynccontextmanager
async def sending(allowed: Allowed = LOOPBACK, **more: Any) -> AsyncIterator[Sender]:
    sender = Sender(allowed, system_clock, 4, **more)
    try:
        yield sender
    finally:
        await sender.close()


async def sent(url: str, allowed: Allowed = LOOPBACK, **more: Any) -> Attempt:
    async with sending(allowed, **more) as sender:
        return await sender.send(url, {"webhook-id": "evt_1"}, BODY)


def resolving(*answers: Sequence[str]) -> Any:
    """A resolver of names that gives these addresses, one answer after the other, and the last for ever."""
    left = list(answers)

    def look_up(host: str, port: int, *_: Any) -> list[tuple[Any, ...]]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    return look_up


async def test_the_body_comes_as_it_is_and_the_host_as_it_was_named(receiver: Receiver) -> None:
    attempt = await sent(f"http://shop.test:{receiver.port}/hook?a=%20b", look_up=resolving(["127.0.0.1"]))
    assert (attempt.outcome, attempt.status) == ("delivered", 204)
    (request,) = receiver.received
    assert (request.body, request.target) == (BODY, "POST /hook?a=%20b HTTP/1.1")
    assert request.headers["host"] == f"shop.test:{receiver.port}"
    assert not {"cookie", "authorization"} & request.headers.keys()


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        *((code, "delivered") for code in (200, 201, 202, 204, 299)),
        *((code, "redirect") for code in (300, 301, 302, 307, 308)),
        *((code, "http_status") for code in (400, 401, 404, 500, 503)),
        *((410, "gone"), (429, "too_many_requests")),
    ],
)
async def test_the_status_decides(receiver: Receiver, code: int, outcome: str) -> None:
    receiver.answer = lambda _: status(code)
    attempt = await sent(receiver.url)
    assert (attempt.outcome, attempt.status) == (outcome, code)


async def test_a_redirect_is_not_followed(receiver: Receiver, other: Receiver) -> None:
    for code in (301, 302, 303, 307, 308):
        receiver.answer = lambda _, code=code: status(code, f"Location: {other.url}")
        assert (await sent(receiver.url)).outcome == "redirect"
    assert other.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433"])
async def test_no_connection_is_made_to_an_address_that_is_not_allowed(receiver: Receiver, address: str) -> None:
    """However it is written: as an address, or as a name that the C library takes for one."""
    attempt = await sent(f"http://{address}:{receiver.port}/", Allowed(HTTP))
    numbers = address in ("127.1", "2130706433")  # aiohttp takes them for no host, and nothing is looked up
    assert (attempt.outcome, attempt.status) == ("name_not_resolved" if numbers else "address_refused", None)
    assert receiver.connections == 0


async def test_no_name_leads_to_an_address_that_is_not_allowed(receiver: Receiver) -> None:
    for addresses in (["127.0.0.1"], ["::1"], ["1.1.1.1", "127.0.0.1"], ["169.254.169.254"]):
        attempt = await sent(f"http://shop.test:{receiver.port}/", Allowed(HTTP), look_up=resolving(addresses))
        assert attempt.outcome == "address_refused"
    assert (await sent(f"http://localhost:{receiver.port}/", Allowed(HTTP))).outcome == "address_refused"
    assert receiver.connections == 0


async def test_a_name_with_an_allowed_address_and_another_is_refused_whole(receiver: Receiver) -> None:
    """Whichever of the two would have been taken."""
    for addresses in (["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]):
        allowed = Allowed(HTTP, networks(["127.0.0.1/32"]))
        attempt = await sent(f"http://shop.test:{receiver.port}/", allowed, look_up=resolving(addresses))
        assert attempt.outcome == "address_refused"
    assert receiver.connections == 0


async def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_checked(receiver: Receiver) -> None:
    """DNS rebinding: the first answer is allowed, each later one is not, and there is only one look-up."""
    allowed, asked = Allowed(HTTP, networks(["127.0.0.1/32"])), list[str]()
    rebinding = resolving(["127.0.0.1"], ["127.0.0.2"])

    def look_up(host: str, *rest: Any) -> Any:
        asked.append(host)
        return rebinding(host, *rest)

    receiver.answer = lambda _: status(204, "Connection: close")  # so the second needs a connection of its own

    async with sending(allowed, look_up=look_up) as sender:
        url = f"http://shop.test:{receiver.port}/"
        assert (await sender.send(url, {}, BODY)).outcome == "delivered"
        assert asked == ["shop.test"]
        assert (await sender.send(url, {}, BODY)).outcome == "address_refused", "no answer is remembered"
    assert receiver.connections == 1


async def test_a_connection_is_kept_for_the_next_deliveries_to_its_host(receiver: Receiver) -> None:
    receiver.keeps = True
    async with sending() as sender:
        for _ in range(5):
            assert (await sender.send(receiver.url, {}, BODY)).outcome == "delivered"
    assert (receiver.connections, len(receiver.received)) == (1, 5)


async def test_what_a_kept_connection_lost_is_sent_again_over_a_new_one(receiver: Receiver) -> None:
    """As where a server closes an idle connection at the moment at which it is used."""
    receiver.keeps, first = True, list[asyncio.StreamWriter]()

    async def answered(writer: asyncio.StreamWriter) -> None:
        if writer in first and len(receiver.received) == 2:
            writer.close()
            return
        first.append(writer)
        writer.write(status(204))

    receiver.answer = lambda _: answered
    async with sending() as sender:
        for _ in range(2):
            assert (await sender.send(receiver.url, {}, BODY)).outcome == "delivered"
    assert (receiver.connections, len(receiver.received)) == (2, 3)


async def test_what_came_before_a_request_is_not_its_answer(receiver: Receiver) -> None:
    """A server says 408 before it closes an idle connection, or says anything at all."""
    receiver.keeps, said, over = True, asyncio.Event(), asyncio.Event()

    async def twice(writer: asyncio.StreamWriter) -> None:
        writer.write(status(204))
        await writer.drain()
        await said.wait()
        writer.write(status(408))
        await writer.drain()
        over.set()

    async with sending() as sender:
        receiver.answer = lambda _: twice
        assert (await sender.send(receiver.url, {}, BODY)).outcome == "delivered"
        receiver.answer = lambda _: status(204)
        said.set()
        await over.wait()
        for _ in range(3):  # what is in the socket is read in one round of the loop
            await asyncio.sleep(0)
        assert (await sender.send(receiver.url, {}, BODY)).outcome == "delivered"
    assert len(receiver.received) == 2


async def test_what_cannot_be_reached_says_why(receiver: Receiver) -> None:
    def none(*_: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "none")

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert (await sent(f"http://127.0.0.1:{closed.getsockname()[1]}/")).outcome == "connection_failed"
    assert (await sent("http://shop.test/", look_up=none)).outcome == "name_not_resolved"
    assert (await sent(f"http://{'a' * 70}.test/")).outcome == "name_not_resolved"
    receiver.answer = lambda _: b""
    assert (await sent(receiver.url)).outcome == "connection_lost"
    receiver.answer = lambda _: b"220 mail.test ESMTP\r\n\r\n"
    assert (await sent(receiver.url)).outcome == "answer_unreadable"


async def test_a_receiver_that_drips_has_so_long_and_no_longer(receiver: Receiver) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200 + b"\r\n\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)  # it drips: that is what is tested

    receiver.answer = lambda _: drip
    began = time.monotonic()
    attempt = await sent(receiver.url, total_seconds=0.5)
    assert attempt.outcome == "timeout"
    assert 0.4 < time.monotonic() - began < HANG_SECONDS / 2
    assert attempt.milliseconds >= 400


async def test_a_name_that_nobody_answers_for_takes_so_long_and_delays_no_other(receiver: Receiver) -> None:
    answered = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look_up(host: str, port: int, *_: Any) -> list[tuple[Any, ...]]:
        if host == "silent.test":
            asyncio.run_coroutine_threadsafe(answered.wait(), loop).result()
        return resolving(["127.0.0.1"])(host, port)

    async with sending(look_up=look_up, total_seconds=1.0) as sender:
        silent = [asyncio.create_task(sender.send("http://silent.test/", {}, BODY)) for _ in range(3)]
        await asyncio.sleep(0)  # a turn of the loop, in which the silent ones begin
        assert (await sender.send(f"http://shop.test:{receiver.port}/", {}, BODY)).outcome == "delivered"
        assert {one.outcome for one in await asyncio.gather(*silent)} == {"timeout"}
        answered.set()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"a" * 3_000_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ffffff\r\n" + b"a" * 3_000_000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nwrong",
    ],
)
async def test_a_large_or_broken_body_is_not_read_to_its_end(receiver: Receiver, answer: bytes) -> None:
    receiver.answer = lambda _: answer
    began = time.monotonic()
    assert (await sent(receiver.url)).outcome == "delivered"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "head", [b"X: " + b"a" * 100_000, b"\r\n".join(b"X-%d: a" % n for n in range(5_000)), b"X: a\r\n" * 5_000]
)
async def test_a_head_without_measure_is_not_read(receiver: Receiver, head: bytes) -> None:
    receiver.answer = lambda _: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n"
    assert (await sent(receiver.url)).outcome == "answer_unreadable"


async def test_a_body_that_drips_delays_a_delivery_by_a_second(receiver: Receiver) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1_000):
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)  # it drips: that is what is tested

    receiver.answer = lambda _: drip
    attempt = await sent(receiver.url)
    assert attempt.outcome == "delivered"
    assert attempt.milliseconds < 5_000


# ---- TLS ------------------------------------------------------------------------------------------------------------


def certified(folder: Path, name: str, days: int = 1) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS with a certificate for this name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())


async def test_tls_verifies_the_name_and_sends_it_whatever_address_it_is_at(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "shop.test")
    asked = list[str | None]()
    server.sni_callback = lambda _, name, __: asked.append(name)
    async with receiving(server) as receiver:
        url, at = f"https://shop.test:{receiver.port}/", resolving(["127.0.0.1"])
        assert (await sent(url, look_up=at, tls=client)).outcome == "delivered"
        assert asked == ["shop.test"]


@pytest.mark.parametrize(
    ("name", "days", "trusted"), [("shop.test", 1, False), ("other.test", 1, True), ("shop.test", -1, True)]
)
async def test_a_certificate_that_is_not_trusted_of_another_name_or_expired_is_refused(
    tmp_path: Path, name: str, days: int, trusted: bool
) -> None:
    server, client = certified(tmp_path, name, days)
    async with receiving(server) as receiver:
        url, at = f"https://shop.test:{receiver.port}/", resolving(["127.0.0.1"])
        assert (await sent(url, look_up=at, tls=client if trusted else None)).outcome == "tls_failed"
        assert receiver.received == []


async def test_a_receiver_without_tls_is_told_from_one_that_is_not_there() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await sent(f"https://127.0.0.1:{port}/")).outcome == "tls_failed"
