"""Signing in with a sandbox's link over HTTP: a session that pays, until the wallet has a passkey."""

import pytest

from gateway.identity.sign_in import link
from gateway.ids import WalletId, read
from tests.api.browser import OWN, Browser, registered
from tests.api.conftest import Api, code_of
from tests.authenticator import Authenticator
from tests.identity.conftest import BY

pytestmark = pytest.mark.anyio

PATH = "/v1/sessions/link"


async def code_for(api: Api, handle: str) -> str:
    wallet = WalletId(read("wal", (await api.call("GET", f"/v1/handles/{handle}")).json()["wallet_id"]))
    async with api.services.database.transaction() as connection:
        return await link.make(connection, wallet, BY, api.services.clock())


async def test_it_begins_a_session_of_the_owner_that_pays_and_is_used_up(api: Api) -> None:
    await api.person("alice", "10.00 EUR")
    await api.person("bob")
    code = await code_for(api, "alice")

    started = await api.call("POST", PATH, json={"code": code}, headers=OWN)
    again = await api.call("POST", PATH, json={"code": code}, headers=OWN)

    assert (started.status_code, started.json()["sign_in_method"], started.json()["handle"]) == (201, "link", "alice")
    assert started.json()["fresh_until"] == started.json()["expires_at"]
    assert code_of(again) == (422, "invalid_link")
    assert "set-cookie" not in again.headers
    paid = await Browser(api, started).call(
        "POST",
        "/v1/payments",
        {**OWN, "Idempotency-Key": "one"},
        json={"to": "@bob", "amount": "1.00", "asset": "EUR"},
    )
    assert (paid.status_code, paid.json()["state"]) == (201, "settled")


async def test_from_the_first_passkey_on_its_session_reads_only(api: Api) -> None:
    await api.person("alice", "10.00 EUR")
    await api.person("bob")
    code = await code_for(api, "alice")
    browser = Browser(api, await api.call("POST", PATH, json={"code": code}, headers=OWN))

    assert (await registered(browser, Authenticator())).status_code == 201

    paid = await browser.call(
        "POST",
        "/v1/payments",
        {**OWN, "Idempotency-Key": "one"},
        json={"to": "@bob", "amount": "1.00", "asset": "EUR"},
    )
    assert code_of(paid) == (403, "forbidden")
    assert (await browser.call("GET", "/v1/wallet")).status_code == 200


async def test_a_page_of_another_origin_signs_nobody_in_with_it(api: Api) -> None:
    await api.person("alice")
    code = await code_for(api, "alice")
    other = await api.call("POST", PATH, json={"code": code}, headers={**OWN, "Origin": "https://evil.example"})
    assert code_of(other) == (403, "forbidden")
    assert (await api.call("POST", PATH, json={"code": code}, headers=OWN)).status_code == 201


async def test_it_signs_nobody_in_to_a_closed_wallet(api: Api) -> None:
    alice = await api.person("alice")
    code = await code_for(api, "alice")
    closed = await alice.post("/v1/wallet/close", {"confirm": "@alice closes this wallet for ever"})
    assert closed.status_code == 200
    assert code_of(await api.call("POST", PATH, json={"code": code}, headers=OWN)) == (422, "invalid_link")
