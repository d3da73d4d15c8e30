"""The book against the chain, at the last final block that the book has seen.

Every wallet against the sum of `balanceOf` of its addresses, `supply` against `totalSupply`, and the reserve against
the supply at par. The book is read first, in one snapshot with the cursor, then the chain at that very block: what
moves meanwhile is in neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.chain import watch
from gateway.chain.contract import Contract, as_int, balance_of_data, total_supply_data
from gateway.chain.node import Node
from gateway.ledger import account, book
from gateway.money import Asset, Money, at_par_ceil
from gateway.payments import records
from gateway.payments.terms import Terms
from gateway.postgres import Connection, Database

#: Calls to the node in one request.
_CALLS = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that does not agree: whose it is, what the book says and what the other side says."""

    account: str
    book: str
    other: str
    where: str


@dataclass(frozen=True, slots=True)
class Solvency:
    """One token as the book has it: what is issued, who has it, and what backs it. `difference` is zero when what is
    issued is just what wallets and the outside have, and the reserve covers it; else by how much it is not so.
    """

    asset: Asset
    supply: Money
    wallets: Money
    outside: Money
    reserve: Money
    final_block: int | None
    difference: Money


async def solvency(connection: Connection, terms: Terms) -> list[Solvency]:
    """The totals of every token, as of one moment: call it inside a snapshot."""
    tokens = terms.assets.tokens()
    codes = [account.house(kind, token) for token in tokens for kind in ("supply", "outside")]
    codes += [account.house("reserve", terms.backing(token)) for token in tokens]
    balances = await book.balances(connection, terms.assets, codes)
    posted = {code: balance.posted for code, balance in balances.items()}
    needed: dict[Asset, int] = {}  # What all tokens of one currency together take to be covered.
    for token in tokens:
        supply, fiat = Money(posted.get(account.house("supply", token), 0), token), terms.backing(token)
        needed[fiat] = needed.get(fiat, 0) + at_par_ceil(supply, fiat).units
    return [await _token(connection, terms, token, posted, needed[terms.backing(token)]) for token in tokens]


async def _token(
    connection: Connection, terms: Terms, token: Asset, posted: Mapping[str, int], needed: int
) -> Solvency:
    fiat = terms.backing(token)
    supply, outside = (posted.get(account.house(kind, token), 0) for kind in ("supply", "outside"))
    reserve = posted.get(account.house("reserve", fiat), 0)
    wallets = int(await connection.fetchval(records.sql.sum_of_wallets, token.code))
    short_of_reserve = Money(max(needed - reserve, 0), fiat)
    contract = terms.contracts.get(token.code)
    cursor = await watch.cursor(connection, contract.chain_id) if contract else None
    return Solvency(
        asset=token,
        supply=Money(supply, token),
        wallets=Money(wallets, token),
        outside=Money(outside, token),
        reserve=Money(reserve, fiat),
        final_block=cursor.number if cursor else None,
        difference=Money(abs(supply - wallets - outside) + at_par_ceil(short_of_reserve, token).units, token),
    )


async def reconcile(database: Database, node: Node, terms: Terms) -> tuple[list[Solvency], list[Difference]]:
    """Hold every wallet and the totals against the chain; name every difference. Raises NodeUnavailable."""
    async with database.snapshot() as connection:
        totals = await solvency(connection, terms)
        held = {
            contract.asset.code: [
                (row["code"], row["addresses"], int(row["posted"]))
                for row in await connection.fetch(records.sql.wallets_holding, contract.asset.code)
            ]
            for contract in terms.contracts.values()
        }
    differences = [
        Difference(f"supply:{one.asset.code}", str(one.supply), f"difference {one.difference}", "within the book")
        for one in totals
        if one.difference.units
    ]
    for one in totals:
        contract = terms.contracts.get(one.asset.code)
        if contract is not None and one.final_block is not None:
            differences += await _against_chain(node, contract, one, held[contract.asset.code])
    return totals, differences


async def _against_chain(
    node: Node, contract: Contract, totals: Solvency, held: list[tuple[str, list[str], int]]
) -> list[Difference]:
    assert totals.final_block is not None
    block = totals.final_block
    where = f"{contract.asset.code} at block {block}"
    supply = as_int(await node.call(contract.address, total_supply_data(), block))
    differences = []
    if supply != totals.supply.units:
        on_chain = str(Money(supply, contract.asset))
        differences.append(Difference(f"supply:{contract.asset.code}", str(totals.supply), on_chain, where))
    for start in range(0, len(held), _CALLS):
        part = held[start : start + _CALLS]
        asked = [(contract.address, balance_of_data(address)) for _, addresses, _ in part for address in addresses]
        answers = iter(await node.calls(asked, block))
        for code, addresses, posted in part:
            there = sum(as_int(next(answers)) for _ in addresses)
            if there != posted:
                told = str(Money(there, contract.asset))
                differences.append(Difference(code, str(Money(posted, contract.asset)), told, where))
    return differences
