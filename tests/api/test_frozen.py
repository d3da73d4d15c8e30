"""Withdrawals of an asset are frozen: refused on every route, in the same words, and nothing else is."""

import httpx
import pytest

from tests.api.conftest import Api, Person, amount, code_of

pytestmark = pytest.mark.anyio

OUTSIDE = "0x" + 40 * "1"


async def freeze(api: Api, *assets: str) -> None:
    """As a confirmed difference does."""
    async with api.services.database.transaction() as connection:
        for asset in assets:
            await connection.execute(
                "INSERT INTO withdrawal_freeze (asset, frozen_at) VALUES ($1, '2030-01-31')", asset
            )


async def convert(owner: Person, money: str, into: str) -> httpx.Response:
    return await owner.post("/v1/conversions", {**amount(money), "to_asset": into})


async def test_every_way_out_of_a_frozen_token_is_refused_and_leaves_nothing(api: Api) -> None:
    alice = await api.person("alice", "10 USDX")
    held = (await alice.pay(OUTSIDE, "1.00 USDX", capture=False)).json()["id"]
    await freeze(api, "USDX")
    before = await api.counts()

    answers = [
        await alice.pay(OUTSIDE, "1.00 USDX"),
        await alice.pay(OUTSIDE, "1.00 USDX", capture=False),
        await alice.post(f"/v1/payments/{held}/capture", {}),
        await alice.post("/v1/payments/preview", {"to": OUTSIDE, **amount("1.00 USDX")}),
        await convert(alice, "1.00 USDX", "USD"),
        await alice.post("/v1/payments/batch?mode=all", [{"to": OUTSIDE, **amount("1.00 USDX")}]),
    ]

    assert {code_of(answer) for answer in answers} == {(409, "withdrawals_frozen")}
    problem = answers[0].json()
    assert (problem["asset"], problem["since"]) == ("USDX", "2030-01-31T00:00:00.000000Z")
    assert problem["retryable"] is True
    assert problem["detail"].startswith("withdrawals of USDX are stopped since 2030-01-31T00:00:00.000000Z")
    assert await api.counts() == before


async def test_what_stays_in_the_gateway_goes_on(api: Api) -> None:
    alice = await api.person("alice", "10 USDX", "50.00 USD", "50.00 EUR")
    bob = await api.person("bob", "5 USDX")
    await freeze(api, "USDX")

    answers = [
        await alice.pay("@bob", "1.00 USDX"),
        await alice.pay(bob.address, "1.00 USDX"),
        await alice.pay("@bob", "1.00 EUR"),
        await convert(alice, "1.00 USD", "USDX"),
        await alice.post("/v1/deposits", amount("1.00 USD")),
        await alice.post("/v1/withdrawals", amount("1.00 USD")),
    ]

    assert [answer.status_code for answer in answers] == [202, 202, 201, 202, 201, 201]


async def test_of_a_call_with_many_payments_only_those_that_leave_are_refused(api: Api) -> None:
    alice = await api.person("alice", "10 USDX", "5.00 EUR")
    await api.person("bob")
    await freeze(api, "USDX")
    asked = [(OUTSIDE, "1.00 USDX"), ("@bob", "2.00 USDX"), ("@bob", "1.00 EUR"), (OUTSIDE, "3.00 USDX")]

    answer = await alice.post("/v1/payments/batch", [{"to": to, **amount(money)} for to, money in asked])

    results = answer.json()
    assert [one["status"] for one in results] == [409, 202, 201, 409]
    assert {one["problem"]["code"] for one in results if "problem" in one} == {"withdrawals_frozen"}
    assert await alice.balance("USDX") == ("10.000000", "2.000000", "8.000000")


async def test_a_frozen_currency_is_not_paid_out_and_all_else_of_it_goes_on(api: Api) -> None:
    alice = await api.person("alice", "10.00 USD", "10.00 EUR", "10 USDX")
    await api.person("bob")
    await freeze(api, "USD")

    refused = await alice.post("/v1/withdrawals", amount("1.00 USD"))
    others = [
        await alice.post("/v1/withdrawals", amount("1.00 EUR")),
        await alice.post("/v1/deposits", amount("1.00 USD")),
        await alice.pay("@bob", "1.00 USD"),
        await convert(alice, "1.00 USD", "USDX"),
        await convert(alice, "1.00 USDX", "USD"),
        await alice.pay(OUTSIDE, "1.00 USDX"),
    ]

    assert code_of(refused) == (409, "withdrawals_frozen")
    assert [answer.status_code for answer in others] == [201, 201, 201, 202, 202, 202]


async def test_the_key_of_a_refused_withdrawal_is_good_again_once_it_goes_on(api: Api) -> None:
    alice = await api.person("alice", "10.00 EUR")
    await freeze(api, "EUR")
    refused = await alice.post("/v1/withdrawals", amount("1.00 EUR"), "rent")

    async with api.services.database.transaction() as connection:
        await connection.execute("UPDATE withdrawal_freeze SET unfrozen_at = now()")
    paid = await alice.post("/v1/withdrawals", amount("1.00 EUR"), "rent")

    assert (refused.status_code, paid.status_code) == (409, 201)
    assert await alice.balance("EUR") == ("9.00", "0.00", "9.00")


async def test_everybody_may_see_what_is_frozen_and_since_when(api: Api) -> None:
    await freeze(api, "USDX", "EUR")

    page = (await api.call("GET", "/v1/solvency")).json()

    assert page["frozen"] == [
        {"asset": "EUR", "since": "2030-01-31T00:00:00.000000Z"},
        {"asset": "USDX", "since": "2030-01-31T00:00:00.000000Z"},
    ]
