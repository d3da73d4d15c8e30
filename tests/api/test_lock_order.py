"""A payment locks its API key and then the wallet. So does whatever changes keys or what they may do: neither waits for
the other in a ring, which would cost a second and end one of them with 503.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from gateway.audit.log import By
from gateway.clock import system_clock
from gateway.controls import wallet_freeze
from gateway.ids import WalletId, read
from gateway.operators import approvals
from tests.api.browser import Browser, registered, signed_in
from tests.api.conftest import Api, Person
from tests.authenticator import Authenticator
from tests.databases import until_waiting

pytestmark = pytest.mark.anyio

ROOT = By("command", "root")

#: Changes the key of this id, for its owner, who is signed in where they have a passkey.
Change = Callable[[Person, Browser | None, str], Awaitable[None]]


async def revoke(alice: Person, browser: Browser | None, key: str) -> None:
    answer = await alice.api.call("DELETE", f"/v1/keys/{key}", headers=alice.bearer)
    assert answer.status_code == 200, answer.text


async def replace(alice: Person, browser: Browser | None, key: str) -> None:
    assert (await alice.post(f"/v1/keys/{key}/replacement", {"overlap": 60})).status_code == 201


async def approve(alice: Person, browser: Browser | None, key: str) -> None:
    assert browser is not None
    assert (await browser.post(f"/v1/keys/{key}/approval")).status_code == 200


async def add_a_passkey(alice: Person, browser: Browser | None, key: str) -> None:
    assert (await registered(alice, Authenticator())).status_code == 201


async def report(alice: Person, browser: Browser | None, key: str) -> None:
    paid = (await alice.get("/v1/payments")).json()["items"][0]["id"]
    assert (await alice.post(f"/v1/payments/{paid}/report-unauthorized", b"")).status_code == 200


async def freeze(alice: Person, browser: Browser | None, key: str) -> None:
    async with alice.api.services.database.transaction() as connection:
        await approvals.break_glass(connection, "wallet.freeze", "alice", "stolen", ROOT, system_clock())


async def unfreeze(alice: Person, browser: Browser | None, key: str) -> None:
    async with alice.api.services.database.transaction() as connection:
        await approvals.break_glass(connection, "wallet.unfreeze", "alice", "found", ROOT, system_clock())


async def expire(alice: Person, browser: Browser | None, key: str) -> None:
    async with alice.api.services.database.transaction() as connection:
        assert await wallet_freeze.end_expired(connection, system_clock() + timedelta(days=2)) == 1


@pytest.mark.parametrize("change", [revoke, replace, approve, add_a_passkey, report, freeze, unfreeze, expire])
async def test_what_changes_a_key_and_a_payment_by_it_wait_for_each_other_in_no_ring(api: Api, change: Change) -> None:
    """Whichever key a payment has locked, it gets the wallet while the change waits for the key."""
    await api.person("bob")
    alice = await api.person("alice", "5.00 EUR")
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201
    caps = [{"asset": "EUR", "payment": "10.00", "day": "15.00"}]
    key = (await alice.post("/v1/keys", {"name": "Shop", "scopes": ["pay"], "caps": caps})).json()["id"]
    wallet, browser = WalletId(read("wal", alice.wallet_id)), None
    if change is approve:
        authenticator = Authenticator()
        await registered(alice, authenticator)
        browser = Browser(api, await signed_in(api, authenticator))
    if change in (unfreeze, expire):
        async with api.services.database.transaction() as connection:
            until = system_clock() + timedelta(days=1)
            await wallet_freeze.freeze(connection, wallet, "test", ROOT, until, system_clock())
    async with api.services.database.transaction() as paying:
        assert await paying.fetch("SELECT FROM api_key WHERE id = $1 FOR NO KEY UPDATE", read("key", key))
        changing = asyncio.ensure_future(change(alice, browser, key))
        await until_waiting(paying, 1, changing)
        assert await paying.fetch("SELECT FROM wallet WHERE id = $1 FOR SHARE NOWAIT", wallet)
    await changing
