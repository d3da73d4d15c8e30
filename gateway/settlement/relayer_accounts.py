"""Relayer accounts as operators see them, and resuming a stopped one."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Literal

from gateway import address as addresses
from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.chain.block import Fees
from gateway.chain.node import Node
from gateway.chain.relayer import batches, gas_balance, nonce_conflicts, relayers
from gateway.chain.relayer.relayers import Relayer
from gateway.clock import rfc3339
from gateway.errors import NotFound
from gateway.events import log
from gateway.money import Asset, Assets, Money
from gateway.postgres.pool import Connection, Database
from gateway.settlement import gas

#: Raises if the caller is not, or is no longer, allowed to do what this connection's transaction does.
Authorize = Callable[[Connection], Awaitable[None]]


#: `low`: the gas balance is running out. `dry`: it cannot pay for another batch. `refused`: the node refuses its
#: transactions.
State = Literal["runs", "low", "dry", "refused", "stopped"]


@dataclass(frozen=True, slots=True)
class Row:
    """A relayer account: its `state`, the `reason`, and in `advice` what to do.

    `open` counts its transactions that are in no final block. `balance` is in the chain's coin, less the most that its
    unmined transactions may cost, and can pay for this many `payments`.
    """

    address: str
    state: State
    reason: str
    advice: str
    next_nonce: int
    open: int
    oldest_open_at: str | None
    balance: str
    payments: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """A relayer that was resumed from `next_nonce`. `ended` counts its transactions whose nonces others had used."""

    relayer: str
    next_nonce: int
    ended: int


async def read(database: Database, node: Node, assets: Assets, batches_min: int) -> list[Row]:
    """Return every relayer of the node's chain, as it is now. Raises NodeUnavailable."""
    chain_id, fees = await node.chain_id(), await node.fees()
    async with database.reading() as connection:
        known = await relayers.addresses(connection, chain_id)
    account_states = await node.account_states(known)
    async with database.reading() as connection:
        found = await relayers.read(connection, account_states)
    coin = gas.coin_of(assets)
    return [row_of(relayer, fees, batches_min, coin) for relayer in found]


def row_of(relayer: Relayer, fees: Fees, batches_min: int, coin: Asset) -> Row:
    """Return a relayer's row, at these fees. Pure."""
    state: State = "low" if gas_balance.is_low(relayer, fees, batches_min) else "runs"
    state = "dry" if relayer.left_wei < gas_balance.cost_wei(batches.gas_max(1), fees) else state
    state = "refused" if relayer.refused is not None else state
    return Row(
        address=relayer.address,
        state=state if relayer.stopped is None else "stopped",
        reason=relayer.stopped or relayer.refused or "",
        advice=relayers.what_to_do(relayer.address) if relayer.stopped is not None else "",
        next_nonce=relayer.next_nonce,
        open=relayer.unfinished,
        oldest_open_at=rfc3339(relayer.oldest_at) if relayer.oldest_at else None,
        balance=Money(max(relayer.left_wei, 0), coin).amount,
        payments=gas_balance.payments_left(relayer, fees),
    )


async def resume(
    database: Database, node: Node, text: str, finality: int | None, by: By, authorize: Authorize | None = None
) -> Resumed:
    """Resume the stopped relayer of an address, once the ledger is read up to what stopped it.

    `authorize` first checks, in the transaction that does it, that `by` still may. Raises what it raises, NotFound,
    RelayerNotResumable and NodeUnavailable.
    """
    address, chain_id = addresses.read(text), await node.chain_id()
    async with database.reading() as connection:
        known = await relayers.addresses(connection, chain_id)
    if address not in known:
        raise NotFound(f"relayer of {text}; the relayers are those of {', '.join(known) or 'nobody'}")
    count = await nonce_conflicts.resumable(database, node, chain_id, address, finality)
    async with database.transaction() as connection:
        if authorize is not None:
            await authorize(connection)
        ended = await nonce_conflicts.resume(connection, address, count)
        next_nonce = await relayers.next_nonce(connection, address)
        resumed = Resumed(address, next_nonce, ended)
        details, now = asdict(resumed), database.clock()
        await log.append(connection, [log.Event("relayer.resumed", None, None, details)], now)
        await audit.append(connection, [AuditEvent("relayer.resumed", None, by, None, details)], now)
    return resumed
