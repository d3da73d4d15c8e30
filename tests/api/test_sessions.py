"""Sessions over HTTP: what a cookie may do and for how long, where it may come from, and how it ends."""

import httpx
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from gateway.identity.sign_in.session import FRESH, OVERLAP, ROTATES_AFTER
from tests.api.browser import OWN, Browser, browsing, cookie_of, registered, signed_in
from tests.api.conftest import Api, code_of
from tests.api.test_own_key import with_own_key
from tests.authenticator import Authenticator

pytestmark = pytest.mark.anyio


async def test_a_session_reads_and_for_minutes_does_what_an_owner_may(api: Api) -> None:
    alice, _, browser = await browsing(api)

    assert (await browser.call("GET", "/v1/wallet")).json()["handle"] == "alice"
    assert len((await browser.call("POST", "/v1/recovery-codes")).json()["codes"]) == 10
    assert code_of(await alice.post("/v1/recovery-codes", b"")) == (403, "forbidden")

    api.clock.ahead += FRESH
    assert (await browser.call("GET", "/v1/wallet")).status_code == 200
    stale = await browser.call("POST", "/v1/recovery-codes")
    assert code_of(stale) == (403, "forbidden")
    assert stale.json()["type"].endswith(":sign_in_again")


async def test_a_stolen_cookie_moves_no_money_after_minutes(api: Api) -> None:
    _, _, browser = await browsing(api, "alice", "10.00 EUR")
    await api.person("bob")
    api.clock.ahead += FRESH
    body = {"to": "@bob", "amount": "1.00", "asset": "EUR"}
    answer = await browser.call("POST", "/v1/payments", {**OWN, "Idempotency-Key": "k"}, json=body)
    assert code_of(answer) == (403, "forbidden")


async def test_payments_with_a_session_are_answered_before_the_router_while_its_token_is_good(
    api: Api, by_asgi: list[str]
) -> None:
    _, _, browser = await browsing(api, "alice", "10.00 EUR")
    await api.person("bob")
    by_asgi.clear()

    async def pay(key: str, headers: dict[str, str]) -> tuple[int, int]:
        body = {"to": "@bob", "amount": "1.00", "asset": "EUR"}
        answer = await browser.call("POST", "/v1/payments", {**headers, "Idempotency-Key": key}, json=body)
        ordinarily, by_asgi[:] = len(by_asgi), []
        return answer.status_code, ordinarily

    async with api.services.database.transaction() as connection:
        await connection.execute("UPDATE policy SET approve_new_payee = false, new_device_hours = 0")
    assert await pay("second", OWN) == (201, 0)  # which the policy lets through: in one statement
    assert await pay("second", OWN) == (201, 1)
    async with api.services.database.transaction() as connection:
        await connection.execute("UPDATE policy SET approve_new_payee = true, new_device_hours = 24")
    assert await pay("first", OWN) == (202, 0)  # to somebody new on a new device: it waits for an approval
    assert await pay("first", OWN) == (202, 1)  # the same answer again
    assert await pay("other-origin", {"Origin": "http://evil.example"}) == (403, 1)
    assert await pay("no-origin", {}) == (403, 1)
    kept = browser.cookie
    assert (await browser.call("DELETE", "/v1/sessions/current")).status_code == 200
    browser.cookie = kept
    by_asgi.clear()
    assert await pay("signed-out", OWN) == (401, 1)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost:9999", "Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
)
async def test_a_page_of_another_origin_does_nothing_with_the_cookie(api: Api, headers: dict[str, str]) -> None:
    _, _, browser = await browsing(api)
    for method, path in (("POST", "/v1/recovery-codes"), ("DELETE", "/v1/sessions/current")):
        assert code_of(await browser.call(method, path, headers)) == (403, "forbidden")
    assert (await browser.call("POST", "/v1/recovery-codes")).status_code == 201


async def test_an_api_key_is_what_counts_where_a_cookie_comes_with_it(api: Api) -> None:
    _, _, browser = await browsing(api)
    bob = await api.person("bob")
    answer = await browser.call("GET", "/v1/wallet", {**OWN, **bob.bearer})
    assert answer.json()["handle"] == "bob"
    assert code_of(await browser.call("GET", "/v1/wallet", {"Authorization": ""})) == (401, "unauthenticated")


async def test_a_stolen_token_used_after_rotation_ends_the_session_for_both(api: Api) -> None:
    alice, _, browser = await browsing(api)
    stolen = browser.cookie
    api.clock.ahead += ROTATES_AFTER
    await browser.call("GET", "/v1/wallet")
    assert browser.cookie != stolen
    api.clock.ahead += OVERLAP

    thief = await api.call("GET", "/v1/wallet", headers={"Cookie": stolen})

    assert code_of(thief) == (401, "unauthenticated")
    assert code_of(await browser.call("GET", "/v1/wallet")) == (401, "unauthenticated")
    told = (await alice.get("/v1/events")).json()["items"][-1]
    assert (told["type"], told["data"]["reason"]) == ("session.ended", "stolen")


async def test_the_next_token_comes_with_refusals_too(api: Api) -> None:
    _, _, browser = await browsing(api)
    before = browser.cookie
    api.clock.ahead += ROTATES_AFTER
    assert code_of(await browser.call("GET", "/v1/payments/pay_none")) == (404, "not_found")
    assert browser.cookie != before


async def test_a_session_that_was_fixed_is_not_the_one_that_is_signed_in(api: Api) -> None:
    _, key, _ = await browsing(api)
    _, _, evil = await browsing(api, "eve")
    planted = evil.cookie

    browser = Browser(api, await signed_in(api, key, Cookie=planted))

    assert browser.cookie != planted
    assert code_of(await api.call("GET", "/v1/wallet", headers={"Cookie": planted})) == (401, "unauthenticated")
    assert (await browser.call("GET", "/v1/wallet")).json()["handle"] == "alice"


async def test_sessions_are_listed_and_ended_and_signing_out_takes_the_cookie(api: Api) -> None:
    _, key, laptop = await browsing(api)
    phone = Browser(api, await signed_in(api, key, **{"User-Agent": "Phone"}))
    _, _, eve = await browsing(api, "eve")

    shown = (await laptop.call("GET", "/v1/sessions")).json()["items"]
    assert [(one["device"], one["current"]) for one in shown] == [("Phone", False), ("Firefox", True)]

    assert code_of(await eve.call("DELETE", f"/v1/sessions/{phone.id}")) == (404, "not_found")
    assert code_of(await laptop.call("DELETE", "/v1/sessions/nothing")) == (404, "not_found")
    assert (await laptop.call("DELETE", f"/v1/sessions/{phone.id}")).json()["device"] == "Phone"
    assert code_of(await phone.call("GET", "/v1/wallet")) == (401, "unauthenticated")
    out = await laptop.call("DELETE", "/v1/sessions/current")
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert code_of(await api.call("GET", "/v1/wallet", headers={"Cookie": laptop.cookie})) == (401, "unauthenticated")


async def test_a_key_of_a_guarded_wallet_neither_adds_a_passkey_nor_signs_anybody_out(api: Api) -> None:
    alice, _, browser = await browsing(api)
    assert code_of(await alice.post("/v1/passkeys/challenge", b"")) == (403, "forbidden")
    answer = await api.call("DELETE", f"/v1/sessions/{browser.id}", headers=alice.bearer)
    assert code_of(answer) == (403, "forbidden")


async def test_a_recovery_code_adds_one_passkey_and_does_nothing_else(api: Api) -> None:
    _, _, browser = await browsing(api)
    codes = (await browser.call("POST", "/v1/recovery-codes")).json()["codes"]
    body = {"handle": "alice", "code": codes[0]}
    started = await api.call("POST", "/v1/sessions/recovery-code", json=body, headers=OWN)
    found, key = Browser(api, started), Authenticator()
    assert started.json()["fresh_until"] is None

    refused = await found.call("POST", "/v1/recovery-codes")
    challenge = await found.call("POST", "/v1/passkeys/challenge")
    assert code_of(refused) == (403, "forbidden")
    assert challenge.status_code == 201
    assert (await found.call("GET", "/v1/wallet")).status_code == 200
    assert (await registered(found, key, "New phone")).status_code == 201

    assert code_of(await found.call("GET", "/v1/wallet")) == (401, "unauthenticated")
    assert (await signed_in(api, key)).status_code == 201


async def test_a_recovery_session_is_good_for_minutes(api: Api) -> None:
    _, _, browser = await browsing(api)
    codes = (await browser.call("POST", "/v1/recovery-codes")).json()["codes"]
    started = await api.call(
        "POST", "/v1/sessions/recovery-code", json={"handle": "alice", "code": codes[0]}, headers=OWN
    )
    api.clock.ahead += FRESH
    late = Browser(api, started)
    assert code_of(await late.call("POST", "/v1/passkeys/challenge")) == (403, "forbidden")


async def ethereum_session(api: Api, handle: str, key: Account) -> httpx.Response:
    path = "/v1/sessions/ethereum"
    text = (await api.call("POST", f"{path}/challenge", json={"handle": handle})).json()["message"]
    signature = "0x" + bytes(key.sign_message(encode_defunct(text=text)).signature).hex()
    return await api.call("POST", path, json={"message": text, "signature": signature}, headers=OWN)


async def test_an_ethereum_wallet_signs_in_and_once_there_is_a_passkey_is_no_owner(api: Api) -> None:
    alice, key = await with_own_key(api, "alice")
    browser = Browser(api, await ethereum_session(api, "alice", key))
    assert (await browser.call("POST", "/v1/recovery-codes")).status_code == 201

    await registered(alice, Authenticator())

    later = Browser(api, await ethereum_session(api, "alice", key))
    for one in (browser, later):
        assert code_of(await one.call("POST", "/v1/recovery-codes")) == (403, "forbidden")
        assert (await one.call("GET", "/v1/wallet")).status_code == 200


@pytest.mark.parametrize("planted", ["nobody's", "another's"])
async def test_a_session_from_before_the_sign_in_is_never_kept(api: Api, planted: str) -> None:
    """Session fixation: whoever put a cookie into the browser knows it."""
    _, _, eve = await browsing(api, "eve")
    alice, key = await api.person("alice"), Authenticator()
    await registered(alice, key)
    cookie = eve.cookie if planted == "another's" else "session=gs_" + "A" * 43

    started = await signed_in(api, key, Cookie=cookie)

    assert started.json()["handle"] == "alice"
    assert cookie_of(started) != cookie
    with_planted = await api.call("GET", "/v1/wallet", headers={**OWN, "Cookie": cookie})
    assert code_of(with_planted) == (401, "unauthenticated")
    assert (await Browser(api, started).call("GET", "/v1/wallet")).json()["handle"] == "alice"


async def test_an_ethereum_wallet_that_is_not_bound_signs_nobody_in(api: Api) -> None:
    await api.person("bob")
    refused = await api.call("POST", "/v1/sessions/ethereum/challenge", json={"handle": "bob"})
    assert code_of(refused) == (422, "invalid_challenge")
    await with_own_key(api, "alice")
    assert code_of(await ethereum_session(api, "alice", Account.create())) == (422, "invalid_signature")


async def test_from_the_first_passkey_on_no_key_of_the_wallet_is_plain(api: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR"), await api.person("bob")
    await registered(alice, Authenticator())
    async with api.services.database.reading() as connection:
        rows = await connection.fetch("SELECT handle, plain, guarded FROM api_key JOIN wallet ON wallet_id = wallet.id")
    assert {row["handle"]: (row["plain"], row["guarded"]) for row in rows} == {
        "alice": (False, True),
        bob.handle: (True, False),
    }
