"""Compare the ledger with the chain: every wallet with the sum of `balanceOf` of its addresses, `supply` with
`totalSupply`, and the reserve with the supply at par.

The ledger is read first, in one snapshot with the cursor, then the chain at the cursor's block, so neither includes
later movements. Wallets are compared in batches, each at its own block, so that no node is asked for a block that it
has pruned, however many wallets there are. `outside` is the supply less all wallets, so it is compared only when all of
them are added up.

A difference that is seen once may come from a node that is behind: monitor.py compares again before it is confirmed.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from gateway.address import ZERO
from gateway.chain.node import Node
from gateway.chain.token.contract import Contract
from gateway.chain.watcher import balances, cursors, same_chain
from gateway.ids import WalletId
from gateway.ledger import account, ledger
from gateway.money import Asset, Money, at_par_ceil
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database, Statements

sql = Statements(__package__, "solvency.sql")

#: How many wallets are compared at one block.
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """An account whose balance in the ledger differs from the balance on the other side (`against`: the chain, the bank
    or another account). Both are in the asset whose withdrawals the difference freezes. `block` is the final block that
    was compared; None if the other side is not the chain.
    """

    account: str
    ledger: Money
    other: Money
    against: str
    block: int | None = None

    @property
    def asset(self) -> Asset:
        return self.ledger.asset

    @property
    def amount(self) -> Money:
        """The difference of the two balances."""
        return Money(abs(self.ledger.units - self.other.units), self.asset)

    @property
    def where(self) -> str:
        """The side that the ledger was compared with, and the block."""
        return self.against if self.block is None else f"{self.against} at block {self.block}"

    @property
    def key(self) -> tuple[str, str]:
        """The identity of the difference, by which a later run recognizes it."""
        return self.account, self.against

    def __str__(self) -> str:
        return f"{self.account} has {self.ledger} in the ledger and {self.other} by {self.where}"


@dataclass(frozen=True, slots=True)
class Solvency:
    """The totals of one token in the ledger: its supply, its holders, and its reserve. `difference` is zero if the
    supply equals wallets plus outside and the reserve covers it; otherwise the amount by which it does not.
    """

    asset: Asset
    supply: Money
    wallets: Money
    outside: Money
    reserve: Money
    final_block: int | None
    difference: Money


# ---- within the ledger -----------------------------------------------------------------------------------------------


async def solvency(connection: Connection, settings: PaymentSettings) -> list[Solvency]:
    """Return the totals of every token at one moment: call it in a snapshot. It adds up all wallets."""
    posted = await _of_system_accounts(connection, settings)
    needed = _needed(settings, posted)
    return [await _token(connection, settings, token, posted, needed) for token in settings.assets.tokens()]


async def _of_system_accounts(connection: Connection, settings: PaymentSettings) -> dict[str, int]:
    """Return the balances of every token's system accounts, by code."""
    tokens = settings.assets.tokens()
    codes = [account.system_account(kind, token) for token in tokens for kind in ("supply", "outside")]
    codes += [account.system_account("reserve", settings.backing(token)) for token in tokens]
    balances = await ledger.balances(connection, settings.assets, codes)
    return {code: balances[code].posted if code in balances else 0 for code in codes}


def _needed(settings: PaymentSettings, posted: Mapping[str, int]) -> dict[Asset, int]:
    """Return the reserve that all tokens of each currency together need, by currency."""
    needed: dict[Asset, int] = {}
    for token in settings.assets.tokens():
        supply, fiat = Money(posted[account.system_account("supply", token)], token), settings.backing(token)
        needed[fiat] = needed.get(fiat, 0) + at_par_ceil(supply, fiat).units
    return needed


async def _token(
    connection: Connection,
    settings: PaymentSettings,
    token: Asset,
    posted: Mapping[str, int],
    needed: Mapping[Asset, int],
) -> Solvency:
    fiat = settings.backing(token)
    supply, outside = (posted[account.system_account(kind, token)] for kind in ("supply", "outside"))
    reserve = posted[account.system_account("reserve", fiat)]
    wallets = int(await connection.fetchval(sql.sum_of_wallets, token.code))
    short_of_reserve = Money(max(needed[fiat] - reserve, 0), fiat)
    contract = settings.contracts.get(token.code)
    cursor = await cursors.read(connection, contract.chain_id) if contract else None
    return Solvency(
        asset=token,
        supply=Money(supply, token),
        wallets=Money(wallets, token),
        outside=Money(outside, token),
        reserve=Money(reserve, fiat),
        final_block=cursor.number if cursor else None,
        difference=Money(abs(supply - wallets - outside) + at_par_ceil(short_of_reserve, token).units, token),
    )


async def ledger_differences(connection: Connection, settings: PaymentSettings, thorough: bool) -> list[Difference]:
    """Return the differences within the ledger itself: of the reserves and, if `thorough`, of `outside`, which adds up
    all wallets.
    """
    outside = [one for totals in await solvency(connection, settings) for one in _outside(totals)] if thorough else []
    return [*outside, *await _reserves(connection, settings)]


async def _reserves(connection: Connection, settings: PaymentSettings) -> list[Difference]:
    """Return the reserves that do not cover their tokens. A surplus is no difference."""
    posted = await _of_system_accounts(connection, settings)
    return [
        Difference(code, Money(posted[code], fiat), Money(needed, fiat), "the supply at par")
        for fiat, needed in _needed(settings, posted).items()
        if posted[code := account.system_account("reserve", fiat)] < needed
    ]


def _outside(totals: Solvency) -> list[Difference]:
    """Compare `outside` with the supply less all wallets."""
    left = totals.supply - totals.wallets
    code = account.system_account("outside", totals.asset)
    return [] if left == totals.outside else [Difference(code, totals.outside, left, "the supply less all wallets")]


# ---- against the chain ----------------------------------------------------------------------------------------------


async def reconcile(
    database: Database, node: Node, settings: PaymentSettings
) -> tuple[list[Solvency], list[Difference]]:
    """Compare every wallet and the totals with the chain. Returns the totals and every difference. Raises
    NodeUnavailable, and ChainReplaced if the node is on another chain.
    """
    async with database.snapshot() as connection:
        totals = await solvency(connection, settings)
        differences = await ledger_differences(connection, settings, thorough=True)
    async for batch in chain_differences(database, node, settings):
        differences += batch
    return totals, distinct(differences)


async def chain_differences(
    database: Database, node: Node, settings: PaymentSettings, only: Sequence[WalletId] | None = None
) -> AsyncIterator[list[Difference]]:
    """Compare the supply of each token and the wallets (`only` these, or all) with the chain. Yields the differences of
    each batch. The node is asked once for each address, and once for the supply in each batch.
    """
    for contract in settings.contracts.values():
        async for batch in _wallets(database, only):
            yield await _compare(database, node, settings, contract, batch)


async def moved_wallets(database: Database, settings: PaymentSettings, since: int) -> tuple[int, list[WalletId]]:
    """Return the final block that the ledger is read up to, and the wallets whose tokens final blocks after `since`
    have moved.
    """
    found: set[WalletId] = set()
    contracts = settings.contracts.values()
    async with database.snapshot() as connection:
        read_to = [await cursors.read(connection, chain_id) for chain_id in {one.chain_id for one in contracts}]
        (to,) = [cursor.number for cursor in read_to if cursor is not None]  # all contracts are on one chain
        for contract in contracts:
            rows = await connection.fetch(sql.wallets_moved, contract.chain_id, since, to, contract.asset.code)
            found |= {WalletId(row["id"]) for row in rows}
    return to, sorted(found)


async def _wallets(database: Database, only: Sequence[WalletId] | None) -> AsyncIterator[Sequence[WalletId]]:
    """Yield the wallets in batches, at least one."""
    if only is not None:
        for start in range(0, max(len(only), 1), _BATCH):
            yield only[start : start + _BATCH]
        return
    last: WalletId | UUID = UUID(int=0)
    while True:
        async with database.reading() as connection:
            batch = [WalletId(row["id"]) for row in await connection.fetch(sql.wallets_after, last, _BATCH)]
        yield batch
        if len(batch) < _BATCH:
            return
        last = batch[-1]


async def _compare(
    database: Database, node: Node, settings: PaymentSettings, contract: Contract, wallets: Sequence[WalletId]
) -> list[Difference]:
    token = contract.asset
    async with database.snapshot() as connection:
        cursor = await cursors.read(connection, contract.chain_id)
        issued = await ledger.balances(connection, settings.assets, [supply := account.system_account("supply", token)])
        rows = await connection.fetch(sql.wallets_holding, token.code, list(wallets))
    if cursor is None:
        return []
    asked = [(supply, issued[supply].posted if supply in issued else 0, "totalSupply", [ZERO])]
    asked += [(row["code"], int(row["posted"]), "balanceOf", row["addresses"]) for row in rows]
    addresses = [address for _, _, _, own in asked for address in own]
    units = iter(await balances.read(node, contract, addresses, cursor.number))
    differences = []
    for code, posted, against, own in asked:
        told = sum(next(units) for _ in own)
        if told != posted:
            differences.append(Difference(code, Money(posted, token), Money(told, token), against, cursor.number))
    if differences:
        await same_chain.check_cursor(node, cursor)
    return differences


def distinct(differences: Iterable[Difference]) -> list[Difference]:
    """Return each difference once, as it was seen last: the supply is compared in every batch."""
    return list({one.key: one for one in differences}.values())
