"""The ledger against the chain: every wallet against the sum of `balanceOf` of its addresses, `supply` against
`totalSupply`, and the reserve against the supply at par.

The ledger is read first, in one snapshot with the cursor, then the chain at that very block: what moves meanwhile is in
neither. Wallets are looked at in parts, each as of its own block, so however many there are, no node is asked of a
block that it has forgotten. What is `outside` is what the supply leaves once every wallet is counted, so it is held
against the sum of all wallets, where all of them are looked at.

What differs once may be a node that is not quite there yet: monitor.py compares again before it is confirmed.
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

#: How many wallets are looked at as of one block.
_PART = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """An account that does not agree with what it is held `against`: what the ledger says it has, and what the other
    side says, in the asset whose withdrawals it stops. `block` is the final block that the chain was asked at; None
    where it was not asked.
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
        """By how much they differ."""
        return Money(abs(self.ledger.units - self.other.units), self.asset)

    @property
    def where(self) -> str:
        """What the ledger was compared with, and at which block."""
        return self.against if self.block is None else f"{self.against} at block {self.block}"

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same difference when it is seen again."""
        return self.account, self.against

    def __str__(self) -> str:
        return f"{self.account} has {self.ledger} in the ledger and {self.other} by {self.where}"


@dataclass(frozen=True, slots=True)
class Solvency:
    """One token as the ledger has it: what is issued, who has it, and what backs it. `difference` is zero when what is
    issued is just what wallets and the outside have, and the reserve covers it; else by how much it is not so.
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
    """The totals of every token, as of one moment: call it inside a snapshot. It adds up all wallets."""
    posted = await _of_system_accounts(connection, settings)
    needed = _needed(settings, posted)
    return [await _token(connection, settings, token, posted, needed) for token in settings.assets.tokens()]


async def _of_system_accounts(connection: Connection, settings: PaymentSettings) -> dict[str, int]:
    """What system accounts of every token have, by code."""
    tokens = settings.assets.tokens()
    codes = [account.system_account(kind, token) for token in tokens for kind in ("supply", "outside")]
    codes += [account.system_account("reserve", settings.backing(token)) for token in tokens]
    balances = await ledger.balances(connection, settings.assets, codes)
    return {code: balances[code].posted if code in balances else 0 for code in codes}


def _needed(settings: PaymentSettings, posted: Mapping[str, int]) -> dict[Asset, int]:
    """What all tokens of one currency together take to be covered, by currency."""
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


async def within(connection: Connection, settings: PaymentSettings, thorough: bool) -> list[Difference]:
    """What does not agree within the ledger itself: the reserves and, where it is `thorough`, which adds up all
    wallets, what is outside.
    """
    outside = [one for totals in await solvency(connection, settings) for one in _outside(totals)] if thorough else []
    return [*outside, *await _reserves(connection, settings)]


async def _reserves(connection: Connection, settings: PaymentSettings) -> list[Difference]:
    """The reserves that do not cover their tokens. One that has more than it needs is no difference."""
    posted = await _of_system_accounts(connection, settings)
    return [
        Difference(code, Money(posted[code], fiat), Money(needed, fiat), "the supply at par")
        for fiat, needed in _needed(settings, posted).items()
        if posted[code := account.system_account("reserve", fiat)] < needed
    ]


def _outside(totals: Solvency) -> list[Difference]:
    """What is outside, against what the supply leaves when every wallet has what it has."""
    left = totals.supply - totals.wallets
    code = account.system_account("outside", totals.asset)
    return [] if left == totals.outside else [Difference(code, totals.outside, left, "the supply less all wallets")]


# ---- against the chain ----------------------------------------------------------------------------------------------


async def reconcile(
    database: Database, node: Node, settings: PaymentSettings
) -> tuple[list[Solvency], list[Difference]]:
    """Hold every wallet and the totals against the chain; name every difference. Raises NodeUnavailable, and
    ChainReplaced where what differs is that this is another chain.
    """
    async with database.snapshot() as connection:
        totals = await solvency(connection, settings)
        differences = await within(connection, settings, thorough=True)
    async for part in parts(database, node, settings):
        differences += part
    return totals, distinct(differences)


async def parts(
    database: Database, node: Node, settings: PaymentSettings, only: Sequence[WalletId] | None = None
) -> AsyncIterator[list[Difference]]:
    """Hold the supply of each token and the wallets (`only` these; all) against the chain, part by part: what differs
    in each. The node is asked once for each address, and once for the supply in each part.
    """
    for contract in settings.contracts.values():
        async for part in _wallets(database, only):
            yield await _part(database, node, settings, contract, part)


async def moved(database: Database, settings: PaymentSettings, since: int) -> tuple[int, list[WalletId]]:
    """The wallets whose tokens final blocks after `since` have moved, and up to which block that is known."""
    found: set[WalletId] = set()
    contracts = settings.contracts.values()
    async with database.snapshot() as connection:
        read_to = [await cursors.read(connection, chain_id) for chain_id in {one.chain_id for one in contracts}]
        (to,) = [cursor.number for cursor in read_to if cursor is not None]  # contracts are all of one chain
        for contract in contracts:
            rows = await connection.fetch(sql.wallets_moved, contract.chain_id, since, to, contract.asset.code)
            found |= {WalletId(row["id"]) for row in rows}
    return to, sorted(found)


async def _wallets(database: Database, only: Sequence[WalletId] | None) -> AsyncIterator[Sequence[WalletId]]:
    """The wallets in parts, of which there is at least one."""
    if only is not None:
        for start in range(0, max(len(only), 1), _PART):
            yield only[start : start + _PART]
        return
    last: WalletId | UUID = UUID(int=0)
    while True:
        async with database.reading() as connection:
            part = [WalletId(row["id"]) for row in await connection.fetch(sql.wallets_after, last, _PART)]
        yield part
        if len(part) < _PART:
            return
        last = part[-1]


async def _part(
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
    """Each difference once, as it was seen last: the supply is looked at with every part."""
    return list({one.key: one for one in differences}.values())
