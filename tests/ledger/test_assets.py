"""The configured assets and those in the book: what was once in it can be read and ended for ever."""

import pytest

from gateway.errors import Misconfigured, UnknownAsset
from gateway.ledger import book
from gateway.money import Asset, Assets
from gateway.postgres import Database

pytestmark = pytest.mark.anyio


async def test_an_asset_that_is_not_configured_any_more_is_still_known_by_its_code(
    database: Database, assets: Assets
) -> None:
    fewer = Assets([asset for asset in assets if asset.code != "JPY"])

    async with database.reading() as connection:
        known = await book.with_former(connection, fewer)

    assert known["JPY"] == assets["JPY"]
    assert "JPY" not in {asset.code for asset in known}
    with pytest.raises(UnknownAsset):
        known.of_wallet("JPY")


@pytest.mark.parametrize(
    ("asset", "says"),
    [(Asset("USDX", "token", 8, "USD"), "with 6 decimals"), (Asset("CHF", "fiat", 2), "run 'gateway migrate'")],
)
async def test_settings_that_disagree_with_the_book_are_refused(
    database: Database, assets: Assets, asset: Asset, says: str
) -> None:
    others = [one for one in assets if one.code != asset.code]

    async with database.reading() as connection:
        with pytest.raises(Misconfigured, match=says):
            await book.with_former(connection, Assets([*others, asset]))
