"""Every route that names a thing, called by somebody whose it is not: 403 or 404, as for a thing that there is not, and
nothing has changed. The routes are those of the document, so that none is forgotten.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from gateway.ids import show
from gateway.money import Assets
from gateway.notifications.channels.email import Email
from gateway.postgres.pool import Database
from tests.api.browser import OWN, Browser, browsing, registered, signed_in
from tests.api.conftest import Api, Person, code_of, opened
from tests.authenticator import Authenticator
from tests.notifications.mail_server import MailServer

pytestmark = pytest.mark.anyio

#: What the name in the path is a secret of, or is everybody's to see.
PUBLIC = {
    *("/v1/handles/{handle}", "/v1/report-links/{token}"),
    "/v1/notifications/unsubscribe/{token}/{kind}",
}

ASSERTION = dict.fromkeys(("credential_id", "client_data", "authenticator_data", "signature"), "AAAA")

#: What a route is called with; its owner would be answered otherwise than 400.
BODIES: dict[str, Any] = {
    "/v1/payments/{id}/capture": {"amount": "1.00"},
    "/v1/payments/{id}/void": {},
    "/v1/payments/{id}/refund": {"amount": "1.00"},
    "/v1/payments/{id}/signature": {"signature": "0x" + "11" * 65},
    "/v1/payments/{id}/approval": ASSERTION,
    "/v1/mandates/{id}/draws": {"amount": "1.00"},
    "/v1/mandates/{id}/approval": ASSERTION,
    "/v1/requests/{id}/decline": {},
    "/v1/requests/{id}/cancel": {},
    "/v1/keys/{id}/replacement": {"overlap": 60},
    "/v1/webhooks/{id}": {"url": "https://other.example/", "types": ["*"]},
    "/v1/webhooks/{id}/redeliveries": {"since": "2030-01-31T12:00:00Z"},
    "/v1/notifications/addresses/{id}/confirmation": {"code": "000000"},
    "/v1/operator/proposals/{id}/approve": ASSERTION,
}


@dataclass
class Things:
    """Somebody's, by what their ids begin with, and how to see how they stand."""

    owner: Person
    browser: Browser
    of: dict[str, str]

    async def stand(self) -> list[Any]:
        """All of it, as its owner sees it. When a key or a session was used last is not what it is."""
        names = (
            "wallet",
            "payments",
            "entries?asset=EUR",
            "events",
            "keys",
            "mandates",
            "requests",
            "passkeys",
            "sessions",
            "webhooks",
            "notifications/addresses",
        )
        seen = [(await self.browser.call("GET", f"/v1/{name}")).json() for name in names]
        return [without_last_used(one) for one in seen]


def without_last_used(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_last_used(inner) for name, inner in value.items() if name != "last_used_at"}
    return [without_last_used(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture
async def api(database: Database, assets: Assets) -> AsyncIterator[Api]:
    """One that notices can be sent by; no worker sends them."""
    async with opened(database, assets, channels=(Email(MailServer().server()),)) as api:
        yield api


@pytest.fixture
async def alices(api: Api) -> Things:
    """One of everything that has an id; what pays, pays carol."""
    await api.person("carol")
    alice = await api.person("alice", "1000.00 EUR", "100.00 USD", "10 USDX")
    held = (await alice.pay("@carol", "10.00 EUR", capture=False)).json()["id"]
    mandate = (await alice.post("/v1/mandates", {"payee": "@carol", "asset": "EUR", "period": "5.00"})).json()["id"]
    request = (await alice.post("/v1/requests", {"from": "@carol", "amount": "1.00", "asset": "EUR"})).json()["id"]
    made = (await alice.post("/v1/keys", {"name": "Shop", "scopes": ["read"]})).json()["id"]
    body = {"amount": "1.00", "asset": "USD", "to_asset": "USDX"}
    conversion = (await alice.post("/v1/conversions", body)).json()["id"]
    hook = (await alice.post("/v1/webhooks", {"url": "https://shop.example/", "types": ["*"]})).json()["id"]
    mail = {"channel": "email", "address": "a@example.com"}
    address = (await alice.post("/v1/notifications/addresses", mail)).json()["id"]
    device = Authenticator()
    passkey = (await registered(alice, device)).json()["id"]
    browser = Browser(api, await signed_in(api, device))
    things = (held, mandate, request, made, conversion, passkey, hook, address, browser.id)
    return Things(alice, browser, {one.partition("_")[0]: one for one in things})


async def named(api: Api) -> list[tuple[str, str]]:
    """Every method and path of the document that names a thing."""
    document = (await api.client.get("/openapi.json")).json()
    return sorted(
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if "{" in path and path not in PUBLIC
    )


def prefix_of(path: str) -> str:
    """What ids at this place begin with."""
    _, _, collection, *_ = path.split("/")
    prefixes = {
        "payments": "pay",
        "mandates": "mdt",
        "keys": "key",
        "requests": "req",
        "conversions": "cnv",
        "passkeys": "psk",
    }
    return {**prefixes, "sessions": "ses", "operator": "pro", "webhooks": "whk", "notifications": "nad"}[collection]


def nobodys(prefix: str) -> str:
    return show(prefix, UUID(int=uuid4().int))


async def said(asker: Person | Browser, method: str, path: str, id: str) -> tuple[int, str]:
    """The answer to a call about this thing, but for its id."""
    headers, body = {"Idempotency-Key": uuid4().hex}, BODIES.get(path)
    content: dict[str, Any] = {"json": body} if body is not None else {}
    url = path.replace("{id}", id)
    if isinstance(asker, Browser):
        answer: httpx.Response = await asker.call(method, url, {**OWN, **headers}, **content)
    else:
        answer = await asker.api.call(method, url, headers={**asker.bearer, **headers}, **content)
    return answer.status_code, answer.text.replace(id, "…")


async def test_nobody_sees_or_touches_what_is_anothers_nor_learns_whether_it_is_there(api: Api, alices: Things) -> None:
    mallory = await api.person("mallory", "50.00 EUR")
    _, _, trudy = await browsing(api, "trudy", "50.00 EUR")
    routes, before = await named(api), await alices.stand()
    assert len(routes) >= 18

    for method, path in routes:
        prefix = prefix_of(path)
        for asker in (mallory, trudy):
            theirs = await said(asker, method, path, nobodys(prefix) if prefix == "pro" else alices.of[prefix])
            none = await said(asker, method, path, nobodys(prefix))
            expected = {401} if path.startswith("/v1/operator/") else {403, 404}
            assert theirs[0] in expected, (method, path, theirs)
            assert theirs == none, (method, path)
    assert await alices.stand() == before


async def test_the_owner_of_the_same_things_is_answered_otherwise(api: Api, alices: Things) -> None:
    no_draws = "/v1/mandates/{id}/draws"  # nobody draws from themselves
    routes = [one for one in await named(api) if not one[1].startswith(("/v1/operator/", no_draws))]
    in_turn = sorted(routes, key=lambda one: (one[0] == "DELETE", "sessions" in one[1], one[1]))  # what ends them last
    for method, path in in_turn:
        prefix = prefix_of(path)
        own = await said(alices.browser, method, path, alices.of[prefix])
        none = await said(alices.browser, method, path, nobodys(prefix))
        assert own != none, (method, path, own)
        assert own[0] not in (401, 404), (method, path, own)


async def test_a_key_that_reads_touches_nothing_and_one_that_pays_reads_nothing(api: Api) -> None:
    alice = await api.person("alice", "10.00 EUR")
    await api.person("bob")
    paid = (await alice.pay("@bob", "1.00 EUR")).json()["id"]
    keys = {}
    for scope in ("read", "pay"):
        made = (await alice.post("/v1/keys", {"name": scope, "scopes": [scope]})).json()
        keys[scope] = Person(api, "alice", made["api_key"], alice.wallet_id, alice.address)
    assert code_of(await keys["read"].post(f"/v1/payments/{paid}/refund", {})) == (403, "forbidden")
    assert code_of(await keys["pay"].get(f"/v1/payments/{paid}")) == (403, "forbidden")


async def test_no_list_shows_what_is_anothers(api: Api, alices: Things) -> None:
    mallory = await api.person("mallory")
    document = (await api.client.get("/openapi.json")).json()
    lists = [path for path, operations in document["paths"].items() if "get" in operations and "{" not in path]
    assert len(lists) > 8
    for path in lists:
        if not path.startswith(("/v1/operator", "/health", "/v1/solvency", "/v1/events/stream")):  # test_stream.py
            query = "?asset=EUR" if path == "/v1/entries" else ""
            query = f"?month={api.clock():%Y-%m}" if path.startswith("/v1/statement") else query
            text = (await mallory.get(path + query)).text
            hidden = (*alices.of.values(), alices.owner.wallet_id, alices.owner.address, "alice", "carol")
            assert [one for one in hidden if one in text] == [], path
