"""Authority from before a wallet's first passkey: it waits for the owner's passkey, or ends, and lists say which."""

import asyncio
from typing import Any

import pytest

from tests.api.browser import OWN, Browser, browsing, challenge_in, cookie_of, registered, signed, signed_in
from tests.api.conftest import Api, Person, code_of
from tests.api.test_keys import made, with_key
from tests.authenticator import Authenticator, base64url
from tests.databases import until_waiting

pytestmark = pytest.mark.anyio

EUR = {"asset": "EUR"}
SHOP = {"payee": "@shop", **EUR, "period": "20.00", "period_days": 7}


@pytest.fixture
async def shop(api: Api) -> Person:
    return await api.person("shop")


@pytest.fixture
async def alice(api: Api, shop: Person) -> Person:
    """She has no passkey yet."""
    return await api.person("alice", "100.00 EUR", "50 USDX")


async def guarded(alice: Person) -> tuple[Authenticator, Browser]:
    """Her first passkey, and a session that she began with it."""
    key = Authenticator()
    assert (await registered(alice, key)).status_code == 201
    return key, Browser(alice.api, await signed_in(alice.api, key))


async def only(browser: Browser, what: str, **like: Any) -> dict[str, Any]:
    items = (await browser.call("GET", f"/v1/{what}")).json()["items"]
    (found,) = [one for one in items if like.items() <= one.items()]
    return dict(found)


async def test_a_mandate_from_before_the_first_passkey_waits_for_its_owner(alice: Person, shop: Person) -> None:
    id = (await alice.post("/v1/mandates", SHOP)).json()["id"]
    draws = f"/v1/mandates/{id}/draws"
    assert (await shop.post(draws, {"amount": "1.00"})).status_code == 201
    key, browser = await guarded(alice)

    refused = await shop.post(draws, {"amount": "1.00"})
    assert (code_of(refused), id in refused.json()["detail"]) == ((403, "grant_not_approved"), True)
    assert (await only(browser, "mandates"))["needs_approval"]
    assert (await alice.balance("EUR"))[0] == "99.00"

    ask = f"/v1/mandates/{id}/approval/challenge"
    assert code_of(await alice.post(ask, b"")) == (403, "forbidden"), "no key approves"
    assert code_of(await shop.post(ask, b"")) == (404, "not_found"), "it is not the payee's to approve"
    challenge = challenge_in(await browser.post(f"/v1/mandates/{id}/approval/challenge"))
    approved = await browser.post(f"/v1/mandates/{id}/approval", signed(key, challenge))
    assert (approved.status_code, approved.json()["needs_approval"]) == (200, False)
    assert (await shop.post(draws, {"amount": "1.00"})).json()["state"] == "settled"
    assert code_of(await browser.post(f"/v1/mandates/{id}/approval/challenge")) == (409, "state_conflict")


async def test_a_passkey_of_one_mandate_approves_no_other(alice: Person, shop: Person) -> None:
    one, other = [(await alice.post("/v1/mandates", SHOP)).json()["id"] for _ in range(2)]
    key, browser = await guarded(alice)
    assertion = signed(key, challenge_in(await browser.post(f"/v1/mandates/{one}/approval/challenge")))
    assert code_of(await browser.post(f"/v1/mandates/{other}/approval", assertion)) == (422, "invalid_passkey")
    assert code_of(await shop.post(f"/v1/mandates/{other}/draws", {"amount": "1.00"})) == (403, "grant_not_approved")


async def test_a_key_with_caps_from_before_the_first_passkey_waits_for_its_owner(alice: Person) -> None:
    id, text = await made(alice, caps=[{**EUR, "day": "50.00"}])
    capped = with_key(alice, text)
    assert (await capped.pay("@shop", "1.00 EUR")).status_code == 201
    paid = (await (await alice.api.person("dave", "9.00 EUR")).pay("@alice", "9.00 EUR")).json()["id"]
    _, browser = await guarded(alice)

    line = {"to": "@shop", "amount": "1.00", **EUR}
    for answer in (
        await capped.pay("@shop", "1.00 EUR"),
        await capped.pay("@shop", "1.00 EUR", capture=False),
        await capped.post("/v1/payments/preview", line),
        await capped.post("/v1/payments/batch?mode=all", [line]),
        await capped.post(f"/v1/payments/{paid}/refund", {}),
    ):
        assert code_of(answer) == (403, "grant_not_approved")
    assert (await capped.post("/v1/payments/batch", [line])).json()[0]["status"] == 403
    assert (await alice.balance("EUR"))[0] == "108.00"
    assert (await only(browser, "keys", id=id))["needs_approval"]
    assert not (await only(browser, "keys", name="sign-up"))["needs_approval"], "it needs no approval"

    assert code_of(await alice.post(f"/v1/keys/{id}/approval", b"")) == (403, "forbidden"), "no key approves"
    approved = await browser.post(f"/v1/keys/{id}/approval")
    assert (approved.status_code, approved.json()["needs_approval"]) == (200, False)
    assert (await capped.pay("@shop", "1.00 EUR")).json()["state"] == "settled"


async def test_a_wallet_without_a_passkey_approves_no_key_beforehand(alice: Person) -> None:
    id, text = await made(alice, caps=[{**EUR, "day": "50.00"}])
    assert code_of(await alice.post(f"/v1/keys/{id}/approval", b"")) == (403, "forbidden")
    await guarded(alice)
    assert code_of(await with_key(alice, text).pay("@shop", "1.00 EUR")) == (403, "grant_not_approved")


async def test_of_a_key_that_is_replaced_only_the_new_one_is_approved(alice: Person) -> None:
    first, old = await made(alice, caps=[{**EUR, "day": "50.00"}])
    by_key = (await alice.post(f"/v1/keys/{first}/replacement", {"overlap": 3600})).json()
    _, browser = await guarded(alice)
    by_owner = (await browser.post(f"/v1/keys/{by_key['id']}/replacement", {"overlap": 3600})).json()
    assert (by_key["needs_approval"], by_owner["needs_approval"]) == (False, False)
    for text in (old, by_key["api_key"]):
        assert code_of(await with_key(alice, text).pay("@shop", "1.00 EUR")) == (403, "grant_not_approved")
    assert (await with_key(alice, by_owner["api_key"]).pay("@shop", "1.00 EUR")).json()["state"] == "settled"


async def test_what_was_only_held_before_the_first_passkey_is_captured_with_its_approval(
    alice: Person, shop: Person
) -> None:
    moneys = ("10.00 EUR", "5 USDX")
    firsts = [await alice.pay("@shop", money, key=money[-3:], capture=False) for money in moneys]
    held = [first.json()["id"] for first in firsts]
    key, browser = await guarded(alice)
    for id in held:
        for by in (alice, shop):
            assert code_of(await by.post(f"/v1/payments/{id}/capture", {})) == (409, "state_conflict")
        shown = (await alice.get(f"/v1/payments/{id}")).json()
        assert (shown["state"], shown["approval"]["reasons"]) == ("requires_confirmation", ["before_passkey"])

    challenge = challenge_in(await browser.post(f"/v1/payments/{held[0]}/approval/challenge"))
    assert (await browser.post(f"/v1/payments/{held[0]}/approval", signed(key, challenge))).json()["state"] == "held"
    assert (await shop.post(f"/v1/payments/{held[0]}/capture", {})).json()["state"] == "settled"
    assert (await browser.post(f"/v1/payments/{held[1]}/decline")).json()["state"] == "declined"
    assert await alice.balance("USDX") == ("50.000000", "0.000000", "50.000000")
    again = [await alice.pay("@shop", money, key=money[-3:], capture=False) for money in moneys]
    assert [answer.content for answer in again] == [first.content for first in firsts]
    assert await alice.api.wrong() == []


async def test_whom_the_sign_up_key_has_paid_is_new_to_the_policy(alice: Person) -> None:
    assert (await alice.pay("@shop", "1.00 EUR")).json()["state"] == "settled"
    await guarded(alice)
    asked = (await alice.pay("@shop", "1.00 EUR")).json()
    assert (asked["state"], asked["approval"]["reasons"]) == ("requires_confirmation", ["new_payee"])


async def test_recovery_codes_from_before_the_first_passkey_end_with_it(api: Api, alice: Person) -> None:
    codes = (await alice.post("/v1/recovery-codes", b"")).json()["codes"]
    recover = [{"handle": "alice", "code": code} for code in codes[:2]]
    started = await api.call("POST", "/v1/sessions/recovery-code", json=recover[0], headers=OWN)
    thief = Browser(api, started)
    _, browser = await guarded(alice)

    assert (await browser.call("GET", "/v1/passkeys")).json()["recovery_codes_left"] == 0
    again = await api.call("POST", "/v1/sessions/recovery-code", json=recover[1], headers=OWN)
    assert code_of(again) == (422, "invalid_recovery_code")
    refused = await api.call("POST", "/v1/passkeys/challenge", headers={**OWN, "Cookie": cookie_of(started)})
    assert code_of(refused) == (401, "unauthenticated"), "the session that a code began has ended"
    assert thief.id not in {one["id"] for one in (await browser.call("GET", "/v1/sessions")).json()["items"]}


async def test_what_was_let_in_before_the_first_passkey_and_ends_after_it_is_not_the_owners(
    api: Api, alice: Person
) -> None:
    """All of them are let in while the wallet has no passkey, and then wait for its row."""
    made = [Authenticator().make(challenge_in(await alice.post("/v1/passkeys/challenge", b""))) for _ in range(2)]
    passkeys = [{"name": "Laptop", "client_data": base64url(one), "attestation": base64url(two)} for one, two in made]
    async with api.services.database.transaction() as connection:
        await connection.execute("SELECT FROM wallet WHERE handle = 'alice' FOR UPDATE")
        waiting = [asyncio.create_task(alice.post("/v1/recovery-codes", b""))]
        await until_waiting(connection, 1)  # codes are hashed first: others would give up waiting meanwhile
        waiting += [asyncio.create_task(alice.post("/v1/passkeys", passkey)) for passkey in passkeys]
        waiting += [asyncio.create_task(alice.pay("@shop", "10.00 EUR", capture=False))]
        await until_waiting(connection, 4)
    codes, first, second, held = await asyncio.gather(*waiting)

    assert sorted((first.status_code, second.status_code)) == [201, 403]
    assert codes.status_code in (201, 403)
    listed = (await alice.get("/v1/passkeys")).json()
    assert (len(listed["items"]), listed["recovery_codes_left"]) == (1, 0), "codes end with it, or are not made"
    shown = (await alice.get(f"/v1/payments/{held.json()['id']}")).json()
    assert shown["state"] == "requires_confirmation", "it was held before, or asked about after"


async def test_an_owner_who_has_a_passkey_approves_nothing_twice(api: Api, shop: Person) -> None:
    alice, key, browser = await browsing(api, "alice", "100.00 EUR")
    wanted = signed(key, challenge_in(await browser.post("/v1/mandates/challenge", SHOP)))
    granted = (await browser.post("/v1/mandates", {**SHOP, "approval": wanted})).json()
    assert not granted["needs_approval"]
    assert (await shop.post(f"/v1/mandates/{granted['id']}/draws", {"amount": "2.00"})).json()["state"] == "settled"
    _, text = await made(browser, caps=[{**EUR, "day": "50.00"}])
    assert (await with_key(alice, text).pay("@shop", "1.00 EUR")).json()["state"] == "settled"
