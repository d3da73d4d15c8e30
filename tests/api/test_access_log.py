"""The access log: a line for each request, on the fast path and behind the router, and nothing in it says who asked."""

import json
import logging
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from gateway.api.payments.fast.fast_payments import FastPayments
from gateway.logs import JsonFormatter
from gateway.money import Assets
from gateway.postgres.pool import Database
from tests.api.conftest import Api, Person, opened
from tests.api.wire import Wire, head, listening

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SECRET = "hushhush"
LOGGER = "gateway.http.access_log"


@pytest.fixture
async def api(database: Database, assets: Assets) -> AsyncIterator[Api]:
    async with opened(database, assets, logs_requests=True) as api:
        yield api


@pytest.fixture
async def wire(api: Api) -> AsyncIterator[Wire]:
    async with listening(api) as wire:
        yield wire


@pytest.fixture
async def payer(api: Api) -> Person:
    payer = await api.person(f"{SECRET}payer", "1000.00 EUR")
    await api.person(f"{SECRET}shop")
    await payer.pay(f"@{SECRET}shop", "0.01 EUR")  # which opens the accounts
    return payer


def payment(**fields: object) -> bytes:
    return json.dumps({"to": f"@{SECRET}shop", "amount": "0.01", "asset": "EUR", **fields}).encode()


def post(payer: Person, path: str, body: bytes, *fields: str) -> bytes:
    length = f"Content-Length: {len(body)}"
    return head(f"POST {path} HTTP/1.1", payer, length, *fields, key=SECRET + uuid4().hex) + body


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """The access log, as JSON has it."""
    return [json.loads(JsonFormatter().format(one)) for one in caplog.records if one.name == LOGGER]


@pytest.mark.parametrize("way", ["before the router", "behind the router"])
async def test_each_request_is_a_line_with_its_ids(
    wire: Wire, payer: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "behind the router":
        monkeypatch.setattr(FastPayments, "read", lambda *_: None)
        monkeypatch.setattr(FastPayments, "read", lambda *_: None)
    held = (await payer.pay(f"@{SECRET}shop", "0.02 EUR", capture=False)).json()["id"]
    caplog.set_level(logging.INFO)
    caplog.clear()
    paid, voided = await wire.send(
        post(payer, "/v1/payments", payment(), "X-Request-Id: mine-1"),
        post(payer, f"/v1/payments/{held}/void", b"{}", "X-Request-Id: mine-2", "Connection: close"),
    )

    lines = [one for one in logged(caplog) if one["route"] != "/health/live"]
    wallet = {"wallet_id": payer.wallet_id} if way == "behind the router" else {}
    shown = [
        {name: value for name, value in one.items() if name not in ("time", "level", "logger", "message")}
        for one in lines
    ]
    for one in shown:
        duration = one.pop("duration_seconds")
        assert isinstance(duration, float)
        assert 0 < duration < 60
    first = json.loads(paid.body)["id"]
    assert [(one.pop("request_id"), one.pop("route")) for one in shown] == [
        ("mine-1", "/v1/payments"),
        ("mine-2", "/v1/payments/{id}/void"),
    ]
    assert shown == [
        {"method": "POST", "status": 201, "payment_id": first, **wallet},
        {"method": "POST", "status": 200, "payment_id": held, **wallet},
    ]
    assert voided.status == 200


async def test_a_secret_in_every_field_is_in_no_line(
    wire: Wire, payer: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "gateway")
    caplog.clear()
    fields = (
        f"User-Agent: {SECRET}",
        f"Referer: http://x/{SECRET}",
        f"Cookie: session={SECRET}",
        f"X-Forwarded-For: 203.0.113.9, {SECRET}",
        f"Forwarded: for={SECRET}",
        f"Origin: http://{SECRET}",
        f"Accept-Language: {SECRET}",
    )
    noted = payment(memo=SECRET, reference=SECRET, metadata={SECRET: SECRET})
    await wire.send(
        post(payer, "/v1/payments", payment(memo=SECRET), *fields),
        post(payer, "/v1/payments", noted, *fields),
        post(payer, "/v1/payments", payment(to=f"@{SECRET}nobody"), *fields),
        post(payer, "/v1/payments", payment(asset=SECRET.upper()), *fields),
        post(payer, "/v1/payments", b'{"%b": 1}' % SECRET.encode(), *fields),
        post(payer, "/v1/payments/batch", b"[" + noted + b"]", *fields),
        post(payer, f"/v1/payments/{SECRET}/void", b"{}", *fields),
        post(payer, "/v1/keys", json.dumps({"name": SECRET, "scopes": ["read"]}).encode(), *fields),
        head(f"GET /v1/handles/{SECRET}shop HTTP/1.1", payer, *fields),
        head(f"GET /v1/payments/{SECRET} HTTP/1.1", payer, *fields),
        head(f"GET /v1/payments?memo={SECRET}&to=@{SECRET} HTTP/1.1", payer, *fields),
        head(f"GET /{SECRET} HTTP/1.1", payer, *fields),
        head("GET /v1/wallet HTTP/1.1", None, f"Authorization: Bearer {SECRET}", *fields, "Connection: close"),
    )
    monkeypatch.setattr(type(wire.api.services.database), "reading", broken)
    await wire.send(head(f"GET /v1/handles/{SECRET}shop HTTP/1.1", None, *fields, "Connection: close"))

    lines = logged(caplog)
    assert len([one for one in lines if one["route"] != "/health/live"]) == 14
    assert lines[-1]["status"] == 500
    text = "\n".join(JsonFormatter().format(one) for one in caplog.records)
    assert "request" in text
    for word in (SECRET, SECRET.upper(), "203.0.113.9", "127.0.0.1", payer.api_key, payer.address):
        assert word not in text


def broken(*_: object, **__: object) -> None:
    """A mistake of ours."""
    raise ZeroDivisionError


async def test_nothing_is_logged_unless_it_is_asked_for(
    database: Database, assets: Assets, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with opened(database, assets) as api, listening(api) as wire:
        payer = await api.person("payer", "10.00 EUR")
        await wire.send(head("GET /v1/wallet HTTP/1.1", payer, "Connection: close"))

    assert logged(caplog) == []
