"""What a wallet pays without its owner's approval, set by two operators and not by one."""

import pytest

from tests.api.browser import browsing
from tests.api.conftest import Api, code_of
from tests.api.test_operators import operator

pytestmark = pytest.mark.anyio

TEN = {"asset": "EUR", "payment": "10.00", "day": "15.00"}


async def test_two_operators_set_what_a_wallet_pays_without_an_approval_and_one_does_not(api: Api) -> None:
    alice, _, browser = await browsing(api, "alice", "500.00 EUR")
    await api.person("bob")
    await browser.call("PUT", "/v1/policy", json={})
    ann, ben = await operator(api, "ann"), await operator(api, "ben")

    proposed = (await ann.propose("wallet.limit", "@alice", limit=TEN)).json()
    before = (await alice.get("/v1/policy")).json()["limits"]
    own = await ann.call("POST", f"/proposals/{proposed['id']}/challenge")
    approved = await ben.approve(proposed["id"])

    assert proposed["terms"] == "10.00 EUR a payment and 15.00 EUR a day go without an approval"
    assert (code_of(own), approved.status_code) == ((403, "forbidden"), 200)
    after = (await alice.get("/v1/policy")).json()["limits"]
    assert (before["EUR"]["payment"], after["EUR"]) == ("100.00", {"payment": "10.00", "day": "15.00"})
    waiting = (await alice.pay("@bob", "10.01 EUR")).json()
    assert waiting["approval"]["reasons"] == ["amount", "new_payee"]
    seen = (await alice.get("/v1/events")).json()["items"]
    changed = [one["data"] for one in seen if one["type"] == "policy.changed"][-1]
    assert (changed["changed_by"], changed["limit"]) == ("operators", proposed["terms"])


async def test_a_limit_is_raised_by_two_as_well_and_the_last_one_holds(api: Api) -> None:
    alice, _, _ = await browsing(api, "alice", "500.00 EUR")
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    for payment, day in (("10.00", "10.00"), ("200.00", "400.00")):
        limit = {"asset": "EUR", "payment": payment, "day": day}
        await ben.approve((await ann.propose("wallet.limit", "alice", limit=limit)).json()["id"])
        assert (await alice.get("/v1/policy")).json()["limits"]["EUR"] == {"payment": payment, "day": day}


async def test_an_approval_of_one_limit_is_none_of_another(api: Api) -> None:
    await browsing(api, "alice", "500.00 EUR")
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    low = (await ann.propose("wallet.limit", "alice", limit=TEN)).json()["id"]
    high = (await ann.propose("wallet.limit", "alice", limit=TEN | {"payment": "1000.00", "day": "1000.00"})).json()[
        "id"
    ]
    over_low = await ben.assertion(low)

    assert code_of(await ben.call("POST", f"/proposals/{high}/approve", over_low)) == (422, "invalid_passkey")
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM policy_limit") == 0


@pytest.mark.parametrize(
    ("kind", "limit", "code"),
    [
        ("wallet.limit", None, (400, "invalid_request")),
        ("wallet.freeze", TEN, (400, "invalid_request")),
        ("wallet.limit", TEN | {"day": "9.99"}, (400, "invalid_request")),
        ("wallet.limit", TEN | {"payment": "-1"}, (422, "invalid_amount")),
        ("wallet.limit", TEN | {"payment": "1.001"}, (422, "amount_too_precise")),
        ("wallet.limit", TEN | {"asset": "XXX"}, (422, "unknown_asset")),
    ],
)
async def test_a_limit_that_is_none_is_not_proposed(
    api: Api, kind: str, limit: dict[str, str] | None, code: tuple[int, str]
) -> None:
    await browsing(api, "alice")
    ann = await operator(api, "ann")
    assert code_of(await ann.propose(kind, "alice", limit=limit)) == code
    assert (await ann.call("GET", "/proposals")).json()["items"] == []


async def test_a_wallet_without_a_passkey_has_no_limit_to_set(api: Api) -> None:
    await api.person("alice")
    ann = await operator(api, "ann")
    refused = await ann.propose("wallet.limit", "alice", limit=TEN)
    assert code_of(refused) == (409, "state_conflict")
    assert "freeze it instead" in refused.json()["detail"]
