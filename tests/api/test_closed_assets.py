"""A currency or a token that was taken out of the settings, or out of ISO 4217: what there is of it stays its owner's,
to see, pay, withdraw and redeem; only new money in it is refused.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.ledger import ledger
from gateway.money import Asset, Assets
from gateway.postgres.pool import Database
from tests.api.browser import browsing, challenge_in, signed
from tests.api.conftest import Person, amount, code_of, opened

pytestmark = pytest.mark.anyio

#: ISO 4217 withdrew it in 2023; the library does not have it any more.
HRK = Asset("HRK", "fiat", 2)


@pytest.fixture
async def alice(database: Database, assets: Assets) -> AsyncIterator[Person]:
    """She has money in currencies and a token that the gateway was configured with before."""
    async with database.transaction() as connection:
        await ledger.declare(connection, Assets([HRK]))
    async with opened(database, Assets([*assets, HRK])) as before:
        person = await before.person("alice", "100.00 HRK", "5000 JPY", "300.00 USD", "50 USDX")
        await before.person("bob")
    async with database.reading() as connection:
        now = await ledger.with_former(connection, Assets([assets["EUR"], assets["ETH"]]))
    async with opened(database, now) as api:
        yield replace(person, api=api)


async def test_what_there_is_is_shown_paid_and_withdrawn(alice: Person) -> None:
    shown = {one["asset"]: one["posted"] for one in (await alice.get("/v1/wallet")).json()["balances"]}
    assert shown == {"EUR": "0.00", "HRK": "100.00", "JPY": "5000", "USD": "300.00", "USDX": "50.000000"}
    for money in ("30.00 HRK", "1000 JPY"):
        assert (await alice.pay("@bob", money)).json()["state"] == "settled"
        assert (await alice.post("/v1/withdrawals", amount(money))).status_code == 201
    assert (await alice.pay("@bob", "1 USDX")).json()["state"] == "queued"
    assert [one["amount"] for one in (await alice.get("/v1/entries?asset=HRK")).json()["items"]] == [
        *("30.00", "30.00", "100.00"),
    ]
    assert await alice.balance("HRK") == ("40.00", "0.00", "40.00")
    assert await alice.api.wrong() == [], "the bank's statement is compared in every currency"


async def test_an_empty_balance_of_it_is_not_shown(alice: Person) -> None:
    assert (await alice.post("/v1/withdrawals", amount("100.00 HRK"))).status_code == 201
    shown = {one["asset"] for one in (await alice.get("/v1/wallet")).json()["balances"]}
    assert "HRK" not in shown
    assert {"EUR", "USD"} <= shown


async def test_new_money_in_it_is_refused_and_says_what_is_taken(alice: Person) -> None:
    buy = {**amount("10.00 USD"), "to_asset": "USDX"}
    for answer in (await alice.post("/v1/deposits", amount("1.00 HRK")), await alice.post("/v1/conversions", buy)):
        assert code_of(answer) == (422, "asset_closed")
        assert answer.json()["open"] == ["EUR"]
    sell = {**amount("10 USDX"), "to_asset": "USD"}
    assert (await alice.post("/v1/conversions", sell)).json()["state"] == "queued"
    assert (await alice.post("/v1/deposits", amount("1.00 EUR"))).status_code == 201
    unknown = await alice.post("/v1/deposits", amount("1.00 XTS"))
    assert (code_of(unknown), unknown.json()["known"]) == ((422, "unknown_asset"), ["EUR"])


async def test_it_stands_in_what_is_issued_and_what_backs_it(alice: Person) -> None:
    (usdx,) = (await alice.api.call("GET", "/v1/solvency")).json()["items"]
    assert (usdx["asset"], usdx["supply"], usdx["wallets"]) == ("USDX", "50.000000", "50.000000")


async def test_a_limit_in_it_is_kept_and_loosened_only_with_a_passkey(alice: Person, database: Database) -> None:
    carol, key, browser = await browsing(alice.api, "carol")
    policy: dict[str, Any] = (await carol.get("/v1/policy")).json()
    policy["limits"]["HRK"] = {"payment": "1.00", "day": "1.00"}
    changed = await browser.call("PUT", "/v1/policy", json=policy)
    assert changed.status_code == 200
    policy["version"] = changed.json()["version"]
    del policy["limits"]["HRK"]
    assert code_of(await browser.call("PUT", "/v1/policy", json=policy)) == (403, "approval_required")
    approval = signed(key, challenge_in(await browser.post("/v1/policy/challenge", policy)))
    assert (await browser.call("PUT", "/v1/policy", json={**policy, "approval": approval})).status_code == 200
