"""Deploy each configured token's contract, once.

A deployment is a chain transaction like any other: stored before it is sent, and only ever sent again as stored. So an
interrupted deployment continues where it stopped and never creates a second contract. It is recorded when its block is
final. Database and node alternate here: no transaction is open while the node is called.

Before anything is stored, the node is asked whether the contract can be deployed: on a chain without the opcodes of
Cancun the attempt would cost its gas and fail. If a deployment waits, the log says for what. If the node refuses it,
the deployment ends with the node's reason.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from uuid import UUID

from gateway.chain.block import Block, Receipt
from gateway.chain.errors import NodeRefused, NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.relayer import outbox, relayers
from gateway.chain.token.contract import Contract, Roles, deploy_data
from gateway.chain.watcher import cursors, final_block
from gateway.chain.watcher.cursors import Cursor
from gateway.clock import Clock
from gateway.errors import Misconfigured, UnknownAsset
from gateway.keys.signer import Signer
from gateway.money import Asset, Assets
from gateway.postgres.pool import Connection, Database, Record, Statements

sql = Statements(__package__, "deploy.sql")

#: Records the receipts of the gateway's transactions, in the caller's transaction.
Conclude = Callable[[Connection, Iterable[Receipt], datetime], Awaitable[object]]

log = logging.getLogger(__name__)

#: Gas for the contract's creation, code deposit and calldata together; measured in tests/chain/test_deploy.py. If the
#: node estimates more, as on chains that charge for more than execution, the limit is a quarter above the estimate.
DEPLOY_GAS = 6_000_000

#: PUSH0 (Shanghai) three times, then MCOPY (Cancun) of no bytes: code that succeeds on a chain that has both.
_CANCUN = bytes.fromhex("5f5f5f5e00")

#: After how many checks the log says what a deployment waits for, and how often in a row a node may refuse it.
_CHECKS = 25


async def contracts(connection: Connection, assets: Assets) -> dict[str, Contract]:
    """Return the contracts of these tokens, by asset code. A token without one is left out."""
    tokens = {asset.code for asset in assets.tokens()}
    return {
        row["asset"]: _contract(assets, row) for row in await connection.fetch(sql.contracts) if row["asset"] in tokens
    }


async def all_contracts(connection: Connection, assets: Assets) -> dict[str, Contract]:
    """Return every recorded contract, by asset code, including those of tokens that are no longer configured. Raises
    Misconfigured if one is of a token that these assets never had: a process that continued without it would skip its
    logs.
    """
    return _all(assets, await connection.fetch(sql.contracts))


@dataclass(frozen=True, slots=True)
class Chain:
    """The contracts' chain: the contracts by asset code, how far it was read, and every relayer that sends to it."""

    contracts: dict[str, Contract]
    cursor: Cursor | None
    relayers: list[str]


async def chain(connection: Connection, assets: Assets) -> Chain:
    """Return every contract as `all_contracts` does, and their chain. Raises Misconfigured as it does."""
    rows = await connection.fetch(sql.chain)
    contracts = _all(assets, rows)
    if not rows or rows[0]["number"] is None:
        return Chain(contracts, None, [])
    one = rows[0]
    return Chain(contracts, Cursor(one["chain_id"], one["number"], one["hash"], one["timestamp"]), one["relayers"])


def _all(assets: Assets, rows: Iterable[Record]) -> dict[str, Contract]:
    try:
        return {row["asset"]: _contract(assets, row) for row in rows}
    except UnknownAsset as unknown:
        raise Misconfigured(
            f"{unknown.asset} was deployed by a gateway with other settings since this one was started: start it again"
        ) from None


def _contract(assets: Assets, row: Record) -> Contract:
    return Contract(assets[row["asset"]], row["chain_id"], row["address"], row["deployed_block"], row["genesis_hash"])


async def _pause() -> None:
    await asyncio.sleep(0.2)


async def deploy(
    database: Database,
    node: Node,
    signer: Signer,
    assets: Assets,
    finality: int | None,
    clock: Clock,
    roles: Roles | None = None,
    pause: Callable[[], Awaitable[None]] = _pause,
    conclude: Conclude = relayers.conclude,
) -> dict[str, Contract]:
    """Deploy the configured tokens that have no contract yet. Returns all contracts by asset code.

    The assets must be in the ledger. `roles` default to the signer for all; `pause` waits between two checks of the
    chain; `conclude` records the receipts of final blocks. Waits until the deployments are final. Any number of
    processes may call it at once.

    Raises NodeUnavailable, Misconfigured (no gas money, a relayer of another chain) and RelayerStopped.
    """
    async with database.reading() as connection:
        known = await contracts(connection, assets)
    missing = [asset for asset in assets.tokens() if asset.code not in known and assets.takes_new(asset)]
    if missing:
        chain_id = await node.chain_id()
        next_nonce = await node.transaction_count(signer.address, "latest")
        async with database.transaction() as connection:
            await relayers.register(connection, chain_id, signer.address, next_nonce)
    for asset in missing:
        stored = await _stored(database, node, signer, chain_id, asset, roles or Roles.all_of(signer.address), clock)
        receipt, block = await _final_receipt(database, node, asset, stored, finality, pause)
        await _record(database, node, asset, chain_id, receipt, block, clock(), conclude)
    async with database.reading() as connection:
        return await contracts(connection, assets)


async def _stored(
    database: Database, node: Node, signer: Signer, chain_id: int, asset: Asset, roles: Roles, clock: Clock
) -> UUID:
    """Return the asset's deployment: that of an earlier run, or a new one that it stores."""
    async with database.reading() as connection:
        known = await connection.fetchval(sql.deployment, asset.code)
    data = deploy_data(asset, roles)
    fees, funds = await node.fees(), await node.balance(signer.address)
    asks = known is None and funds >= DEPLOY_GAS * fees.fee_wei_max
    gas = await _gas(node, signer, asset, data) if asks else DEPLOY_GAS
    async with database.transaction() as connection:
        await relayers.lock(connection, signer.address)
        known = await connection.fetchval(sql.deployment, asset.code)
        if known is None:
            if funds < gas * fees.fee_wei_max:
                raise Misconfigured(
                    f"the relayer {signer.address} has {funds} wei on chain {chain_id}, and deploying {asset.code} may "
                    f"cost {gas * fees.fee_wei_max} wei: send it some"
                )
            stored = await relayers.store(
                connection, signer, chain_id, "deploy", asset.code, None, data, gas, fees, clock()
            )
            return stored.id
        deployment: UUID = known
        return deployment


async def _gas(node: Node, signer: Signer, asset: Asset, data: bytes) -> int:
    """Return the deployment's gas limit. Raises Misconfigured if the chain cannot run the contract."""
    try:
        return max(DEPLOY_GAS, await node.deployment_gas(signer.address, data) * 5 // 4)
    except NodeRefused as refused:
        if not await node.executes(_CANCUN):
            raise Misconfigured(
                f"this chain cannot run the contract of {asset.code}, which needs Ethereum's Cancun of March 2024 "
                "(MCOPY): use a chain that has it; nothing was sent"
            ) from None
        raise Misconfigured(
            f"the node says that the contract of {asset.code} cannot be deployed: {refused.reason}; nothing was sent"
        ) from None


async def _final_receipt(
    database: Database,
    node: Node,
    asset: Asset,
    deployment: UUID,
    finality: int | None,
    pause: Callable[[], Awaitable[None]],
) -> tuple[Receipt, Block]:
    """Send the deployment's attempts as stored, repeatedly, until a final block has one of them.

    They are read again each time, because a worker may have raised the fee and the new attempt may be mined. Raises
    Misconfigured if the node keeps refusing them.
    """
    refused = 0
    for checks in count(1):
        async with database.reading() as connection:
            attempts = await relayers.attempts_of(connection, deployment)
        sent = await outbox.send_open(database, node, attempts)
        refused = refused + 1 if sent.refusal else 0
        if sent.refusal and refused >= _CHECKS:
            raise Misconfigured(
                f"{asset.code} is not deployed: {sent.refusal}. The transaction is stored, and nothing is lost: put "
                "right what the node says, then run 'gateway deploy' again"
            )
        receipts = await node.receipts([attempt.hash for attempt in attempts])
        final = await final_block.newest(node, finality)
        for receipt in receipts.values():
            if final is not None and receipt.block_number <= final.number:
                block = await node.block(receipt.block_number)
                if block is not None and block.hash == receipt.block_hash:
                    return receipt, block
        if checks == _CHECKS:
            _say_waiting(asset, list(receipts.values()), final, finality)
        await pause()
    raise AssertionError("it counts without end")


def _say_waiting(asset: Asset, receipts: Sequence[Receipt], final: Block | None, finality: int | None) -> None:
    if receipts:
        log.info(
            "%s is deployed in block %d. %s", asset.code, receipts[0].block_number, final_block.waiting(final, finality)
        )
    else:
        log.info("the deployment of %s was sent and is in no block yet", asset.code)


async def _record(
    database: Database,
    node: Node,
    asset: Asset,
    chain_id: int,
    receipt: Receipt,
    block: Block,
    now: datetime,
    conclude: Conclude,
) -> None:
    genesis = await node.block(0)
    if genesis is None:
        raise NodeUnavailable("it does not have block 0")
    async with database.transaction() as connection:
        await conclude(connection, [receipt], now)
        if receipt.succeeded:
            assert receipt.contract_address is not None
            await cursors.begin(connection, Cursor(chain_id, block.number, block.hash, block.timestamp))
            await connection.execute(
                sql.record_contract, asset.code, chain_id, receipt.contract_address, block.number, genesis.hash
            )
    if not receipt.succeeded:
        raise Misconfigured(f"the deployment of {asset.code} was reverted in block {block.number}; run it again")
