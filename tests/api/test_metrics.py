"""What a server tells Prometheus of requests and payments, whichever way they were answered."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.api import metrics
from gateway.api.methods import Gateway
from gateway.api.payments.fast.fast_payments import FastPayments
from gateway.cli.processes.process import exporter_of
from gateway.embedded.postgres import Postgres
from gateway.events import hub as hub_module
from gateway.identity.rate_limits import Rate, Rates
from gateway.ids import WalletId, read
from gateway.metrics.catalogue import BY_NAME, METRICS
from gateway.metrics.exporter import Exporter
from tests.api.conftest import Api, Person
from tests.api.wire import Wire, head, listening
from tests.processes import HANG_SECONDS
from tests.servers import stopped

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

CLOSE = "Connection: close"


@dataclass
class Watched:
    """A gateway on a socket, and what it tells."""

    wire: Wire
    exporter: Exporter

    async def told(self) -> str:
        transport = httpx.ASGITransport(app=self.exporter)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return (await client.get("/metrics")).text

    async def of(self, name: str) -> dict[tuple[str, ...], float]:
        """The values of a metric, by the values of its labels in the order of the catalogue."""
        labels = BY_NAME[name.removesuffix("_count")].labels
        return {
            tuple(sample.labels[label] for label in labels): sample.value
            for family in text_string_to_metric_families(await self.told())
            for sample in family.samples
            if sample.name == name
        }

    async def send(self, payer: Person, path: str, body: str, key: str | None = None) -> int:
        """A POST on a connection of its own. Its status."""
        length = f"Content-Length: {len(body)}"
        sent = head(f"POST {path} HTTP/1.1", payer, length, CLOSE, key=key or uuid4().hex) + body.encode()
        (answer,) = await self.wire.send(sent)
        return answer.status


@pytest.fixture
async def watched(api: Api) -> AsyncIterator[Watched]:
    async with listening(api) as wire:
        exporter = exporter_of(api.services.database)
        metrics.export(exporter, wire.server.config.app)  # type: ignore[arg-type] # it is the application
        yield Watched(wire, exporter)


@pytest.fixture
async def payer(api: Api) -> Person:
    payer = await api.person("payer", "1000.00 EUR", "10 USDX")
    await api.person("shop")
    await payer.pay("@shop", "0.01 EUR")  # which opens the accounts
    await payer.pay("@shop", "0.01 USDX")
    return payer


async def test_each_outcome_of_a_payment_is_counted_by_its_rail(watched: Watched, payer: Person) -> None:
    bodies = [
        '{"to": "@shop", "amount": "0.01", "asset": "EUR"}',
        '{"to": "@shop", "amount": "0.01", "asset": "EUR", "capture": false}',
        '{"to": "@shop", "amount": "0.01", "asset": "USDX"}',
        '{"to": "@shop", "amount": "90000.00", "asset": "EUR"}',
        '{"to": "@nobody", "amount": "0.01", "asset": "EUR"}',
        '{"to": "@shop", "amount": "0.01", "asset": "XXX"}',
        '{"to": "@shop"}',
    ]
    statuses = [await watched.send(payer, "/v1/payments", body) for body in bodies]

    assert statuses == [201, 201, 202, 409, 404, 422, 400]
    assert await watched.of("gateway_payments_total") == {
        ("ledger", "settled"): 1,
        ("ledger", "held"): 1,
        ("chain", "accepted"): 1,
        ("ledger", "insufficient_funds"): 1,
        ("ledger", "unknown_payee"): 1,
        ("none", "unknown_asset"): 1,
        ("none", "invalid_request"): 1,
    }


async def test_the_fast_path_counts_as_the_router_does(
    watched: Watched, payer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def all_calls() -> None:
        payment = '{"to": "@shop", "amount": "0.01", "asset": "EUR"}'
        assert await watched.send(payer, "/v1/payments", payment) == 201
        held = await payer.pay("@shop", "0.02 EUR", capture=False)
        captured = held.json()["id"]
        assert await watched.send(payer, f"/v1/payments/{captured}/capture", "{}") == 200
        voided = (await payer.pay("@shop", "0.02 EUR", capture=False)).json()["id"]
        assert await watched.send(payer, f"/v1/payments/{voided}/void", "{}") == 200

    names = (
        "gateway_http_requests_total",
        "gateway_http_request_duration_seconds_count",
        "gateway_payments_total",
    )
    await all_calls()
    fast = {name: await watched.of(name) for name in names}
    monkeypatch.setattr(FastPayments, "read", lambda *_: None)
    monkeypatch.setattr(FastPayments, "read", lambda *_: None)
    await all_calls()
    both = {name: await watched.of(name) for name in names}

    assert fast["gateway_http_requests_total"] == {
        ("POST", "/v1/payments", "201"): 1,
        ("POST", "/v1/payments/{id}/capture", "200"): 1,
        ("POST", "/v1/payments/{id}/void", "200"): 1,
    }
    assert both == {name: {labels: 2 * count for labels, count in one.items()} for name, one in fast.items()}


async def test_each_line_of_a_batch_counts(watched: Watched, payer: Person) -> None:
    lines = [
        '{"to": "@shop", "amount": "0.01", "asset": "EUR"}',
        '{"to": "@shop", "amount": "0.01", "asset": "USDX"}',
        '{"to": "@shop", "amount": "90000.00", "asset": "EUR"}',
    ]
    assert await watched.send(payer, "/v1/payments/batch", f"[{','.join(lines)}]") == 200

    assert await watched.of("gateway_payments_total") == {
        ("ledger", "settled"): 1,
        ("chain", "accepted"): 1,
        ("ledger", "insufficient_funds"): 1,
    }


async def test_no_label_is_what_a_caller_chooses(watched: Watched, payer: Person) -> None:
    await watched.send(payer, "/v1/payments", '{"to": "@shop", "amount": "0.01", "asset": "EUR", "memo": "hush"}')
    odd = (
        head("GET /v1/wallet HTTP/1.1", payer),
        head("GET /v1/handles/shop HTTP/1.1", payer),
        head("GET /v1/secretpath HTTP/1.1", payer),
        head("PROPFIND /v1/wallet HTTP/1.1", payer, CLOSE),
    )
    await watched.wire.send(*odd)

    told = await watched.told()
    for word in ("payer", "hush", "secretpath", "shop", "PROPFIND", payer.wallet_id, payer.address, payer.api_key):
        assert word not in told
    routes = {route for _, route, _ in await watched.of("gateway_http_requests_total")}
    assert {"/v1/wallet", "/v1/handles/{handle}", "none"} <= routes


async def test_a_server_tells_every_metric_that_is_its_own(watched: Watched, payer: Person) -> None:
    await watched.send(payer, "/v1/payments", '{"to": "@shop", "amount": "0.01", "asset": "EUR"}')

    assert watched.exporter.names == {metric.name for metric in METRICS if metric.of != "work"}
    for name, value in {
        "gateway_ready": 1,
        "gateway_database_up": 1,
        "gateway_node_up": 0,
        "gateway_workers_late": 1,
        "gateway_event_streams": 0,
    }.items():
        assert await watched.of(name) == {(): value}, name
    assert (await watched.of("gateway_event_log_position"))[()] > 0
    assert (await watched.of("gateway_group_size_count"))["ledger_payments",] == 1
    assert (await watched.of("gateway_database_acquire_seconds_count"))[()] > 0
    connections = await watched.of("gateway_database_connections")
    assert 0 < sum(connections.values()) <= (await watched.of("gateway_database_connections_max"))[()]


async def test_a_server_that_stops_is_not_ready(watched: Watched) -> None:
    watched.wire.api.services.stopping.set()

    assert await watched.of("gateway_ready") == {(): 0}


async def test_what_is_not_known_while_the_database_is_away_is_left_out(watched: Watched, server: Postgres) -> None:
    with stopped(server):
        families = text_string_to_metric_families(await watched.told())
    found = {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}
    assert (found["gateway_ready"], found["gateway_database_up"]) == (0, 0)
    assert found.keys().isdisjoint({"gateway_node_up", "gateway_workers_late", "gateway_event_log_position"})


async def test_what_a_limit_refuses_is_counted_by_its_kind(watched: Watched, payer: Person) -> None:
    limits = watched.wire.api.services.limits
    limits.rates = Rates(sign_ups=Rate(1, timedelta(hours=1)))
    statuses = [await watched.send(payer, "/v1/handles", f'{{"handle": "taken{n}"}}') for n in range(3)]

    assert statuses[-1] == 429
    assert await watched.of("gateway_rate_limited_total") == {("sign-ups",): statuses.count(429)}


async def test_streams_are_counted_and_those_that_are_cut(
    watched: Watched, payer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "KEPT_MAX", 2)
    gateway = watched.wire.server.config.app
    assert isinstance(gateway, Gateway)
    async with gateway.state.hub.subscribe(WalletId(read("wal", payer.wallet_id))) as slow:
        assert await slow.joined(HANG_SECONDS) is not None
        assert await watched.of("gateway_event_streams") == {(): 1}
        while not slow.cut:
            await payer.pay("@shop", "0.01 EUR")
        assert await watched.of("gateway_event_streams_cut_total") == {(): 1}
    assert await watched.of("gateway_event_streams") == {(): 0}
