"""Where a request ends, compared with RFC 9110 and 9112 on a socket: on the payment path, on the handler behind it and
on an ordinary route. A request is done once or refused; what stands behind it never becomes a request of its own.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.api.conftest import Api, Person
from tests.api.wire import Wire, head, listening
from tests.processes import HANG_SECONDS

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
async def wire(shared: Api) -> AsyncIterator[Wire]:
    async with listening(shared) as wire:
        yield wire


@pytest.fixture(scope="module")
async def payer(shared: Api) -> Person:
    return await shared.person("payer", "1000.00 EUR")


@pytest.fixture(scope="module")
async def shop(shared: Api) -> Person:
    return await shared.person("shop")


PAYMENT = b'{"to": "@shop", "amount": "0.01", "asset": "EUR"}'

#: A call by each way that a request takes, and the status that it has when it is done.
WAYS = {
    "payment": ("/v1/payments", PAYMENT, 201),
    "held": ("/v1/payments", PAYMENT[:-1] + b', "capture": false}', 201),
    "deposit": ("/v1/deposits", b'{"amount": "0.01", "asset": "EUR"}', 201),
}

every_way = pytest.mark.parametrize("way", WAYS)


async def moved(api: Api) -> int:
    """How often money moved or was held."""
    async with api.services.database.reading() as connection:
        count: int = await connection.fetchval(
            "SELECT (SELECT count(*) FROM payment) + (SELECT count(*) FROM bank_movement)"
        )
    return count


def chunked(body: bytes, extension: bytes = b"", last: bytes = b"0\r\n\r\n") -> bytes:
    return b"%x%b\r\n%b\r\n%b" % (len(body), extension, body, last)


#: What may stand in the head and change nothing.
HARMLESS = [
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
    ["Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
    ["Upgrade: h2c", "Connection: keep-alive", "connection: UPGRADE", "upgrade: TLS/1.0, HTTP/2.0"],
    ["Upgrade: h2c"],
    ["Connection: Upgrade"],
    ["Connection: Idempotency-Key, Authorization, Content-Length"],
    ["TE: trailers, deflate;q=0.5", "Connection: TE"],
    ["Trailer: X-Checksum"],
    ["Via: 1.0 fred, 1.1 p.example.net", "Max-Forwards: 0"],
    ["Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic eDp5"],
    ["Content-Length: \t{length} \t"],
    ["Content-Length: 000{length}"],
    ["CONTENT-LENGTH:{length}"],
    ["Transfer-Encoding: chunked"],
    ["Transfer-Encoding:CHUNKED "],
    ["Transfer-Encoding: chunked", "Connection: Upgrade", "Upgrade: h2c"],
    ["Expect: 100-Continue"],
]


@every_way
@pytest.mark.parametrize("fields", HARMLESS, ids=lambda fields: " ".join(fields)[:60])
@pytest.mark.parametrize("parts", [1, 2, 3])
async def test_a_request_is_done_once_whatever_else_its_head_says(
    wire: Wire, payer: Person, shop: Person, way: str, fields: list[str], parts: int
) -> None:
    path, body, done = WAYS[way]
    fields = [field.format(length=len(body)) for field in fields]
    framing = [one for one in fields if one.lower().startswith(("content-length", "transfer-encoding"))]
    if not framing:
        fields = [*fields, f"Content-Length: {len(body)}"]
    sent = chunked(body) if framing and "hunked" in framing[0].lower() else body
    first = head(f"POST {path} HTTP/1.1", payer, *fields, key=uuid4().hex)
    then = head("GET /health/live HTTP/1.1", None, "Connection: close")
    before = await moved(wire.api)

    pieces = {
        1: (first + sent + then,),
        2: (first, sent + then),
        3: (first[:-9], first[-9:] + sent[:7], sent[7:] + then),
    }[parts]
    answers = await wire.send(*pieces)

    assert [answer.status for answer in answers if answer.status != 100] == [done, 200]
    assert await moved(wire.api) == before + 1


#: Heads that say in two ways where the body ends, or in none; what is answered, and then nothing more.
AMBIGUOUS: list[tuple[list[str], int]] = [
    (["Content-Length: {length}", "Transfer-Encoding: chunked"], 400),
    (["Transfer-Encoding: chunked", "Content-Length: {length}"], 400),
    (["Content-Length: {length}", "Content-Length: {length}"], 400),
    (["Content-Length: {length}", "Content-Length: 0"], 400),
    (["Content-Length: 0", "Content-Length: {length}"], 400),
    (["Content-Length: {length}, {length}"], 400),
    (["Content-Length: +{length}"], 400),
    (["Content-Length: -{length}"], 400),
    (["Content-Length: 0x{length}"], 400),
    (["Content-Length: {length}.0"], 400),
    (["Content-Length: 1 0"], 400),
    (["Content-Length:"], 400),
    (["Content-Length: 99999999999999999999999999"], 400),
    (["Content-Length : {length}"], 400),
    (["Content-Length\t: {length}"], 400),
    (["X-Before: a", " Content-Length: {length}"], 400),
    (["Content-Length:", " {length}"], 400),
    (["Transfer-Encoding:", " chunked"], 400),
    (["X-Before: a\nContent-Length: {length}"], 400),
    (["X-Before: a\rContent-Length: {length}"], 400),
    (["X-Before: a\0b", "Content-Length: {length}"], 400),
    (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 400),
    (["Transfer-Encoding: chunked, chunked"], 400),
    (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], 400),
    (["Transfer-Encoding: identity", "Content-Length: {length}"], 400),
    (["Transfer-Encoding: identity"], 400),
    (["Transfer-Encoding: gzip"], 400),
    (["Transfer-Encoding: chunked, gzip"], 400),
    (["Transfer-Encoding: gzip, chunked"], 501),
    (["Transfer-Encoding: identity, chunked"], 501),
    (["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"], 501),
    (["Transfer-Encoding: xchunked"], 400),
    (["Transfer-Encoding: chunked;q=1"], 400),
    (['Transfer-Encoding: "chunked"'], 400),
    (["Transfer-Encoding: \x0bchunked"], 400),
    (["Transfer-Encoding: chun ked"], 400),
    (["Transfer-Encoding : chunked"], 400),
    (["Transfer-Encoding:"], 400),
    (["Expect: 100-continue, 200-ok", "Content-Length: {length}"], 417),
    (["Expect: payment", "Content-Length: {length}"], 417),
    (["Host: elsewhere", "Content-Length: {length}"], 400),
    (["Host: gateway", "Content-Length: {length}"], 400),
]


@every_way
@pytest.mark.parametrize(("fields", "status"), AMBIGUOUS, ids=lambda value: repr(value)[:60])
@pytest.mark.parametrize("upgrade", [[], ["Connection: Upgrade", "Upgrade: h2c"]], ids=["", "upgrade"])
async def test_a_head_that_can_be_read_in_two_ways_is_refused_and_the_connection_ends(
    wire: Wire, payer: Person, shop: Person, way: str, fields: list[str], status: int, upgrade: list[str]
) -> None:
    path, body, _ = WAYS[way]
    fields = [field.format(length=len(body)) for field in (*upgrade, *fields)]
    sent = chunked(body) if any("hunked" in field for field in fields) else body
    before = await moved(wire.api)

    behind = (f"Content-Length: {len(body)}", "Connection: close")  # were it read, it would be answered, and the last
    hidden = head(f"POST {path} HTTP/1.1", payer, *behind, key=uuid4().hex) + body
    (answer,) = await wire.send(head(f"POST {path} HTTP/1.1", payer, *fields, key=uuid4().hex) + sent + hidden)

    assert (answer.status, answer.header("connection")) == (status, "close")
    assert answer.problem["code"] == "invalid_request"
    assert answer.header("x-request-id")
    assert answer.header("date")
    assert await moved(wire.api) == before


@every_way
@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (["Content-Length: 2", "Content-Length: 2"], "Content-Length"),
        (["Content-Length: 2", "Content-Length: 3"], "Content-Length"),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "Transfer-Encoding"),
        (["Content-Length: 2", "Host: gateway"], "Host"),
    ],
)
async def test_a_header_of_framing_that_stands_twice_is_named(
    wire: Wire, payer: Person, way: str, fields: list[str], name: str
) -> None:
    (answer,) = await wire.send(head(f"POST {WAYS[way][0]} HTTP/1.1", payer, *fields, key=uuid4().hex) + b"{}")
    assert answer.status == 400
    assert name in answer.problem["detail"]


#: Chunks that break the grammar of RFC 9112, 7.1.
CHUNKS = [
    b"%x\n{}\n0\n\n",
    b"%x \r\n{}\r\n0\r\n\r\n",
    b"+%x\r\n{}\r\n0\r\n\r\n",
    b"-%x\r\n{}\r\n0\r\n\r\n",
    b"0x%x\r\n{}\r\n0\r\n\r\n",
    b"%x\r\n{}0\r\n\r\n",
    b"%x\r\n{}X\r\n0\r\n\r\n",
    b"%x;a\n{}\r\n0\r\n\r\n",
    b"1%015x%x\r\n{}\r\n0\r\n\r\n",
    b"%x\r\n{}\r\n0\r\nIdempotency-Key: other\r\n\r\n",
    b"%x\r\n{}\r\n0\r\nX-Checksum: 1\r\n\r\n",
]


@every_way
@pytest.mark.parametrize("chunk", CHUNKS, ids=repr)
async def test_a_body_whose_chunks_are_not_in_the_grammar_is_refused(
    wire: Wire, payer: Person, shop: Person, way: str, chunk: bytes
) -> None:
    path, body, _ = WAYS[way]
    sent = (chunk % ((0, len(body)) if chunk.count(b"%") > 1 else len(body))).replace(b"{}", body)
    before = await moved(wire.api)

    (answer,) = await wire.send(
        head(f"POST {path} HTTP/1.1", payer, "Transfer-Encoding: chunked", key=uuid4().hex) + sent
    )

    assert (answer.status, answer.header("connection")) == (400, "close")
    assert answer.problem["code"] == "invalid_request"
    assert await moved(wire.api) == before


@every_way
async def test_chunk_extensions_are_passed_over(wire: Wire, payer: Person, shop: Person, way: str) -> None:
    path, body, done = WAYS[way]
    sent = chunked(body, b';a=b;c="d"', b"0;last\r\n\r\n")
    fields = ["Transfer-Encoding: chunked", "Connection: close"]

    (answer,) = await wire.send(head(f"POST {path} HTTP/1.1", payer, *fields, key=uuid4().hex) + sent)

    assert answer.status == done


#: Request lines and hosts; what is answered to each.
LINES: list[tuple[bytes, int]] = [
    (b"GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200),
    (b"\r\n\r\nGET /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200),
    (b"GET /health/live HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 200),
    (b"GET /health/live HTTP/1.1\r\nHost: [::1]:8000\r\nConnection: close\r\n\r\n", 200),
    (b"GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: Close\r\n\r\n", 200),
    (b"GET http://h/health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200),
    (b"GET HTTP://h:80/health/live HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n", 200),
    (b"GET http://h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 404),
    (b"GET http://me@h/health/live HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /health/live HTTP/1.0\r\n\r\n", 200),
    (b"GET /health/live HTTP/1.0\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n", 200),
    (b"GET /health/live HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400),
    (b"GET /health/live HTTP/1.1\r\n\r\n", 400),
    (b"GET /health/live HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    (b"GET /health/live HTTP/1.1\r\nHost: me@h\r\n\r\n", 400),
    (b"GET /health/live HTTP/1.1\r\nHost: h/x\r\n\r\n", 400),
    (b"GET /health/live HTTP/1.1\r\nHost: h, h\r\n\r\n", 400),
    (b"GET /health/live#x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /health/live HTTP/2.0\r\nHost: h\r\n\r\n", 505),
    (b"GET /health/live HTTP/0.9\r\nHost: h\r\n\r\n", 505),
    (b"GET /health/live\r\n\r\n", 505),
    (b"GET /health/live HTTP/1.2\r\nHost: h\r\n\r\n", 400),
    (b"GET /health/live http/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /health/live HTTP/1.1\nHost: h\n\n", 400),
    (b"GET /health live HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (b"GET /health/live HTTP/1.1\r\n Host: h\r\n\r\n", 400),
    (b"GET /health/live HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (b"get /health/live HTTP/1.1\r\nHost: h\r\n\r\n", 501),
    (b"PAY /health/live HTTP/1.1\r\nHost: h\r\n\r\n", 501),
    (b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nGET /health/live HTTP/1.1\r\nHost: h\r\n\r\n", 501),
    (b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nContent-Length: 2\r\n\r\n{}", 501),
    (b"TRACE /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 405),
    (b"PROPFIND /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 405),
]


@pytest.mark.parametrize(("sent", "status"), LINES, ids=lambda value: repr(value)[:70])
async def test_a_request_line_and_its_host_are_read_by_the_book(wire: Wire, sent: bytes, status: int) -> None:
    (answer,) = await wire.send(sent)

    assert (answer.status, answer.header("connection")) == (status, "close")
    if status >= 400:
        assert answer.problem["code"] in ("invalid_request", "not_found", "method_not_allowed")


async def test_requests_in_a_row_are_answered_in_their_order(wire: Wire, payer: Person, shop: Person) -> None:
    paying = [
        head("POST /v1/payments HTTP/1.1", payer, f"Content-Length: {len(PAYMENT)}", key=uuid4().hex) + PAYMENT
        for _ in range(5)
    ]
    asking = head("GET /v1/wallet HTTP/1.1", payer)

    answers = await wire.send(
        b"".join([*paying, asking, paying[0][:-1] + b"}", asking[:-2] + b"Connection: close\r\n\r\n"])
    )

    assert [answer.status for answer in answers] == [201] * 5 + [200, 201, 200]
    assert answers[6].header("idempotency-replayed") == "true"
    assert len({json.loads(answer.body)["id"] for answer in answers[:5]}) == 5


@pytest.mark.parametrize(
    "broken",
    [
        b"NONSENSE\r\n\r\n",
        b"POST /v1/payments HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"POST /v1/payments HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n{",
    ],
    ids=["no request", "half a body", "two lengths"],
)
async def test_a_request_that_cannot_be_read_takes_no_answer_from_those_before_it(
    wire: Wire, payer: Person, shop: Person, broken: bytes
) -> None:
    paying = [
        head("POST /v1/payments HTTP/1.1", payer, f"Content-Length: {len(PAYMENT)}", key=uuid4().hex) + PAYMENT
        for _ in range(3)
    ]

    answers = await wire.send(b"".join(paying) + broken + paying[0])

    assert [answer.status // 100 for answer in answers] == [2, 2, 2, 4 if b"NONSENSE" not in broken else 5]
    assert answers[-1].header("connection") == "close"


async def test_a_client_that_waits_for_it_is_told_to_go_on(wire: Wire, payer: Person, shop: Person) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    fields = [f"Content-Length: {len(PAYMENT)}", "Expect: 100-continue"]
    for last in ([], ["Connection: close"]):
        writer.write(head("POST /v1/payments HTTP/1.1", payer, *fields, *last, key=uuid4().hex))
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HANG_SECONDS) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(PAYMENT)
        assert (await asyncio.wait_for(reader.readline(), HANG_SECONDS)).startswith(b"HTTP/1.1 201 ")
        if not last:
            headers = dict([line.split(b": ") async for line in _lines(reader)])
            await reader.readexactly(int(headers[b"content-length"]))
    await reader.read()
    writer.close()


async def test_a_client_that_is_refused_before_its_body_is_not_read_on(wire: Wire) -> None:
    waiting = head("POST /v1/payments/batch HTTP/1.1", None, "Content-Length: 60", "Expect: 100-continue")
    hidden = head("GET /v1/handles/hidden HTTP/1.1")

    (answer,) = await wire.send(waiting, hidden)

    assert (answer.status, answer.header("connection")) == (401, "close")


async def test_an_older_client_is_not_told_to_go_on(wire: Wire, payer: Person, shop: Person) -> None:
    fields = [f"Content-Length: {len(PAYMENT)}", "Expect: 100-continue"]
    (answer,) = await wire.send(head("POST /v1/payments HTTP/1.0", payer, *fields, key=uuid4().hex) + PAYMENT)
    assert answer.status == 201


async def test_an_older_client_cannot_send_chunks(wire: Wire, payer: Person, shop: Person) -> None:
    before = await moved(wire.api)
    fields = ["Transfer-Encoding: chunked"]
    (answer,) = await wire.send(head("POST /v1/payments HTTP/1.0", payer, *fields, key=uuid4().hex) + chunked(PAYMENT))
    assert (answer.status, await moved(wire.api)) == (400, before)


async def test_an_older_client_is_sent_no_chunks(wire: Wire, payer: Person, shop: Person) -> None:
    lines = (PAYMENT + b"\n") * 3
    fields = ["Content-Type: application/x-ndjson", f"Content-Length: {len(lines)}"]
    (answer,) = await wire.send(head("POST /v1/payments/batch HTTP/1.0", payer, *fields, key=uuid4().hex) + lines)
    assert (answer.status, answer.header("transfer-encoding")) == (200, None)
    assert [json.loads(line)["status"] for line in answer.body.splitlines()] == [201] * 3
    fields[1] = f"Content-Length: {9 * 2**20}"
    (answer,) = await wire.send(head("POST /v1/payments/batch HTTP/1.0", payer, *fields, key=uuid4().hex))
    assert answer.status == 413


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
async def test_a_body_where_none_is_read_is_not_the_next_request(wire: Wire, payer: Person, method: str) -> None:
    hidden = head("GET /v1/handles/shop HTTP/1.1")
    first = head(f"{method} /health/live HTTP/1.1", None, f"Content-Length: {len(hidden)}")
    answers = await wire.send(
        first + hidden + head("GET /health/live HTTP/1.1", None, "Connection: close"), heads=method == "HEAD"
    )
    assert [answer.status for answer in answers] == [{"OPTIONS": 204, "DELETE": 405}.get(method, 200), 200]
    assert json.loads(answers[-1].body) == {"status": "ok"}


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a head that are left."""
    while (line := await asyncio.wait_for(reader.readline(), HANG_SECONDS)) != b"\r\n":
        yield line
