"""Signing in over HTTP: passkeys made and used, cookies, and what is refused."""

import re
from typing import Any

import pytest

from tests.api.browser import OWN, browsing, challenge_in, registered, signed, signed_in
from tests.api.conftest import Api, code_of
from tests.authenticator import Authenticator, base64url

pytestmark = pytest.mark.anyio


async def test_a_passkey_is_made_listed_and_signed_in_with(api: Api) -> None:
    alice, key = await api.person("alice"), Authenticator()

    made = await registered(alice, key)
    started = await signed_in(api, key)

    assert made.status_code == 201
    shown: Any = (await alice.get("/v1/passkeys")).json()
    assert [one["name"] for one in shown["items"]] == ["Laptop"]
    assert shown["items"][0]["last_used_at"] is not None
    assert started.status_code == 201
    session = started.json()
    assert (session["handle"], session["device"], session["sign_in_method"]) == ("alice", "Firefox", "passkey")
    assert started.headers["cache-control"] == "no-store"


async def test_the_challenge_names_the_relying_party_the_owner_and_what_is_there_already(api: Api) -> None:
    _, key, browser = await browsing(api)

    asked = (await browser.post("/v1/passkeys/challenge")).json()

    assert (asked["rp_id"], asked["user_name"], asked["algorithms"]) == ("localhost", "@alice", [-8, -7, -257])
    assert asked["exclude"] == [base64url(key.credential_id)]


async def test_the_cookie_is_of_no_use_to_scripts_and_other_sites(api: Api) -> None:
    alice, key = await api.person("alice"), Authenticator()
    await registered(alice, key)
    token, *rules = (await signed_in(api, key)).headers["set-cookie"].split("; ")
    assert re.fullmatch(r"session=gs_[\w-]{43}", token)
    assert sorted(rules) == ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=strict"]


async def test_a_replayed_assertion_signs_nobody_in(api: Api) -> None:
    alice, key = await api.person("alice"), Authenticator(counts=False)
    await registered(alice, key)
    assertion = signed(key, challenge_in(await api.call("POST", "/v1/sessions/passkey/challenge")))
    assert (await api.call("POST", "/v1/sessions/passkey", json=assertion, headers=OWN)).status_code == 201

    again = await api.call("POST", "/v1/sessions/passkey", json=assertion, headers=OWN)

    assert code_of(again) == (422, "invalid_passkey")
    assert again.json()["type"].endswith(":challenge")
    assert "set-cookie" not in again.headers


async def test_a_cloned_passkey_is_stopped_by_the_request_that_finds_out(api: Api) -> None:
    alice, key = await api.person("alice"), Authenticator(sign_count=5)
    await registered(alice, key)
    key.sign_count = 3

    refused = await signed_in(api, key)

    assert code_of(refused) == (422, "invalid_passkey")
    assert refused.json()["type"].endswith(":cloned")
    assert (await alice.get("/v1/passkeys")).json()["items"] == []
    events = [event["type"] for event in (await alice.get("/v1/events")).json()["items"]]
    assert events == ["wallet.created", "passkey.added", "passkey.stopped"]
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit_event WHERE kind = 'passkey.stopped'") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost:8001", "Sec-Fetch-Site": "same-site"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
)
async def test_a_page_of_another_origin_signs_nobody_in(api: Api, headers: dict[str, str]) -> None:
    alice, key = await api.person("alice"), Authenticator()
    await registered(alice, key)
    challenge = challenge_in(await api.call("POST", "/v1/sessions/passkey/challenge"))
    answer = await api.call("POST", "/v1/sessions/passkey", json=signed(key, challenge), headers=headers)
    assert code_of(answer) == (403, "forbidden")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("spoilt", ["=", "a", "AA==", "A+/A", "é", "x" * 9000])
async def test_what_is_not_base64url_is_refused(shared: Api, spoilt: str) -> None:
    body = {"credential_id": "AAAA", "client_data": spoilt, "authenticator_data": "AAAA", "signature": "AAAA"}
    answer = await shared.call("POST", "/v1/sessions/passkey", json=body, headers=OWN)
    assert answer.status_code in (400, 422)


async def test_nobody_revokes_a_passkey_of_others_or_is_told_that_it_exists(api: Api) -> None:
    alice, _, _ = await browsing(api)
    _, _, eve = await browsing(api, "eve")
    (shown,) = (await alice.get("/v1/passkeys")).json()["items"]
    for one in (shown["id"], "psk_01h455vb4pex5vsknk084sn02q", "nothing"):
        answer = await eve.call("DELETE", f"/v1/passkeys/{one}")
        assert code_of(answer) == (404, "not_found")
    assert len((await alice.get("/v1/passkeys")).json()["items"]) == 1


async def test_the_last_passkey_goes_once_there_are_recovery_codes_and_one_of_them_signs_in(api: Api) -> None:
    alice, _, browser = await browsing(api)
    path = f"/v1/passkeys/{(await alice.get('/v1/passkeys')).json()['items'][0]['id']}"
    assert code_of(await browser.call("DELETE", path)) == (409, "last_passkey")
    codes = (await browser.post("/v1/recovery-codes")).json()["codes"]
    assert (await browser.call("DELETE", path)).status_code == 200
    assert code_of(await browser.call("GET", "/v1/wallet")) == (401, "unauthenticated")

    path, body = "/v1/sessions/recovery-code", {"handle": "@alice", "code": codes[0]}
    started = await api.call("POST", path, json=body, headers=OWN)
    again = await api.call("POST", path, json=body, headers=OWN)

    assert (started.status_code, started.json()["sign_in_method"]) == (201, "recovery_code")
    assert code_of(again) == (422, "invalid_recovery_code")
    assert (await alice.get("/v1/passkeys")).json()["recovery_codes_left"] == 9


async def test_an_owner_proves_a_recovery_code_and_nobody_else_does(api: Api) -> None:
    alice, _, browser = await browsing(api)
    code = (await browser.post("/v1/recovery-codes")).json()["codes"][0]
    path = "/v1/recovery-codes/confirmation"
    assert (await alice.get("/v1/passkeys")).json()["recovery_codes_confirmed_at"] is None
    assert code_of(await alice.post(path, {"code": code})) == (403, "forbidden")
    assert code_of(await browser.post(path, {"code": "0000-0000-0000-0000"})) == (422, "invalid_recovery_code")

    confirmed = await browser.post(path, {"code": code.upper()})

    assert (confirmed.status_code, confirmed.json()["recovery_codes_left"]) == (200, 10)
    assert (await alice.get("/v1/passkeys")).json()["recovery_codes_confirmed_at"] is not None
    body = {"handle": "@alice", "code": code}
    assert (await api.call("POST", "/v1/sessions/recovery-code", json=body, headers=OWN)).status_code == 201


async def test_wrong_proofs_of_a_recovery_code_count_as_attempts_to_sign_in(api: Api) -> None:
    _, _, browser = await browsing(api)
    code = (await browser.post("/v1/recovery-codes")).json()["codes"][0]
    for _ in range(10):
        answer = await browser.post("/v1/recovery-codes/confirmation", {"code": "0000-0000-0000-0000"})
        assert code_of(answer) == (422, "invalid_recovery_code")
    assert code_of(await browser.post("/v1/recovery-codes/confirmation", {"code": code})) == (429, "too_many_tries")


async def test_recovery_codes_are_tried_few_times(api: Api) -> None:
    await api.person("alice")
    body = {"handle": "alice", "code": "0000-0000-0000-0000"}
    for _ in range(10):
        answer = await api.call("POST", "/v1/sessions/recovery-code", json=body, headers=OWN)
        assert code_of(answer) == (422, "invalid_recovery_code")
    answer = await api.call("POST", "/v1/sessions/recovery-code", json=body, headers=OWN)
    assert code_of(answer) == (429, "too_many_tries")
    assert answer.headers["retry-after"] == "900"
