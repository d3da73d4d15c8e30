"""Mandates: what somebody may draw from another's wallet, however many draw at once, and until when."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.api.browser import browsing, challenge_in, signed
from tests.api.conftest import Api, Person, code_of

pytestmark = pytest.mark.anyio

SHOP = {"payee": "@shop", "asset": "EUR", "period": "20.00", "period_days": 7}


async def granted(owner: Any, **wanted: Any) -> str:
    answer = await owner.post("/v1/mandates", {**SHOP, **wanted})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
async def shop(api: Api) -> Person:
    return await api.person("shop")


@pytest.fixture
async def alice(api: Api, shop: Person) -> Person:
    return await api.person("alice", "100.00 EUR", "50 USDX")


async def draw(by: Person, id: str, amount: str, key: str | None = None) -> Any:
    return await by.post(f"/v1/mandates/{id}/draws", {"amount": amount}, key)


async def test_a_refused_draw_says_which_limit_and_is_retryable_for_the_period_alone(
    alice: Person, shop: Person
) -> None:
    id = await granted(alice, draw="15.00", total="30.00")
    assert (await draw(shop, id, "15.00")).status_code == 201
    for asked, kind, retryable, said in (
        ("15.01", "draw", False, "15.00 EUR at most in one draw"),
        ("5.01", "period", True, "5.00 EUR is left of the 20.00 EUR that this mandate allows in any 7 days"),
    ):
        problem = (await draw(shop, id, asked)).json()
        assert (problem["code"], problem["kind"], problem["retryable"]) == ("mandate_exceeded", kind, retryable)
        assert said in problem["detail"]

    all_of_it = await granted(alice, total="10.00")
    problem = (await draw(shop, all_of_it, "10.01")).json()
    assert (problem["kind"], problem["retryable"]) == ("total", False)
    assert "10.00 EUR is left of all that may ever be drawn" in problem["detail"]

    small = await granted(alice)
    problem = (await draw(shop, small, "20.01")).json()
    assert (problem["kind"], problem["retryable"], problem["cap"]) == ("period", False, "20.00")


async def test_a_payee_draws_as_far_as_the_mandate_goes(alice: Person, shop: Person) -> None:
    id = await granted(alice, draw="15.00", total="30.00")
    over = await draw(shop, id, "15.01")
    assert (code_of(over), over.json()["left"]) == ((409, "mandate_exceeded"), "15.00")
    paid = await draw(shop, id, "15.00")
    assert (paid.status_code, paid.json()["from"], paid.json()["to"]) == (201, "@alice", "@shop")
    over = await draw(shop, id, "5.01")
    assert (code_of(over), over.json()["left"]) == ((409, "mandate_exceeded"), "5.00")

    shop.api.clock.ahead = timedelta(days=7, seconds=1)
    assert (await draw(shop, id, "15.00")).status_code == 201
    assert code_of(await draw(shop, id, "0.01")) == (409, "mandate_exceeded"), "the total is reached"
    assert await alice.balance("EUR") == ("70.00", "0.00", "70.00")


async def test_a_mandate_overdrawn_by_fifty_requests_at_once_pays_what_it_may(alice: Person, shop: Person) -> None:
    id = await granted(alice, period="0.30")
    seen = [one.status_code for one in await asyncio.gather(*(draw(shop, id, "0.10") for _ in range(50)))]
    assert set(seen) <= {201, 409, 503}  # 503: the row is waited for three seconds at the most
    assert seen.count(201) == 3
    assert (await alice.balance("EUR"))[0] == "99.70"
    assert await shop.api.wrong() == []


async def test_a_draw_is_made_once_for_its_key(alice: Person, shop: Person) -> None:
    id = await granted(alice)
    answers = await asyncio.gather(*(draw(shop, id, "5.00", "once") for _ in range(10)))
    assert {one.status_code for one in answers} <= {201, 409}
    assert len({one.json()["id"] for one in answers if one.status_code == 201}) == 1
    assert (await alice.balance("EUR"))[0] == "95.00"


async def test_a_revoked_mandate_draws_nothing_from_that_moment(api: Api, alice: Person, shop: Person) -> None:
    id = await granted(alice)
    for _ in range(2):
        ended = await api.call("DELETE", f"/v1/mandates/{id}", headers=alice.bearer)
        assert ended.json()["revoked_at"] is not None
    over = await draw(shop, id, "1.00")
    assert code_of(over) == (409, "state_conflict")
    assert over.json()["detail"] == (
        f"{id} is revoked, so nothing is drawn by it any more: ask its payer to grant a new mandate"
    )
    (listed,) = (await shop.get("/v1/mandates")).json()["items"]
    assert listed["revoked_at"] is not None


async def test_a_mandate_ends_with_its_time_and_is_of_its_rail(alice: Person, shop: Person) -> None:
    until = (alice.api.clock() + timedelta(hours=1)).isoformat()
    id = await granted(alice, expires_at=until)
    other = await granted(alice, rail="chain")
    assert code_of(await draw(shop, other, "1.00")) == (409, "mandate_exceeded")
    assert (await draw(shop, id, "1.00")).status_code == 201
    alice.api.clock.ahead = timedelta(hours=2)
    assert code_of(await draw(shop, id, "1.00")) == (409, "state_conflict")


async def test_nobody_else_draws_and_nobody_else_is_told(api: Api, alice: Person, shop: Person) -> None:
    id = await granted(alice)
    mallory = await api.person("mallory")
    assert code_of(await draw(mallory, id, "1.00")) == (404, "not_found")
    assert code_of(await draw(alice, id, "1.00")) == (403, "forbidden"), "who granted it does not draw"
    assert code_of(await api.call("DELETE", f"/v1/mandates/{id}", headers=mallory.bearer)) == (404, "not_found")
    assert (await mallory.get("/v1/mandates")).json()["items"] == []


async def test_a_guarded_wallet_grants_with_a_passkey_over_all_of_it_and_is_then_not_asked(
    api: Api, shop: Person
) -> None:
    alice, key, browser = await browsing(api, "alice", "100.00 EUR")
    assert code_of(await alice.post("/v1/mandates", SHOP)) == (403, "forbidden"), "no API key grants"
    assert code_of(await browser.post("/v1/mandates", SHOP)) == (403, "approval_required")
    approval = signed(key, challenge_in(await browser.post("/v1/mandates/challenge", SHOP)))
    await api.person("bob")
    others = {"payee": "@bob", "asset": "USD", "period": "99.00", "period_days": 365, "draw": "0.50", "total": "900.00"}
    for name, value in others.items():
        other = {**SHOP, name: value, "approval": approval}
        assert code_of(await browser.post("/v1/mandates", other)) == (422, "invalid_passkey"), name
    id = await granted(browser, approval=approval)
    assert (await draw(shop, id, "20.00")).json()["state"] == "settled"
    assert code_of(await browser.post("/v1/mandates", {**SHOP, "approval": approval})) == (422, "invalid_passkey")


async def test_a_frozen_or_an_empty_wallet_pays_no_draw(alice: Person, shop: Person) -> None:
    id = await granted(alice, period="500.00")
    assert code_of(await draw(shop, id, "100.01")) == (409, "insufficient_funds")
    paid = (await draw(shop, id, "1.00")).json()["id"]
    assert (await alice.post(f"/v1/payments/{paid}/report-unauthorized", {})).status_code == 200
    assert code_of(await draw(shop, id, "1.00")) == (409, "wallet_frozen")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"payee": "@alice"}, "invalid_request"),
        ({"payee": "@nobody_here"}, "unknown_handle"),
        ({"asset": "XXX"}, "unknown_asset"),
        ({"period": "0.00"}, "invalid_amount"),
        ({"period_days": 0}, "invalid_request"),
        ({"draw": "20.01"}, "invalid_request"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "invalid_request"),
        ({"expires_at": "tomorrow"}, "invalid_request"),
    ],
)
async def test_a_mandate_that_makes_no_sense_is_not_granted(alice: Person, wrong: dict[str, Any], code: str) -> None:
    assert code_of(await alice.post("/v1/mandates", {**SHOP, **wrong}))[1] == code


async def test_what_a_payee_gives_back_may_be_drawn_again(alice: Person, shop: Person) -> None:
    id = await granted(alice, total="20.00")
    drawn = (await draw(shop, id, "20.00")).json()["id"]
    assert code_of(await draw(shop, id, "0.01")) == (409, "mandate_exceeded")
    assert (await shop.post(f"/v1/payments/{drawn}/refund", {"amount": "15.00"})).status_code == 201
    over = await draw(shop, id, "15.01")
    assert (code_of(over), over.json()["left"]) == ((409, "mandate_exceeded"), "15.00")
    assert (await draw(shop, id, "15.00")).status_code == 201


async def test_a_draw_of_tokens_is_accepted_and_settles_on_the_chain(alice: Person, shop: Person) -> None:
    id = await granted(alice, asset="USDX")
    drawn = await draw(shop, id, "5")
    assert (drawn.status_code, drawn.json()["state"]) == (202, "queued")
