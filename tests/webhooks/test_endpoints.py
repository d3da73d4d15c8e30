"""Endpoints: created, listed, changed and deleted by their owner; secrets that are shown once and kept encrypted."""

import asyncio
import base64
from typing import Any

import pytest

from gateway.api.events.catalogue import TYPES
from gateway.webhooks import delivery, endpoint
from gateway.webhooks.endpoint import fits
from tests.api.conftest import Api, Person, code_of
from tests.api.test_scopes import with_scopes
from tests.webhooks.conftest import hook

pytestmark = pytest.mark.anyio

URL = "https://shop.example/webhooks"


async def put(of: Person, id: str, **fields: Any) -> Any:
    body = {"url": URL, "types": ["*"], **fields}
    return await of.api.call("PUT", f"/v1/webhooks/{id}", headers=of.bearer, json=body)


async def test_an_endpoint_is_created_listed_changed_and_deleted(api: Api, bob: Person) -> None:
    made = await hook(bob, URL, "payment.settled", description="Web shop")
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert (made["url"], made["types"], made["description"]) == (URL, ["payment.settled"], "Web shop")
    assert (made["enabled"], made["disabled_by"], made["failing_since"]) == (True, None, None)
    assert (await bob.get("/v1/webhooks")).json() == {"items": [made]}
    assert (await bob.get(f"/v1/webhooks/{made['id']}")).json() == made | {"old_secret_expires_at": None}

    changed = (await put(bob, made["id"], url=f"{URL}/2", types=["payment.*", "mandate.*"], enabled=False)).json()
    assert changed == made | {
        "url": f"{URL}/2",
        "types": ["payment.*", "mandate.*"],
        "description": "",
        "enabled": False,
        "disabled_by": "owner",
    }
    assert (await put(bob, made["id"])).json()["disabled_by"] is None
    deleted = await bob.api.call("DELETE", f"/v1/webhooks/{made['id']}", headers=bob.bearer)
    assert deleted.json()["id"] == made["id"]
    assert (await bob.get("/v1/webhooks")).json() == {"items": []}
    for answer in (
        await bob.get(f"/v1/webhooks/{made['id']}"),
        await put(bob, made["id"]),
        await bob.post(f"/v1/webhooks/{made['id']}/secret", {}),
        await bob.post(f"/v1/webhooks/{made['id']}/test", {}),
    ):
        assert code_of(answer) == (404, "not_found")

    told = (await bob.get("/v1/events?type=webhook.*")).json()["items"]
    assert [(one["type"].partition(".")[2], one["data"]["disabled_by"]) for one in told] == [
        *(("created", None), ("changed", "owner"), ("changed", None), ("deleted", None))
    ]
    async with api.services.database.reading() as connection:
        audited = await connection.fetch("SELECT kind FROM audit_event WHERE kind LIKE 'webhook.%' ORDER BY id")
        assert [row["kind"] for row in audited] == [one["type"] for one in told]
        payload = "SELECT string_agg(payload::text, '') FROM logged_event WHERE kind LIKE 'webhook.%'"
        assert "/webhooks" not in await connection.fetchval(payload), "a path may be a secret"


async def test_two_changes_at_once_lose_none(api: Api, bob: Person) -> None:
    made = await hook(bob, URL, "payment.settled", description="Web shop")
    del made["secret"]
    path = f"/v1/webhooks/{made['id']}"

    async def patch(**fields: Any) -> Any:
        return await api.call("PATCH", path, headers=bob.bearer, json=fields)

    changes: list[dict[str, Any]] = [{"url": f"{URL}/2"}, {"types": ["*"]}, {"description": "Till"}, {"enabled": False}]
    for answer in await asyncio.gather(*(patch(**one) for one in changes)):
        assert answer.status_code == 200

    changed = (await patch()).json()
    assert changed == made | {key: value for one in changes for key, value in one.items()} | {"disabled_by": "owner"}
    assert (await bob.get(path)).json() == changed | {"old_secret_expires_at": None}
    assert code_of(await patch(url="https://169.254.169.254/latest")) == (400, "invalid_request")
    assert code_of(await patch(types=["payment.paid"])) == (400, "invalid_request")
    assert (await bob.get(path)).json() == changed | {"old_secret_expires_at": None}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"url": "http://shop.example/"}, "should begin with https://"),
        ({"url": "https://169.254.169.254/latest"}, "not a public address"),
        ({"url": "https://user:word@shop.example/"}, "a user or a password"),
        ({"types": []}, "name 1 to 100 types"),
        ({"types": ["payment.paid"]}, "not an event type"),
        ({"types": ["*", "nothing.*"]}, "not an event type"),
        ({"types": ["payment.settled"] * 101}, "name 1 to 100 types"),
        ({"description": "a" * 201}, "printable characters"),
        ({"description": "a\nb"}, "printable characters"),
    ],
)
async def test_what_cannot_be_an_endpoint_is_refused_with_the_reason(
    api: Api, bob: Person, fields: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.services.webhooks_allowed, "_schemes", ("https",))
    for answer in (
        await bob.post("/v1/webhooks", {"url": URL, "types": ["*"], **fields}),
        await put(bob, "whk_01h455vb4pex5vsknk084sn02q", **fields),
    ):
        assert code_of(answer) == (400, "invalid_request")
        assert why in answer.json()["detail"]
    assert (await bob.get("/v1/webhooks")).json() == {"items": []}


async def test_a_wallet_has_so_many_endpoints_however_many_are_asked_for_at_once(api: Api, bob: Person) -> None:
    made = [await hook(bob, URL) for _ in range(endpoint.ENDPOINTS_MAX - 1)]
    asked = [bob.post("/v1/webhooks", {"url": URL, "types": ["*"]}) for _ in range(4)]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*asked)])
    assert statuses == [201, 400, 400, 400]
    await bob.api.call("DELETE", f"/v1/webhooks/{made[0]['id']}", headers=bob.bearer)
    await hook(bob, URL)


async def test_the_owner_alone_says_where_events_go(api: Api, bob: Person) -> None:
    """A key with the scope `webhooks` sees it, and has things sent again."""
    made = await hook(bob, URL)
    await with_scopes(api, bob, "read", "pay", "refund", "webhooks")
    for answer in (
        await bob.post("/v1/webhooks", {"url": URL, "types": ["*"]}),
        await put(bob, made["id"], url="https://other.example/"),
        await bob.post(f"/v1/webhooks/{made['id']}/secret", {}),
        await bob.api.call("DELETE", f"/v1/webhooks/{made['id']}", headers=bob.bearer),
    ):
        assert code_of(answer) == (403, "forbidden")
    assert len((await bob.get("/v1/webhooks")).json()["items"]) == 1
    assert (await bob.get(f"/v1/webhooks/{made['id']}/deliveries")).status_code == 200
    assert (await bob.post(f"/v1/webhooks/{made['id']}/test", {})).status_code == 202
    await with_scopes(api, bob, "read", "pay", "refund")
    assert code_of(await bob.get("/v1/webhooks")) == (403, "forbidden")


async def test_a_secret_is_in_the_database_encrypted_alone(api: Api, bob: Person) -> None:
    made = await hook(bob, URL)
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    async with api.services.database.reading() as connection:
        (row,) = await connection.fetch("SELECT * FROM webhook_secret")
        assert secret not in row["ciphertext"]
        assert api.services.vault.unsafe_decrypt(row["id"], row["ciphertext"]) == secret
        for table in ("webhook_endpoint", "logged_event", "audit_event"):
            for other in await connection.fetch(f"SELECT t::text AS row FROM {table} AS t"):
                assert made["secret"] not in other["row"]


def test_types_fit_by_name_by_what_they_begin_with_or_all() -> None:
    assert [kind for kind in TYPES if fits(["mandate.*", "payment.held"], kind)] == [
        *("payment.held", "mandate.granted", "mandate.approved", "mandate.revoked")
    ]
    assert all(fits(["*"], kind) for kind in TYPES)
    assert not fits(["payment.*"], "payments.held")
    assert not fits(["payment"], "payment.held")


async def test_deliveries_are_listed_in_pages(api: Api, bob: Person) -> None:
    made = await hook(bob, URL)
    for _ in range(3):
        await bob.post(f"/v1/webhooks/{made['id']}/test", {})
    async with api.services.database.transaction() as connection:
        await delivery.take_in(connection, api.clock())
    path = f"/v1/webhooks/{made['id']}/deliveries"
    every = (await bob.get(path)).json()
    assert [one["type"] for one in every["items"]] == ["webhook.test"] * 3 + ["webhook.created"]
    assert every["next_cursor"] is None
    first = (await bob.get(f"{path}?limit=3")).json()
    rest = (await bob.get(f"{path}?limit=3&cursor={first['next_cursor']}")).json()
    assert first["items"] + rest["items"] == every["items"]
    assert (await bob.get(f"{path}?state=delivered")).json()["items"] == []
    assert code_of(await bob.get(f"{path}?cursor=abc")) == (400, "invalid_request")
