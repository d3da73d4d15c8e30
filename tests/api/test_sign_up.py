"""Signing up with a passkey: the handle, the passkey and the session in one transaction, or none of them."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.browser import OWN, Browser, challenge_in, signed_in
from tests.api.conftest import Api, code_of
from tests.authenticator import Authenticator, base64url

pytestmark = pytest.mark.anyio

NOTHING = ("wallet", "encrypted_key", "api_key", "passkey", "session", "event")


async def ask(api: Api, handle: str = "alice") -> httpx.Response:
    return await api.call("POST", "/v1/sign-ups/challenge", json={"handle": handle})


def finished(asked: httpx.Response, key: Authenticator, handle: str = "alice", **other: str) -> dict[str, str]:
    """What a page sends once the passkey is made over a challenge."""
    client_data, attestation = key.make(challenge_in(asked))
    made = {"client_data": base64url(client_data), "attestation": base64url(attestation)}
    return {"handle": handle, "user_id": asked.json()["user_id"], "name": "Laptop", **made, **other}


async def finish(api: Api, body: dict[str, str], headers: dict[str, str] = OWN) -> httpx.Response:
    return await api.call("POST", "/v1/sign-ups", json=body, headers=headers)


async def rows(api: Api) -> dict[str, int]:
    async with api.services.database.reading() as connection:
        return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in NOTHING}


async def test_a_sign_up_makes_a_guarded_wallet_its_passkey_and_its_owners_session(api: Api) -> None:
    key = Authenticator()
    asked = await ask(api, "@Alice")
    signed_up = await finish(api, finished(asked, key, "@Alice"))

    assert (signed_up.status_code, signed_up.json()["handle"]) == (201, "alice")
    mine: Any = signed_up.json()
    seen = (await api.call("GET", "/v1/handles/alice")).json()
    assert (seen["wallet_id"], seen["address"]) == (mine["wallet_id"], mine["address"])
    browser = Browser(api, _session_of(signed_up))
    (passkey,) = (await browser.call("GET", "/v1/passkeys")).json()["items"]
    assert passkey["name"] == "Laptop"
    assert len((await browser.post("/v1/recovery-codes")).json()["codes"]) == 10
    bearer = {"Authorization": f"Bearer {mine['api_key']}"}
    assert (await api.call("GET", "/v1/wallet", headers=bearer)).status_code == 200
    assert code_of(await api.call("POST", "/v1/recovery-codes", headers=bearer)) == (403, "forbidden")
    assert (await signed_in(api, key)).json()["handle"] == "alice"


async def test_an_unfinished_sign_up_leaves_the_handle_to_anybody(api: Api) -> None:
    for _ in range(3):
        assert (await ask(api)).status_code == 201
    assert set((await rows(api)).values()) == {0}
    assert (await finish(api, finished(await ask(api), Authenticator()))).status_code == 201


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        ({"name": " "}, (400, "invalid_request")),
        ({"handle": "bob"}, (422, "invalid_passkey")),
        ({"handle": "not a handle"}, (422, "invalid_handle")),
        ({"user_id": base64url(bytes(16))}, (422, "invalid_passkey")),
        ({"user_id": "AAAA"}, (422, "invalid_passkey")),
        ({"attestation": base64url(b"nothing")}, (422, "invalid_passkey")),
    ],
)
async def test_a_sign_up_with_anything_else_than_was_asked_for_claims_nothing(
    api: Api, other: dict[str, str], refused: tuple[int, str]
) -> None:
    key = Authenticator()
    asked = await ask(api)
    assert code_of(await finish(api, finished(asked, key, **other))) == refused
    assert set((await rows(api)).values()) == {0}
    assert (await finish(api, finished(asked, key))).status_code == 201


async def test_a_sign_up_from_another_origin_or_of_an_unverified_person_claims_nothing(api: Api) -> None:
    asked = await ask(api)
    right = finished(asked, Authenticator())
    assert code_of(await finish(api, right, {"Origin": "http://evil.example"})) == (403, "forbidden")
    for wrong in (Authenticator(flags=0x01), Authenticator(origin="http://127.0.0.1:8000")):
        assert code_of(await finish(api, finished(asked, wrong))) == (422, "invalid_passkey")
    assert set((await rows(api)).values()) == {0}


async def test_a_challenge_signs_up_once_and_a_passkey_is_one_wallets(api: Api) -> None:
    key = Authenticator()
    body = finished(await ask(api), key)
    assert (await finish(api, body)).status_code == 201
    assert code_of(await finish(api, body)) == (422, "invalid_passkey")
    assert code_of(await finish(api, finished(await ask(api, "bob"), key, "bob"))) == (422, "invalid_passkey")
    assert (await rows(api))["wallet"] == 1


async def test_a_taken_handle_is_refused_before_a_passkey_is_made(api: Api) -> None:
    await api.person("alice")
    for handle in ("alice", "@ALICE", "a1ice"):
        assert code_of(await ask(api, handle)) == (409, "handle_taken")


async def test_of_ten_who_finish_with_one_handle_at_once_one_gets_it_and_the_others_nothing(api: Api) -> None:
    bodies = [finished(await ask(api), Authenticator()) for _ in range(10)]
    answers = await asyncio.gather(*(finish(api, body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert {name: count for name, count in (await rows(api)).items() if name != "event"} == dict.fromkeys(
        NOTHING[:-1], 1
    )


def _session_of(signed_up: httpx.Response) -> httpx.Response:
    """The answer as one of /v1/sessions/passkey would be."""
    return httpx.Response(
        201, json=signed_up.json()["session"], headers={"set-cookie": signed_up.headers["set-cookie"]}
    )
