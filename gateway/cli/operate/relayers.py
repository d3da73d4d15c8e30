"""relayers: the relayers and their state, and letting a stopped one go on."""

from dataclasses import asdict, dataclass
from typing import Any

from gateway import address as addresses
from gateway import assembly
from gateway.audit import log as audit
from gateway.audit.log import AuditEvent
from gateway.chain.block import Fees
from gateway.chain.node import HttpNode, Node
from gateway.chain.relayer import batches, gas_balance, nonce_conflicts, relayers
from gateway.chain.relayer.relayers import Relayer
from gateway.clock import rfc3339
from gateway.config.config import Config
from gateway.errors import NotFound
from gateway.events import log
from gateway.money import Asset, Money
from gateway.postgres.pool import Database
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


async def listed(config: Config) -> list[dict[str, Any]]:
    """Every relayer of the chain, also those whose keys are elsewhere."""
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "relayers") as database:
            return [asdict(row) for row in await read(database, node, config)]
    finally:
        await node.close()


async def read(database: Database, node: Node, config: Config) -> list[Row]:
    """Every relayer of the node's chain, as it stands now."""
    chain_id, fees = await node.chain_id(), await node.fees()
    async with database.reading() as connection:
        known = await relayers.addresses(connection, chain_id)
    account_states = await node.account_states(known)
    async with database.reading() as connection:
        found = await relayers.read(connection, account_states)
    coin = gas.coin_of(config.assets)
    return [row_of(relayer, fees, config.gas_batches_least, coin) for relayer in found]


def row_of(relayer: Relayer, fees: Fees, batches_least: int, coin: Asset) -> Row:
    """What is shown of a relayer, at these fees. Pure."""
    state = "low" if gas_balance.is_low(relayer, fees, batches_least) else "runs"
    state = "dry" if relayer.left_wei < gas_balance.cost_wei(batches.gas_most(1), fees) else state
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


async def resume(config: Config, text: str) -> dict[str, Any]:
    """Let the stopped relayer of an address go on, once the ledger is read up to what stopped it.

    Raises NotFound, RelayerNotResumable, NodeUnavailable.
    """
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "relayers") as database:
            address, chain_id = addresses.read(text), await node.chain_id()
            async with database.reading() as connection:
                known = await relayers.addresses(connection, chain_id)
            if address not in known:
                raise NotFound(f"relayer of {text}; the relayers are those of {', '.join(known) or 'nobody'}")
            count = await nonce_conflicts.resumable(database, node, chain_id, address, config.finality)
            async with database.transaction() as connection:
                ended = await nonce_conflicts.resume(connection, address, count)
                next_nonce = await relayers.next_nonce(connection, address)
                facts = {"relayer": address, "next_nonce": next_nonce, "ended": ended}
                now = database.clock()
                await log.append(connection, [log.Event("relayer.resumed", None, None, facts)], now)
                await audit.append(
                    connection, [AuditEvent("relayer.resumed", None, assembly.at_machine(), None, facts)], now
                )
            return facts
    finally:
        await node.close()
