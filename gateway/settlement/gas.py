"""Gas: post what the gateway's chain transactions cost, whatever they were for and whether or not they succeeded.

Each is posted once, by the process that first sees it conclude: a worker that writes final blocks, or `gateway deploy`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gateway.chain.block import Receipt
from gateway.chain.relayer import relayers
from gateway.chain.relayer.relayers import Concluded
from gateway.ids import AccountId, TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Asset, Assets
from gateway.postgres.pool import Connection


def coin_of(assets: Assets) -> Asset:
    """Return the coin that gas is paid in."""
    return next(asset for asset in assets if asset.kind == "native")


def accounts(assets: Assets) -> list[tuple[str, Asset]]:
    """Return the accounts that gas is posted to: the expense, and the account that pays it. Pure."""
    coin = coin_of(assets)
    return [(account.system_account("gas", coin), coin), (account.system_account("liquidity", coin), coin)]


def transfers(
    assets: Assets, concluded: Sequence[Concluded], ids: Mapping[str, AccountId], now: datetime
) -> list[Transfer]:
    """Return a transfer for each concluded transaction that cost anything. `ids` are those of `accounts`, by code.
    Pure.
    """
    spent, paid_from = (code for code, _ in accounts(assets))
    return [
        Transfer(
            TransferId(new_id(now)), "gas", one.id, (Leg(ids[spent], ids[paid_from], one.cost_wei),), unconditional=True
        )
        for one in concluded
        if one.cost_wei
    ]


async def conclude(connection: Connection, assets: Assets, receipts: Iterable[Receipt], now: datetime) -> None:
    """Conclude the chain transactions of these receipts, all from final blocks, and post what they cost."""
    concluded = await relayers.conclude(connection, receipts, now)
    if concluded:
        steps = transfers(assets, concluded, await ledger.accounts(connection, accounts(assets)), now)
        ledger.all_done(await ledger.write(connection, steps, now))
