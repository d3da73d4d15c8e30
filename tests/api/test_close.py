"""Closing a wallet: all that it had ends, its handle stays taken, and no money is ever in it, whoever pays."""

import asyncio
from typing import Any

import httpx
import pytest
from eth_account.messages import encode_defunct

from gateway.clock import system_clock
from gateway.controls import wallet_freeze
from gateway.identity.sign_in.session import FRESH
from gateway.ids import TransferId, WalletId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.postgres.errors import Contended
from tests.api.browser import OWN, Browser, browsing, signed_in
from tests.api.conftest import Api, Person, code_of
from tests.api.test_keys import with_key
from tests.api.test_operators import AT_MACHINE
from tests.api.test_own_key import with_own_key
from tests.api.test_sessions import ethereum_session
from tests.databases import until_waiting

pytestmark = pytest.mark.anyio

CONFIRM = {"confirm": "@alice closes this wallet for ever"}


async def close(by: Browser | Person, confirm: Any = CONFIRM) -> httpx.Response:
    return await by.post("/v1/wallet/close", confirm)


async def row(api: Api, sql: str) -> Any:
    async with api.services.database.reading() as connection:
        return await connection.fetchval(sql)


async def test_all_that_a_closed_wallet_had_ends_and_its_handle_stays_taken(api: Api) -> None:
    alice, key, browser = await browsing(api, "alice")
    shop = await api.person("shop")
    text = (await browser.post("/v1/keys", {"name": "Till", "scopes": ["read"]})).json()["api_key"]
    codes = (await browser.post("/v1/recovery-codes")).json()["codes"]
    hook = {"url": "https://shop.example/hooks", "types": ["*"]}
    assert (await browser.post("/v1/webhooks", hook)).status_code == 201
    assert (await shop.post("/v1/mandates", {"payee": "@alice", "asset": "EUR", "period": "5.00"})).status_code == 201
    at = {"channel": "email", "address": "alice@example.com", "locale": "en", "time_zone": "UTC"}
    await browser.post("/v1/notifications/addresses", at)
    other = Browser(api, await signed_in(api, key))

    closed = await close(browser)

    assert (closed.status_code, closed.json()["handle"]) == (200, "alice")
    assert "Max-Age=0" in closed.headers["set-cookie"]
    for one in (browser, other):
        assert code_of(await one.call("GET", "/v1/wallet")) == (401, "unauthenticated")
    for one in (alice, with_key(alice, text)):
        assert code_of(await one.get("/v1/wallet")) == (401, "unauthenticated")
    assert code_of(await signed_in(api, key)) == (422, "invalid_passkey")
    recovery = {"handle": "alice", "code": codes[0]}
    refused = await api.call("POST", "/v1/sessions/recovery-code", json=recovery, headers=OWN)
    assert code_of(refused) == (404, "unknown_handle")
    assert code_of(await api.call("GET", "/v1/handles/alice")) == (404, "unknown_handle")
    for handle in ("alice", "a1ice"):
        assert code_of(await api.call("POST", "/v1/handles", json={"handle": handle})) == (409, "handle_taken")
    assert [one["revoked_at"] is not None for one in (await shop.get("/v1/mandates")).json()["items"]] == [True]
    for table in ("recovery_code", "notification_address", "session_token"):
        assert await row(api, f"SELECT count(*) FROM {table}") == 0, table
    assert await row(api, "SELECT bool_and(name = 'closed') FROM passkey")
    assert await row(api, "SELECT bool_and(device = '') FROM session")
    assert await row(api, "SELECT count(*) FROM webhook_endpoint WHERE deleted_at IS NULL") == 0
    for table in ("audit_event", "event"):
        assert await row(api, f"SELECT count(*) FROM {table} WHERE kind = 'wallet.closed'") == 1, table


async def test_open_requests_of_a_closed_wallet_are_cancelled_and_nobody_asks_it_for_money(api: Api) -> None:
    alice, _, browser = await browsing(api, "alice")
    bob = await api.person("bob", "10.00 EUR")
    money = {"amount": "1.00", "asset": "EUR"}
    asked = (await alice.post("/v1/requests", {"from": "@bob", **money})).json()["id"]
    asking = (await bob.post("/v1/requests", {"from": "@alice", **money})).json()["id"]
    declined = (await alice.post("/v1/requests", {"from": "@bob", **money})).json()["id"]
    await bob.post(f"/v1/requests/{declined}/decline", {})

    assert (await close(browser)).status_code == 200

    states = {one["id"]: one["state"] for one in (await bob.get("/v1/requests")).json()["items"]}
    assert states == {asked: "cancelled", asking: "cancelled", declined: "declined"}
    told = [one["type"] for one in (await bob.get("/v1/events?type=request.cancelled")).json()["items"]]
    assert told == ["request.cancelled"] * 2
    assert code_of(await bob.post("/v1/requests", {"from": "@alice", **money})) == (404, "unknown_handle")
    refused = await bob.pay("@alice", "1.00 EUR", request=asked)
    assert code_of(refused) == (404, "unknown_payee")


async def test_it_is_closed_by_its_owner_a_moment_after_the_passkey_and_in_so_many_words(api: Api) -> None:
    alice, _, browser = await browsing(api, "alice")
    _, _, eve = await browsing(api, "eve")
    assert code_of(await close(alice)) == (403, "forbidden")
    for wrong in ("", "@eve closes this wallet for ever", "yes"):
        assert code_of(await close(browser, {"confirm": wrong})) == (400, "invalid_request")
    assert code_of(await close(eve)) == (400, "invalid_request")
    other = await browser.call("POST", "/v1/wallet/close", {"Origin": "http://evil.example"}, json=CONFIRM)
    assert code_of(other) == (403, "forbidden")
    api.clock.ahead += FRESH
    assert code_of(await close(browser)) == (403, "forbidden")
    assert await row(api, "SELECT count(*) FROM wallet WHERE closed_at IS NOT NULL") == 0


async def test_a_wallet_with_money_or_with_something_under_way_stays_open(api: Api) -> None:
    alice, bob = await api.person("alice", "5.00 EUR"), await api.person("bob", "5.00 EUR")
    assert code_of(await close(alice)) == (409, "wallet_not_empty")
    assert (await alice.pay("@bob", "5.00 EUR")).status_code == 201
    held = (await bob.pay("@alice", "1.00 EUR", capture=False)).json()["id"]
    refused = await close(alice)
    assert code_of(refused) == (409, "wallet_not_empty")
    assert "1.00 EUR pending" in refused.json()["detail"]
    assert (await bob.post(f"/v1/payments/{held}/void", {})).status_code == 200
    assert (await close(alice)).status_code == 200


async def test_a_frozen_wallet_stays_open_until_it_is_unfrozen(api: Api) -> None:
    alice = await api.person("alice")
    async with api.services.database.transaction() as connection:
        id = WalletId(await connection.fetchval("SELECT id FROM wallet WHERE handle = 'alice'"))
        await wallet_freeze.freeze(connection, id, "investigated", AT_MACHINE, None, api.clock())
    assert code_of(await close(alice)) == (409, "wallet_frozen")
    assert await row(api, "SELECT count(*) FROM wallet WHERE closed_at IS NOT NULL") == 0
    async with api.services.database.transaction() as connection:
        await wallet_freeze.unfreeze(connection, id, AT_MACHINE, api.clock())
    assert (await close(alice)).status_code == 200


async def test_closed_twice_at_once_it_is_closed_once(api: Api) -> None:
    _, _, browser = await browsing(api, "alice")
    answers = await asyncio.gather(*(close(browser) for _ in range(5)))
    assert {one.status_code for one in answers} <= {200, 401}
    assert len({one.json()["closed_at"] for one in answers if one.status_code == 200}) == 1
    assert await row(api, "SELECT count(*) FROM audit_event WHERE kind = 'wallet.closed'") == 1


async def test_whoever_pays_a_closed_wallet_is_told_that_it_is_closed(api: Api) -> None:
    alice, bob = await api.person("alice"), await api.person("bob", "50.00 EUR", "5 USDX")
    await bob.pay("@alice", "5.00 EUR")
    back = (await alice.pay("@bob", "5.00 EUR")).json()["id"]
    assert (await close(alice)).status_code == 200

    async def refused(answer: httpx.Response) -> None:
        assert code_of(answer) == (404, "unknown_payee"), answer.text
        assert "its owner has closed this wallet" in answer.json()["detail"]

    await refused(await bob.pay("@alice", "1.00 EUR"))
    await refused(await bob.pay("alice", "1.00 EUR", capture=False))
    await refused(await bob.pay("@alice", "1 USDX"))
    await refused(await bob.pay(alice.address, "1 USDX"))
    await refused(await bob.post(f"/v1/payments/{back}/refund", {}))
    await refused(await bob.post("/v1/payments/preview", {"to": "@alice", "amount": "1.00", "asset": "EUR"}))
    (one,) = (await bob.post("/v1/payments/batch", [{"to": "@alice", "amount": "1.00", "asset": "EUR"}])).json()
    assert one["problem"]["code"] == "unknown_payee"
    assert await api.wrong() == []


async def test_an_ethereum_wallet_signs_nobody_in_to_a_closed_wallet(api: Api) -> None:
    alice, key = await with_own_key(api, "alice")
    text = (await api.call("POST", "/v1/sessions/ethereum/challenge", json={"handle": "alice"})).json()["message"]
    assert (await ethereum_session(api, "alice", key)).status_code == 201
    assert (await close(alice)).status_code == 200
    refused = await api.call("POST", "/v1/sessions/ethereum/challenge", json={"handle": "alice"})
    assert code_of(refused) == (404, "unknown_handle")
    # What was written before it was closed starts nothing now.
    assert code_of(await _late(api, text, key)) == (422, "invalid_challenge")


async def _late(api: Api, text: str, key: Any) -> httpx.Response:
    signature = "0x" + bytes(key.sign_message(encode_defunct(text=text)).signature).hex()
    body = {"message": text, "signature": signature}
    return await api.call("POST", "/v1/sessions/ethereum", json=body, headers=OWN)


@pytest.mark.parametrize("capture", [True, False])
async def test_fifty_payments_that_come_as_a_wallet_is_closed_leave_no_money_in_it(api: Api, capture: bool) -> None:
    """Whichever is first: what came in keeps the wallet open, and after it was closed nothing comes in."""
    outcomes = set()
    for number in range(6):
        handle = f"closing_{number}_{'abcdef'[number] * 3}"
        person = await api.person(handle)
        payer = await api.person(f"payer_{'abcdef'[number] * 3}", "1.00 EUR")  # unknown payees count as its guesses
        paying = [payer.pay(f"@{handle}", "0.01 EUR", capture=capture) for _ in range(50)]
        confirm = {"confirm": f"@{handle} closes this wallet for ever"}
        at = number * 10  # among those that are sent, at another place each time
        asked = [*paying[:at], close(person, confirm), *paying[at:]]
        answers = await asyncio.gather(*asked)
        closed = answers.pop(at)
        assert closed.status_code in (200, 409), closed.text
        taken = [one for one in answers if one.status_code == 201]
        refused = [code_of(one) for one in answers if one.status_code != 201]
        assert set(refused) <= {(404, "unknown_payee"), (503, "unavailable")}
        outcomes.add(closed.status_code)
        sums = "sum(credits_posted - debits_posted + debits_pending + credits_pending)"
        left = await row(api, f"SELECT coalesce({sums}, 0) FROM account WHERE code LIKE 'wallet:{handle}:%'")
        if closed.status_code == 200:
            assert (left, taken) == (0, []), "closed, and paid"
            assert code_of(await payer.pay(f"@{handle}", "0.01 EUR", capture=capture)) == (404, "unknown_payee")
        else:
            assert left > 0
            assert len(taken) == 50
    assert outcomes, "it was tried"
    assert await api.wrong() == []


@pytest.mark.parametrize("first", ["api_key", "policy", "mandate"])
async def test_closing_and_a_payment_of_its_wallet_wait_for_each_other_in_no_ring(api: Api, first: str) -> None:
    """Whatever a payment has locked, it gets the wallet's account while the closing waits."""
    shop = await api.person("shop", "5.00 EUR")
    _, _, browser = await browsing(api, "alice")
    await browser.post("/v1/keys", {"name": "Till", "scopes": ["read"]})
    await shop.post("/v1/mandates", {"payee": "@alice", "asset": "EUR", "period": "5.00"})
    eur = api.services.settings.assets["EUR"]
    async with api.services.database.transaction() as connection:
        await ledger.accounts(connection, [(account.wallet("alice", eur), eur)])
    of = "(SELECT id FROM wallet WHERE handle = 'alice')"
    whose = {"api_key": f"wallet_id = {of}", "policy": f"wallet_id = {of}", "mandate": f"payee = {of}"}[first]
    async with api.services.database.transaction() as paying:
        assert await paying.fetch(f"SELECT 1 FROM {first} WHERE {whose} FOR NO KEY UPDATE")
        closing = asyncio.create_task(close(browser))
        await until_waiting(paying, 1, closing)
        assert await paying.fetch(f"SELECT FROM account WHERE owner = {of} ORDER BY id FOR NO KEY UPDATE NOWAIT")
    assert (await closing).status_code == 200


async def test_what_was_about_to_be_posted_or_held_as_a_wallet_was_closed_is_asked_for_anew(api: Api) -> None:
    """The last defence, in the database: whoever looked before the wallet was closed writes nothing after."""
    alice, _ = await api.person("alice"), await api.person("bob", "5.00 EUR")
    assets, database = api.services.settings.assets, api.services.database
    eur, usdx = assets["EUR"], assets["USDX"]
    assert (await close(alice)).status_code == 200
    codes = [(account.wallet(who, one), one) for who in ("bob", "alice") for one in (eur, usdx)]
    codes.append((account.system_account("supply", usdx), usdx))
    async with database.transaction() as connection:
        ids = await ledger.accounts(connection, codes)
    bob, to = ids["wallet:bob:EUR"], ids["wallet:alice:EUR"]

    async def write(*steps: Transfer) -> None:
        async with database.transaction() as connection:
            ledger.all_done(await ledger.write(connection, list(steps), system_clock()))

    def transfer(leg: Leg, **how: Any) -> Transfer:
        id = TransferId(new_id(system_clock()))
        return Transfer(id, "test", id, (leg,), **how)

    with pytest.raises(Contended):
        await write(transfer(Leg(bob, to, 100)))
    with pytest.raises(Contended):
        await write(transfer(Leg(bob, to, 100), unconditional=True))
    # What the chain says has come stands, and is in the ledger as it is there.
    await write(transfer(Leg(ids["supply:USDX"], ids["wallet:alice:USDX"], 5), unconditional=True))
    assert await row(api, "SELECT credits_posted FROM account WHERE code = 'wallet:alice:USDX'") == 5
