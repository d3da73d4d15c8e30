"""lanes: how the relayers' lanes stand, and letting a stopped one go on."""

from dataclasses import asdict, dataclass
from typing import Any

from gateway import address as addresses
from gateway import assembly
from gateway.audit import log as audit
from gateway.audit.log import Act
from gateway.chain.block import Fees
from gateway.chain.node import HttpNode
from gateway.chain.relayer import batches, gas_balance, nonce_conflicts
from gateway.chain.relayer import relayers as lanes_
from gateway.chain.relayer.relayers import Lane
from gateway.clock import rfc3339
from gateway.config import Config
from gateway.errors import NotFound
from gateway.events import log
from gateway.money import Asset, Money
from gateway.settlement import gas


@dataclass(frozen=True, slots=True)
class Row:
    """A relayer account. `state` is `runs`, `low`, `dry`, `refused` or `stopped`, with its `reason` and, in `advice`,
    what to do; `open` counts what no final block has; the balance is in the coin of the chain, less what is in no block
    yet may cost, and lasts for so many `payments`.
    """

    address: str
    state: str
    reason: str
    advice: str
    next_nonce: int
    open: int
    oldest_open_at: str | None
    balance: str
    payments: int


async def lanes(config: Config) -> list[dict[str, Any]]:
    """Every lane of the chain, also those whose keys are elsewhere."""
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "lanes") as database:
            chain_id, fees = await node.chain_id(), await node.fees()
            async with database.reading() as connection:
                known = await lanes_.addresses(connection, chain_id)
            standings = await node.standings(known)
            async with database.reading() as connection:
                found = await lanes_.read(connection, standings)
            coin = gas.coin_of(config.assets)
            return [asdict(row_of(lane, fees, config.gas_batches_least, coin)) for lane in found]
    finally:
        await node.close()


def row_of(lane: Lane, fees: Fees, batches_least: int, coin: Asset) -> Row:
    """What is shown of a lane, at these fees. Pure."""
    state = "low" if gas_balance.is_low(lane, fees, batches_least) else "runs"
    state = "dry" if lane.left_wei < gas_balance.cost_wei(batches.gas_most(1), fees) else state
    state = "refused" if lane.refused is not None else state
    return Row(
        address=lane.address,
        state=state if lane.stopped is None else "stopped",
        reason=lane.stopped or lane.refused or "",
        advice=lanes_.what_to_do(lane.address) if lane.stopped is not None else "",
        next_nonce=lane.next_nonce,
        open=lane.unfinished,
        oldest_open_at=rfc3339(lane.oldest_at) if lane.oldest_at else None,
        balance=Money(max(lane.left_wei, 0), coin).amount,
        payments=gas_balance.payments_left(lane, fees),
    )


async def resume(config: Config, text: str) -> dict[str, Any]:
    """Let the stopped lane of an address go on, once the book is read up to what stopped it.

    Raises NotFound, LaneNotResumable, NodeUnavailable.
    """
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "lanes") as database:
            address, chain_id = addresses.read(text), await node.chain_id()
            async with database.reading() as connection:
                known = await lanes_.addresses(connection, chain_id)
            if address not in known:
                raise NotFound(f"lane of {text}; the lanes are those of {', '.join(known) or 'nobody'}")
            count = await nonce_conflicts.resumable(database, node, chain_id, address, config.finality)
            async with database.transaction() as connection:
                ended = await nonce_conflicts.resume(connection, address, count)
                next_nonce = await lanes_.next_nonce(connection, address)
                facts = {"lane": address, "next_nonce": next_nonce, "ended": ended}
                now = database.clock()
                await log.append(connection, [log.Event("lane.resumed", None, None, facts)], now)
                await audit.append(connection, [Act("lane.resumed", None, assembly.at_machine(), None, facts)], now)
            return facts
    finally:
        await node.close()
