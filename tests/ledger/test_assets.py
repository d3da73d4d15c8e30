"""The configured assets and those in the ledger: what was once in it can be read and ended for ever."""

import pytest

from gateway.errors import AssetClosed, Misconfigured
from gateway.ledger import ledger
from gateway.money import Asset, Assets
from gateway.postgres.pool import Database

pytestmark = pytest.mark.anyio


async def test_an_asset_that_is_not_configured_any_more_does_all_but_take_new_money(
    database: Database, assets: Assets
) -> None:
    fewer = Assets([asset for asset in assets if asset.code != "JPY"])

    async with database.reading() as connection:
        known = await ledger.with_former(connection, fewer)

    assert known["JPY"] == known.of_wallet("JPY") == assets["JPY"]
    assert list(known)[-1] == assets["JPY"]
    assert [asset.code for asset in known if not known.takes_new(asset)] == ["JPY"]
    with pytest.raises(AssetClosed, match="new money comes in as EUR, USD, THB, USDX"):
        known.check_takes_new(assets["JPY"])


async def test_a_currency_whose_decimals_iso_4217_has_changed_is_to_be_taken_out(
    database: Database, assets: Assets
) -> None:
    others = [one for one in assets if one.code != "JPY"]
    async with database.transaction() as connection:
        for check in (ledger.declare, ledger.with_former):
            with pytest.raises(Misconfigured, match="take it out of GATEWAY_CURRENCIES"):
                await check(connection, Assets([*others, Asset("JPY", "fiat", 2)]))


@pytest.mark.parametrize(
    ("asset", "says"),
    [(Asset("USDX", "token", 8, "USD"), "with 6 decimals"), (Asset("CHF", "fiat", 2), "run 'gateway migrate'")],
)
async def test_settings_that_disagree_with_the_ledger_are_refused(
    database: Database, assets: Assets, asset: Asset, says: str
) -> None:
    others = [one for one in assets if one.code != asset.code]

    async with database.reading() as connection:
        with pytest.raises(Misconfigured, match=says):
            await ledger.with_former(connection, Assets([*others, asset]))
