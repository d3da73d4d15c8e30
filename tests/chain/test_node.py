"""What a node's answers become, and what is said when there is none."""

import asyncio
import json
import os
import ssl
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import HttpNode
from tests.anvils import Chain
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio

ANYBODY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def test_blocks_follow_each_other_and_end_where_the_chain_ends(chain: Chain, node: HttpNode) -> None:
    chain.mine(205)  # more than one JSON-RPC batch

    blocks = await node.blocks(0, 300)

    assert [block.number for block in blocks] == list(range(206))
    assert [block.parent_hash for block in blocks[1:]] == [block.hash for block in blocks[:-1]]
    assert await node.block(205) == await node.block("latest") == blocks[-1]
    assert await node.block(206) is None
    assert await node.blocks(206, 210) == []


async def test_a_receipt_that_is_not_there_is_absent(node: HttpNode) -> None:
    assert await node.receipts([bytes(32)]) == {}
    assert await node.receipts([]) == {}


async def test_a_complaint_about_a_transaction_is_handed_back(node: HttpNode) -> None:
    assert await node.send(b"\x02\xc0")


async def test_fees_leave_room_for_the_base_fee_to_double(chain: Chain, node: HttpNode) -> None:
    base = int(chain.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)

    fees = await node.fees()

    assert fees.fee_wei_max == 2 * base + fees.tip_wei_max


async def test_calls_and_balances_are_read(chain: Chain, node: HttpNode) -> None:
    assert await node.chain_id() == 31337
    assert await node.balance(ANYBODY) == 10_000 * 10**18
    assert await node.code(ANYBODY) == b""
    assert await node.calls([(ANYBODY, b""), (ANYBODY, b"\x01")], "latest") == [b"", b""]
    assert await node.calls([], 0) == []


async def test_a_call_that_is_given_up_anywhere_keeps_nobody_from_asking(chain: Chain) -> None:
    nodes = [HttpNode(chain.url) for _ in range(4)]
    for turns in range(40):
        given_up = [asyncio.create_task(node.chain_id()) for node in nodes * 4]
        for _ in range(turns):
            await asyncio.sleep(0)  # a turn of the loop, no time: each call has come one step further
        for call in given_up[1:]:
            call.cancel()
        async with asyncio.timeout(HANG_SECONDS):
            assert await nodes[-1].chain_id() == 31337
            assert await given_up[0] == 31337
    for node in nodes:
        await node.close()


# ---- no answer ------------------------------------------------------------------------------------------------------


async def answering(status: int, body: str) -> tuple[asyncio.Server, str]:
    """A node that says the same to everything."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        head = f"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, f"http://user:password@127.0.0.1:{port}/v2/api-key-1?token=secret-2"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, "", "HTTP status 401"),
        (429, "{}", "HTTP status 429"),
        (503, "busy", "HTTP status 503"),
        (200, "", "."),
        (200, "<html>", "."),
        (200, "[]", "."),
        (200, "7", "."),
        (200, "{}", "not JSON-RPC"),
        (200, "[7, 7]", "."),
        (200, json.dumps([{"id": 0}, {"id": 1}]), "."),
        (200, json.dumps({"id": 0, "result": "0xzz"}), "."),
        (200, json.dumps({"id": 0, "result": {}}), "."),
        (200, json.dumps({"id": 1, "error": {"code": -32005, "message": "limit exceeded"}}), "limit exceeded"),
        (200, json.dumps({"id": 1, "error": "no"}), "no"),
    ],
)
async def test_no_answer_is_said_without_the_secrets_of_the_url(status: int, body: str, reason: str) -> None:
    server, url = await answering(status, body)
    node = HttpNode(url)

    said = []
    for ask in (node.chain_id, lambda: node.blocks(1, 2), lambda: node.receipts([bytes(32)]), node.fees):
        with pytest.raises(NodeUnavailable, match=reason) as away:
            await ask()
        said.append(f"{away.value} {away.value!r} {away.value.__cause__!r}")

    assert not any(secret in words for secret in ("password", "api-key-1", "secret-2") for words in said)
    assert "api-key-1" not in repr(node)
    await node.close()
    server.close()


async def test_a_node_that_says_nothing_is_given_up_on() -> None:
    waiting = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await waiting.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    node = HttpNode(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_seconds=0.05)

    with pytest.raises(NodeUnavailable, match="too long"):
        await node.chain_id()

    waiting.set()
    await node.close()
    server.close()


ASK = """
import asyncio, sys
from gateway.chain.node import HttpNode
from gateway.chain.errors import NodeUnavailable

async def ask():
    try:
        print(await HttpNode(sys.argv[1]).chain_id())
    except NodeUnavailable as away:
        print(away)

asyncio.run(ask())
"""


async def test_a_certificate_of_a_ca_of_ones_own_is_named_and_taken_from_the_file_that_names_the_ca(
    tmp_path: Path,
) -> None:
    key, certificate = _certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    body = b'{"jsonrpc": "2.0", "id": 1, "result": "0x7a69"}'

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    plain = await asyncio.start_server(answer, "127.0.0.1", 0)

    async def said(of: asyncio.Server, **environ: str) -> str:
        url = f"https://127.0.0.1:{of.sockets[0].getsockname()[1]}/secret"
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", ASK, url), stdout=-1, env=dict(os.environ) | environ
        )
        return (await asking.communicate())[0].decode().strip()

    untrusted, trusted = await said(server), await said(server, SSL_CERT_FILE=str(certificate))
    not_tls = await said(plain)
    server.close()
    plain.close()

    assert untrusted == (
        "the Ethereum node does not answer: its TLS certificate is not trusted (self-signed certificate): where a CA "
        "of your own has signed it, set SSL_CERT_FILE to a file with that CA's certificate"
    )
    assert trusted == "31337"
    assert not_tls.endswith("no TLS connection: it may speak http:// there and not https://")


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for 127.0.0.1 that it has signed itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "key.pem", folder / "certificate.pem"


async def test_a_connection_is_kept_until_the_node_closes_it() -> None:
    opened: list[asyncio.StreamWriter] = []
    body = b'{"jsonrpc": "2.0", "id": 0, "result": "0x7a69"}'

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        with suppress(asyncio.IncompleteReadError):  # it has ended
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line for line in head.decode().lower().splitlines() if line.startswith("content-length"))
                await reader.readexactly(int(length.partition(":")[2]))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    node = HttpNode(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    assert [await node.chain_id() for _ in range(3)] == [31337] * 3
    assert len(opened) == 1

    opened[0].close()
    await opened[0].wait_closed()
    assert await node.chain_id() == 31337
    assert len(opened) == 2

    await node.close()
    server.close()
