"""Traces of what a gateway is asked, as a collector is sent them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from threading import Event
from typing import Any
from uuid import uuid4

import pytest

from gateway import __version__
from gateway.api.payments.fast.fast_payments import FastPayments
from gateway.ids import read
from gateway.money import Assets
from gateway.postgres.pool import Database
from gateway.tracing.exporter import Exporter
from gateway.tracing.tracer import Tracer
from tests.api.conftest import Api, Person, opened
from tests.api.wire import Wire, head, listening
from tests.databases import until_waiting
from tests.processes import HANG_SECONDS
from tests.tracing.collector import Collector, Seen, collecting

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = f"traceparent: 00-{TRACE}-{SPAN}-01"
SECRET = "hushhush"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@asynccontextmanager
async def traced(database: Database, assets: Assets, url: str, ratio: float = 1.0) -> AsyncIterator[Wire]:
    """A gateway on a socket that sends its traces there; all have been sent at the end."""
    exporter = Exporter(url, "serve", __version__)
    try:
        async with (
            opened(database, assets, tracer=Tracer(ratio, database.clock, exporter.record)) as api,
            listening(api) as wire,
        ):
            yield wire
    finally:
        await asyncio.to_thread(exporter.close)


@asynccontextmanager
async def people(api: Api, prefix: str = "") -> AsyncIterator[tuple[Person, Person]]:
    payer = await api.person(f"{prefix}payer", "1000.00 EUR", "10 USDX")
    shop = await api.person(f"{prefix}shop")
    for money in ("0.01 EUR", "0.01 USDX"):
        await payer.pay(f"@{prefix}shop", money)  # which opens the accounts
    yield payer, shop


def post(payer: Person, path: str, body: dict[str, Any], *fields: str) -> bytes:
    written = json.dumps(body).encode()
    length = f"Content-Length: {len(written)}"
    return head(f"POST {path} HTTP/1.1", payer, length, *fields, key=uuid4().hex) + written


async def answers(wire: Wire, *requests: bytes) -> list[dict[str, Any]]:
    got = [await wire.send(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)) for request in requests]
    return [json.loads(one.body) for (one,) in got]


def of(spans: list[Seen], payment: str) -> list[Seen]:
    """The spans of a payment's trace, by the times at which they began."""
    trace = read("pay", payment).hex
    return sorted((span for span in spans if span.trace == trace), key=lambda one: one.start)


@pytest.mark.parametrize("way", ["before the router", "behind the router"])
@pytest.mark.parametrize(("asset", "function"), [("EUR", "settle_payments"), ("USDX", "hold_payments")])
async def test_a_payment_is_a_trace_with_its_request_and_its_commit(
    database: Database,
    assets: Assets,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    asset: str,
    function: str,
) -> None:
    if way == "behind the router":
        monkeypatch.setattr(FastPayments, "read", lambda *_: None)
        function = "payments"
    async with traced(database, assets, collector.url) as wire, people(wire.api) as (payer, _):
        body = {"to": "@shop", "amount": "0.02", "asset": asset}
        paid, again = await answers(wire, *[post(payer, "/v1/payments", body, CALLER) for _ in range(2)])

    assert paid["id"] != again["id"]
    request, commit = of(collector.spans, paid["id"])
    assert (request.name, request.kind, request.parent) == ("POST /v1/payments", "server", "")
    assert request.span == read("pay", paid["id"]).hex[16:]
    assert request.links == [(TRACE, SPAN)], "the caller's own trace is linked"
    assert request.service == "gateway-serve"
    said = {"gateway.payment.id": paid["id"], "gateway.payment.state": paid["state"]}
    said |= {"gateway.payment.rail": paid["route"]["rail"], "http.request.method": "POST"}
    said |= {"http.route": "/v1/payments", "http.response.status_code": 201 if asset == "EUR" else 202}
    if way == "behind the router":
        said["gateway.wallet.id"] = payer.wallet_id
    assert request.attributes == said
    assert (commit.name, commit.kind, commit.parent) == (f"PostgreSQL {function}", "client", request.span)
    said = {"gateway.payment.id": paid["id"], "gateway.group.size": 1, "db.system.name": "postgresql"}
    assert (commit.attributes, commit.links) == (said, [])
    assert request.start <= commit.start <= commit.end <= request.end + 10**6


async def test_payments_that_share_a_commit_are_linked_with_it_and_keep_their_own_traces(
    database: Database, assets: Assets, collector: Collector
) -> None:
    async with traced(database, assets, collector.url) as wire, people(wire.api) as (payer, _):
        body = {"to": "@shop", "amount": "0.02", "asset": "EUR"}
        async with database.transaction() as connection, database.reading() as watching:
            await connection.execute("SELECT FROM account WHERE code = 'wallet:payer:EUR' FOR UPDATE")
            asking = [asyncio.create_task(answers(wire, post(payer, "/v1/payments", body)))]
            await until_waiting(watching, 1)
            asking += [asyncio.create_task(answers(wire, post(payer, "/v1/payments", body))) for _ in range(4)]
            for _ in asking:
                await wire.turn()
        paid = [one["id"] for (one,) in await asyncio.gather(*asking)]

    commits = [of(collector.spans, id)[-1] for id in paid]
    assert {commit.name for commit in commits} == {"PostgreSQL settle_payments"}
    assert sorted(int(commit.attributes["gateway.group.size"]) for commit in commits) == [1, 4, 4, 4, 4]
    (group,) = {link for commit in commits for link in commit.links}
    (whole,) = (span for span in collector.spans if (span.trace, span.span) == group)
    assert (whole.name, whole.parent) == ("group commit", "")
    assert whole.attributes == {"gateway.group.size": 4, "db.system.name": "postgresql"}
    assert set(whole.links) == {(commit.trace, commit.span) for commit in commits if commit.links}


@pytest.mark.parametrize("way", ["before the router", "behind the router"])
async def test_what_is_done_to_a_payment_is_in_its_trace(
    database: Database, assets: Assets, collector: Collector, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "behind the router":
        monkeypatch.setattr(FastPayments, "read", lambda *_: None)
    async with traced(database, assets, collector.url) as wire, people(wire.api) as (payer, shop):
        body = {"to": "@shop", "amount": "0.02", "asset": "EUR", "capture": False}
        (held,) = await answers(wire, post(payer, "/v1/payments", body))
        path = f"/v1/payments/{held['id']}"
        (captured,) = await answers(wire, post(payer, f"{path}/capture", {}))
        (refused,) = await answers(wire, post(payer, f"{path}/void", {}))
        (refund,) = await answers(wire, post(shop, f"{path}/refund", {}))

    assert (captured["state"], refused["code"]) == ("settled", "state_conflict")
    trace = of(collector.spans, held["id"])
    root = trace[0]
    requests = {span.name: span for span in trace if span.kind == "server"}
    assert list(requests) == ["POST /v1/payments", "POST /v1/payments/{id}/capture", "POST /v1/payments/{id}/void"]
    assert {span.parent for span in requests.values()} == {"", root.span}
    assert requests["POST /v1/payments/{id}/void"].attributes["http.response.status_code"] == 409
    statement = "PostgreSQL " + ("end_payments" if way == "before the router" else "captures and voids")
    assert [span.name for span in trace if span.kind == "client"].count(statement) == 1
    its_own = of(collector.spans, refund["id"])
    assert [span.name for span in its_own] == ["POST /v1/payments/{id}/refund", "PostgreSQL refunds"]


async def test_a_repeated_payment_is_no_second_root(database: Database, assets: Assets, collector: Collector) -> None:
    async with traced(database, assets, collector.url) as wire, people(wire.api) as (payer, _):
        asked = post(payer, "/v1/payments", {"to": "@shop", "amount": "0.02", "asset": "EUR"})
        paid, again = await answers(wire, asked, asked)

    assert paid == again
    assert [span.name for span in of(collector.spans, paid["id"])].count("POST /v1/payments") == 1


async def test_each_payment_of_a_batch_has_a_trace(database: Database, assets: Assets, collector: Collector) -> None:
    async with traced(database, assets, collector.url) as wire, people(wire.api) as (payer, _):
        lines: Any = [{"to": "@shop", "amount": "0.02", "asset": asset} for asset in ("EUR", "USDX")]
        ((first, second),) = await answers(wire, post(payer, "/v1/payments/batch", lines))

    for paid in (first, second):
        root, part = of(collector.spans, paid["id"])
        assert (root.name, root.parent, part.name, part.parent) == (
            *("POST /v1/payments/batch", "", "PostgreSQL batch", root.span),
        )
        assert root.span == read("pay", paid["id"]).hex[16:]


@pytest.mark.parametrize(("flags", "count"), [("01", 1), ("00", 0)])
async def test_another_request_goes_on_with_its_callers_trace(
    database: Database, assets: Assets, collector: Collector, flags: str, count: int
) -> None:
    async with traced(database, assets, collector.url, ratio=0.5) as wire, people(wire.api) as (payer, _):
        asked = head("GET /v1/wallet HTTP/1.1", payer, f"traceparent: 00-{TRACE}-{SPAN}-{flags}")
        (wallet,) = await answers(wire, asked)

    assert wallet["handle"] == "payer"
    found = [span for span in collector.spans if span.trace == TRACE]
    assert [(span.name, span.parent) for span in found if span.kind == "server"] == [("GET /v1/wallet", SPAN)] * count
    reading = [(span.name, span.kind) for span in found if span.name.startswith("PostgreSQL")]
    assert reading[:1] == [("PostgreSQL snapshot", "client")] * count


async def test_whether_a_payment_is_traced_follows_from_its_id_alone(
    database: Database, assets: Assets, collector: Collector
) -> None:
    async with traced(database, assets, collector.url, ratio=0.5) as wire, people(wire.api) as (payer, _):
        body = {"to": "@shop", "amount": "0.01", "asset": "EUR"}
        paid = await answers(wire, *[post(payer, "/v1/payments", body, CALLER) for _ in range(40)])

    tracer = Tracer(0.5, database.clock, lambda _: None)
    sampled = {one["id"] for one in paid if tracer.ratio.takes(read("pay", one["id"]))}
    assert 0 < len(sampled) < 40
    for one in paid:
        assert len(of(collector.spans, one["id"])) == (2 if one["id"] in sampled else 0)


async def test_nothing_sent_says_who_somebody_is(database: Database, assets: Assets, collector: Collector) -> None:
    async with traced(database, assets, collector.url) as wire, people(wire.api, SECRET) as (payer, shop):
        note = {"memo": f"{SECRET}memo", "reference": f"{SECRET}ref", "metadata": {f"{SECRET}key": SECRET}}
        body = {"to": f"@{SECRET}shop", "amount": "0.07", "asset": "EUR"}
        said = (CALLER, f"X-Request-Id: {SECRET}", f"tracestate: {SECRET}=1", f"User-Agent: {SECRET}")
        address = {**body, "to": "0x" + "ab" * 20, "asset": "USDX"}
        asked = [
            *(post(payer, "/v1/payments", one, *said) for one in (body, {**body, **note}, address)),
            post(payer, "/v1/payments", {**body, "to": f"@{SECRET}nobody"}, *said),
            post(payer, "/v1/payments/batch", [{**body, **note}], *said),
            head(f"GET /v1/handles/{SECRET}shop HTTP/1.1", shop, *said),
            head(f"GET /v1/payments?memo={SECRET}memo HTTP/1.1", shop, *said),
            head(f"GET /{SECRET} HTTP/1.1", shop, *said),
        ]
        await answers(wire, *asked)

    sent = b"".join(collector.bodies)
    assert len(collector.spans) > len(asked)
    for what in (SECRET, "0.07", "abab", payer.api_key, "127.0.0.1"):
        assert what.encode() not in sent, what
    known = {"gateway.payment.id", "gateway.payment.state", "gateway.payment.rail", "gateway.wallet.id"}
    known |= {"gateway.group.size", "db.system.name", "http.request.method", "http.route", "http.response.status_code"}
    assert {name for span in collector.spans for name in span.attributes} == known


async def test_a_collector_that_is_away_costs_no_payment_and_is_told_of_once(
    database: Database, assets: Assets, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with traced(database, assets, "http://127.0.0.1:9/v1/traces") as wire, people(wire.api) as (payer, _):
        body = {"to": "@shop", "amount": "0.01", "asset": "EUR"}
        paid = await answers(wire, *[post(payer, "/v1/payments", body) for _ in range(20)])

    assert {one["state"] for one in paid} == {"settled"}
    said = [one for one in caplog.records if "traces" in one.getMessage() or one.name.startswith("opentelemetry")]
    assert {one.name for one in said} == {"gateway.tracing.exporter"}
    assert len(said) <= 2, "that they cannot be sent, and that the last were not"


async def test_a_collector_that_does_not_answer_costs_no_payment_and_no_memory(
    database: Database, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.tracing.exporter._END", 0.1)
    monkeypatch.setattr("gateway.tracing.exporter._QUEUE_MAX", 128)
    asked, go_on = Event(), Event()

    def hang() -> int:
        asked.set()
        go_on.wait(HANG_SECONDS)
        return 503

    with collecting(hang) as silent:
        exporter = Exporter(silent.url, "serve", __version__)
        tracer = Tracer(1.0, database.clock, exporter.record)
        async with opened(database, assets, tracer=tracer) as api, listening(api) as wire, people(api) as (payer, _):
            assert await asyncio.to_thread(asked.wait, HANG_SECONDS)
            body = {"to": "@shop", "amount": "0.01", "asset": "EUR"}
            paid = await answers(wire, *[post(payer, "/v1/payments", body) for _ in range(100)])
            left = len(exporter._queue._batch_processor._queue)
        await asyncio.to_thread(exporter.close)
        go_on.set()

    assert {one["state"] for one in paid} == {"settled"}
    assert left <= 128
