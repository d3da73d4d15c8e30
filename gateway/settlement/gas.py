"""Gas: post what the gateway's chain transactions cost, whatever they were for and whether they succeeded.

Each is posted once, by whoever sees its end first: a worker that writes final blocks, or `gateway deploy`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.chain import lanes
from gateway.chain.block import Receipt
from gateway.chain.lanes import Concluded
from gateway.ids import TransferId, new_id
from gateway.ledger import account, book
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Asset, Assets
from gateway.postgres import Connection


def coin_of(assets: Assets) -> Asset:
    """The coin that gas is paid in."""
    return next(asset for asset in assets if asset.kind == "native")


async def transfers(
    connection: Connection, assets: Assets, concluded: Sequence[Concluded], now: datetime
) -> list[Transfer]:
    """A transfer for each of these that cost anything, to be written by the caller. The accounts are opened here."""
    if not concluded:
        return []
    coin = coin_of(assets)
    gas, liquidity = account.house("gas", coin), account.house("liquidity", coin)
    ids = await book.accounts(connection, [(gas, coin), (liquidity, coin)])
    return [
        Transfer(TransferId(new_id(now)), "gas", one.id, (Leg(ids[gas], ids[liquidity], one.cost_wei),), fact=True)
        for one in concluded
        if one.cost_wei
    ]


async def conclude(connection: Connection, assets: Assets, receipts: Iterable[Receipt], now: datetime) -> None:
    """End the chain transactions of these receipts, which are all of final blocks, and post what they cost."""
    steps = await transfers(connection, assets, await lanes.conclude(connection, receipts, now), now)
    if steps:
        book.all_done(await book.write(connection, steps, now))
