"""Gas: what the house's ChainTransactions cost, into the book, whatever they were for and whether they succeeded.

Each is booked by whoever sees its end first, once: a worker in a final block's span, or `gateway deploy`.
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
    """What is to be written of these, whose accounts are opened: a transfer for each that cost anything."""
    if not concluded:
        return []
    coin = coin_of(assets)
    gas, house = account.house("gas", coin), account.house("liquidity", coin)
    ids = await book.accounts(connection, [(gas, coin), (house, coin)])
    return [
        Transfer(TransferId(new_id(now)), "gas", one.id, (Leg(ids[gas], ids[house], one.cost_wei),), fact=True)
        for one in concluded
        if one.cost_wei
    ]


async def conclude(connection: Connection, assets: Assets, receipts: Iterable[Receipt], now: datetime) -> None:
    """End the transactions that these receipts, all of final blocks, are of, and book what they cost."""
    steps = await transfers(connection, assets, await lanes.conclude(connection, receipts, now), now)
    if steps:
        book.all_done(await book.write(connection, steps, now))
