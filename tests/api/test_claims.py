"""Claiming a handle for a program: what is lost on the way can be repeated, and nobody locks themselves out."""

import asyncio
import hashlib

import httpx
import pytest

from tests.api.conftest import Api, code_of

pytestmark = pytest.mark.anyio

KEY = "gw_" + "k" * 43


async def claim(api: Api, handle: str = "alice", key: str = KEY) -> httpx.Response:
    body = {"handle": handle, "api_key_hash": hashlib.sha256(key.encode()).hexdigest()}
    return await api.call("POST", "/v1/handles", json=body)


async def test_a_claim_with_a_key_of_ones_own_is_answered_alike_when_it_is_repeated(api: Api) -> None:
    first = await claim(api, "@Alice")
    assert (first.status_code, first.json()["api_key"]) == (201, None)
    again = await claim(api)
    assert (again.status_code, again.json()) == (201, first.json())
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert (await api.call("GET", "/v1/wallet", headers=bearer)).json()["handle"] == "alice"


async def test_of_ten_claims_with_one_key_at_once_all_have_the_same_wallet(api: Api) -> None:
    answers = await asyncio.gather(*(claim(api) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["wallet_id"] for answer in answers}) == 1
    assert (await api.counts())["api_key"] == 1


async def test_another_key_finds_no_wallet_and_one_key_claims_one_handle(api: Api) -> None:
    await claim(api)
    before = await api.counts()
    assert code_of(await claim(api, key="gw_other")) == (409, "handle_taken")
    assert code_of(await claim(api, handle="a1ice")) == (409, "handle_taken")
    assert code_of(await claim(api, handle="bob")) == (400, "invalid_request")
    for wrong in ("", "0" * 63, "A" * 64, "x" * 64):
        body = {"handle": "bob", "api_key_hash": wrong}
        assert code_of(await api.call("POST", "/v1/handles", json=body)) == (400, "invalid_request")
    assert await api.counts() == before


async def test_the_only_key_that_acts_as_owner_is_not_revoked_while_there_is_no_passkey(api: Api) -> None:
    alice = await api.person("alice")
    made = (await alice.post("/v1/keys", {"name": "Shop", "scopes": ["read"]})).json()
    (own,) = [one for one in (await alice.get("/v1/keys")).json()["items"] if one["current"]]

    refused = await api.call("DELETE", f"/v1/keys/{own['id']}", headers=alice.bearer)

    assert code_of(refused) == (409, "last_owner_key")
    assert (await alice.get("/v1/wallet")).status_code == 200
    assert (await api.call("DELETE", f"/v1/keys/{made['id']}", headers=alice.bearer)).status_code == 200
    new = (await alice.post(f"/v1/keys/{own['id']}/replacement", {"overlap": 60})).json()
    bearer = {"Authorization": f"Bearer {new['api_key']}"}
    assert (await api.call("DELETE", f"/v1/keys/{own['id']}", headers=bearer)).status_code == 200


async def test_a_key_that_replaces_itself_can_do_so_again_when_the_answer_is_lost(api: Api) -> None:
    alice = await api.person("alice")
    (own,) = (await alice.get("/v1/keys")).json()["items"]
    await alice.post(f"/v1/keys/{own['id']}/replacement", {"overlap": 0})
    again = await alice.post(f"/v1/keys/{own['id']}/replacement", {"overlap": 0})
    assert again.status_code == 201
    bearer = {"Authorization": f"Bearer {again.json()['api_key']}"}
    assert (await api.call("GET", "/v1/wallet", headers=bearer)).status_code == 200
