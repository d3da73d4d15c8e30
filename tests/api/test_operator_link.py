"""The link to a sandbox's console: it begins one session, of an operator who has no passkey."""

import asyncio

import pytest

from gateway.operators import link
from tests.api.browser import OWN, cookie_of
from tests.api.conftest import Api, code_of
from tests.identity.conftest import BY

pytestmark = pytest.mark.anyio

PATH = "/v1/operator/session/link"


async def code_for(api: Api) -> str | None:
    async with api.services.database.transaction() as connection:
        return await link.make(connection, BY, api.services.clock())


async def test_of_one_link_opened_many_times_at_once_one_begins_a_session(api: Api) -> None:
    body = {"code": await code_for(api)}
    answers = await asyncio.gather(*(api.call("POST", PATH, json=body, headers=OWN) for _ in range(10)))
    started = [one for one in answers if one.status_code == 201]
    assert len(started) == 1
    assert {code_of(one) for one in answers if one is not started[0]} == {(422, "invalid_link")}
    seen = await api.call("GET", "/v1/operator/proposals", headers={"Cookie": cookie_of(started[0])})
    assert seen.status_code == 200
    assert (await api.call("GET", "/v1/wallet", headers={"Cookie": cookie_of(started[0])})).status_code == 401


async def test_a_link_ends_with_the_next_one_and_is_no_wallet_s(api: Api) -> None:
    first, second = await code_for(api), await code_for(api)
    assert code_of(await api.call("POST", PATH, json={"code": first}, headers=OWN)) == (422, "invalid_link")
    other = await api.call("POST", "/v1/sessions/link", json={"code": second}, headers=OWN)
    assert code_of(other) == (422, "invalid_link")
    assert (await api.call("POST", PATH, json={"code": second}, headers=OWN)).status_code == 201


async def test_an_operator_with_a_passkey_or_revoked_gets_no_link(api: Api) -> None:
    code = await code_for(api)
    async with api.services.database.transaction() as connection:
        await connection.execute("UPDATE operator SET link = NULL, credential_id = '\\x01', public_key = '\\x02'")
    assert await code_for(api) is None
    assert code_of(await api.call("POST", PATH, json={"code": code}, headers=OWN)) == (422, "invalid_link")
