"""What the client makes of a gateway that is not there, or whose answer is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.cli.wallet.client import Client, url_of
from gateway.cli.wallet.errors import Answered, NoGateway, OutcomeUnknown
from gateway.config.environment import from_environment
from gateway.errors import Misconfigured

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that reads a request, answers with these bytes, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def client_of(url: str, keys: Path) -> AsyncIterator[Client]:
    (keys / "alice").write_text("a-key\n")
    client = Client(url, keys, "@alice")
    yield client
    await client.close()


async def test_a_lost_answer_about_money_tells_the_key_to_ask_again_with(tmp_path: Path) -> None:
    async with answering(b"") as url, client_of(url, tmp_path) as client:
        with pytest.raises(OutcomeUnknown, match="say the same command again with --key order-17"):
            await client.pay("@bob", "1.00", "EUR", key="order-17")
        with pytest.raises(OutcomeUnknown, match=r"--key [0-9a-f]{32},"):
            await client.pay("@bob", "1.00", "EUR")


async def test_a_lost_answer_to_a_question_is_only_no_answer(tmp_path: Path) -> None:
    async with answering(b"") as url, client_of(url, tmp_path) as client:
        with pytest.raises(NoGateway, match=r"\(the connection broke off\)"):
            await client.wallet()


async def test_a_lost_answer_about_what_is_created_says_to_look_for_it(tmp_path: Path) -> None:
    async with answering(b"") as url, client_of(url, tmp_path) as client:
        with pytest.raises(NoGateway, match="see whether it did what it was asked for"), client.told():
            await client.api.api_keys.create("Till", ["read"])
    async with client_of("http://127.0.0.1:1", tmp_path) as client:
        with pytest.raises(NoGateway, match="start one with"), client.told():
            await client.api.api_keys.create("Till", ["read"])


async def test_a_gateway_that_cannot_be_reached_has_moved_nothing(tmp_path: Path) -> None:
    async with client_of("http://127.0.0.1:1", tmp_path) as client:
        with pytest.raises(NoGateway, match="no connection"):
            await client.pay("@bob", "1.00", "EUR")


async def test_a_problem_is_told_in_the_gateways_own_words(tmp_path: Path) -> None:
    body = b'{"detail": "no", "code": "forbidden"}'
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with answering(answer) as url, client_of(url, tmp_path) as client:
        with pytest.raises(Answered, match=r"^no \(forbidden\)$"):
            await client.wallet()


async def test_an_answer_that_is_not_json_is_not_a_gateways(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    async with answering(answer) as url, client_of(url, tmp_path) as client:
        with pytest.raises(NoGateway, match="something else, with status 200"):
            await client.wallet()


async def test_a_folder_that_cannot_be_written_claims_nothing(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("not a folder")
    client = Client("http://127.0.0.1:1", tmp_path / "keys", "carol")
    with pytest.raises(Misconfigured, match="cannot be kept"):
        await client.claim()
    await client.close()


async def test_the_url_is_as_given_then_as_run_json_says_then_as_configured(tmp_path: Path) -> None:
    config = from_environment({"GATEWAY_HOME": str(tmp_path), "GATEWAY_PORT": "8123"})
    assert url_of(config) == "http://127.0.0.1:8123"
    (tmp_path / "run.json").write_text('{"api_url": "http://127.0.0.1:9"}')
    assert url_of(config) == "http://127.0.0.1:9"
    assert url_of(config, "https://pay.example") == "https://pay.example"
