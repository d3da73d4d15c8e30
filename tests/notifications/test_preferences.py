"""What is sent where: set one by one, by several at once, and nothing is lost."""

import asyncio

import pytest

from gateway.notifications.vocabulary import KINDS
from tests.api.conftest import Person, code_of

pytestmark = pytest.mark.anyio

PATH = "/v1/notifications/preferences"


async def set_one(of: Person, kind: str, mode: str) -> None:
    body = {"modes": [{"kind": kind, "channel": "email", "mode": mode}]}
    answer = await of.api.call("PATCH", PATH, headers=of.bearer, json=body)
    assert answer.status_code == 200, answer.text


async def test_of_many_set_at_once_none_is_lost(alice: Person) -> None:
    await asyncio.gather(*(set_one(alice, kind, "fallback") for kind in KINDS))
    said = (await alice.get(PATH)).json()["kinds"]
    assert {one["modes"]["email"] for one in said} == {"fallback"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_mode_that_there_is_not_is_refused(alice: Person, method: str) -> None:
    one = {"kind": "money_in", "channel": "email", "mode": "off"}
    for wrong in ([one, one], [{**one, "kind": "money"}], [{**one, "channel": "fax"}], [{**one, "mode": "maybe"}]):
        answer = await alice.api.call(method, PATH, headers=alice.bearer, json={"modes": wrong})
        assert code_of(answer) == (400, "invalid_request"), wrong
