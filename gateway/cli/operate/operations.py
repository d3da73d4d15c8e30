"""migrate, deploy, reconcile."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway import assembly
from gateway.assembly import Places
from gateway.audit import log as audit_log
from gateway.audit.log import AuditEvent
from gateway.bank import full_reconciliation
from gateway.chain.block import Receipt
from gateway.chain.deployment import deploy as deploying
from gateway.chain.deployment import roles
from gateway.chain.node import HttpNode, Node
from gateway.chain.token.contract import Contract
from gateway.chain.watcher import cursors, same_chain
from gateway.clock import rfc3339
from gateway.config.config import Config
from gateway.custody import wallet_keys
from gateway.ids import show
from gateway.keys import key_files, vault
from gateway.ledger import ledger
from gateway.ledger.recount import Fault
from gateway.operators import repairs
from gateway.operators.repairs import PREFIX, Posted
from gateway.postgres import migration
from gateway.postgres.pool import Connection, Database
from gateway.reconciliation import recovery
from gateway.reconciliation.recovery import Recovery
from gateway.reconciliation.solvency import Difference, Solvency
from gateway.settlement import gas


async def migrate(config: Config) -> list[str]:
    """Bring the schema up to date and register the configured assets. Returns the names of the migrations applied now.

    The first run creates the master key and the root key, and the database records which they are. Later runs never
    create them again: a second master key would encrypt keys that the first cannot decrypt, and a second root key would
    give handles other addresses.
    """
    async with assembly.unmigrated(config, "migrate", 2, assembly.LONG_SECONDS) as database:
        applied = await migration.migrate(database)
        async with database.transaction() as connection:
            await ledger.declare(connection, config.assets)
            first = not await wallet_keys.has_master_key(connection)
            master_keys = [vault.check_value(key) for key in key_files.load_master_keys(config.master_key_file, first)]
            if first:
                await wallet_keys.add_master_key(connection, master_keys[0], database.clock())
            await wallet_keys.check_master_keys(connection, master_keys)
            first = not await wallet_keys.has_root_key(connection)
            root = vault.root_check_value(key_files.load_root_key(config.root_key_file, first))
            if first:
                await wallet_keys.add_root_key(connection, root, database.clock())
            await wallet_keys.check_root_key(connection, root)
    return applied


async def deploy(config: Config) -> dict[str, Contract]:
    """Make sure that every configured token has its contract, and that every relayer has the roles to settle and mint.
    Does not wait for the grants: a relayer carries nothing before they are in a block.

    Raises ChainReplaced if this is not the ledger's chain, or if the embedded chain has lost blocks that were final.
    """
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "deploy", 2) as database:
            await _verify(database, node, config, where)
            signers = assembly.relayers(config, where)

            async def conclude(connection: Connection, receipts: Iterable[Receipt], now: datetime) -> None:
                receipts = list(receipts)
                await gas.conclude(connection, config.assets, receipts, now)
                await audit_log.append(connection, [_deployed(one) for one in receipts if one.succeeded], now)

            async with database.reading() as connection:
                assets = await ledger.with_former(connection, config.assets)
            contracts = await deploying.deploy(
                database, node, signers[0], assets, config.finality, database.clock, conclude=conclude
            )
            await roles.grant(database, node, signers, contracts.values(), database.clock)
            return contracts
    finally:
        await node.close()


def _deployed(receipt: Receipt) -> AuditEvent:
    details = {"address": receipt.contract_address, "block": receipt.block_number}
    return AuditEvent("contract.deployed", None, assembly.at_machine(), None, details)


async def _verify(database: Database, node: Node, config: Config, where: Places) -> None:
    async with database.reading() as connection:
        assets = await ledger.with_former(connection, config.assets)
        contracts = list((await deploying.all_contracts(connection, assets)).values())
        cursor = await cursors.read(connection, contracts[0].chain_id) if contracts else None
    await same_chain.verify(node, contracts, cursor, alone=where.chain_is_ours)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result of `reconcile`: the totals per token, and every difference; `faults` are those within the ledger. Also
    all correcting transfers, and the current recovery.
    """

    totals: list[Solvency]
    faults: list[Fault]
    differences: list[Difference]
    corrections: list[Posted]
    recovery: Recovery | None

    def plain(self) -> dict[str, Any]:
        """The same as plain values, amounts as decimal strings: for printing."""
        totals = [
            {
                "asset": one.asset.code,
                "supply": one.supply.amount,
                "wallets": one.wallets.amount,
                "outside": one.outside.amount,
                "reserve": one.reserve.amount,
                "reserve_asset": one.reserve.asset.code,
                "final_block": one.final_block,
                "difference": one.difference.amount,
            }
            for one in self.totals
        ]
        faults = [{"account": one.where, "ledger": "", "other": "", "where": one.claim} for one in self.faults]
        return {
            "totals": totals,
            "differences": [*faults, *map(plain, self.differences)],
            "corrections": [correction_plain(one) for one in self.corrections],
            "recovery": str(self.recovery) if self.recovery is not None else None,
        }


def correction_plain(one: Posted) -> dict[str, Any]:
    """A correcting transfer as plain values, for printing."""
    return {
        "id": show(PREFIX, one.id),
        "debit": one.correction.debit,
        "credit": one.correction.credit,
        "amount": str(one.correction.money),
        "reason": one.reason,
        "by": list(one.by),
        "posted_at": rfc3339(one.at),
    }


def plain(one: Difference) -> dict[str, Any]:
    """A difference as plain values, for printing."""
    return {
        "account": one.account,
        "ledger": str(one.ledger),
        "other": str(one.other),
        "amount": str(one.amount),
        "where": one.where,
        "block": one.block,
    }


async def reconcile(config: Config) -> Reconciliation:
    """Recount the ledger, then reconcile it with the chain and the bank.

    A difference is recorded as a suspicion: a worker compares again, and freezes withdrawals if it is confirmed.
    """
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "reconcile", 2, assembly.LONG_SECONDS) as database:
            settings = await assembly.settings_of(config, database, where)
            found = await full_reconciliation.reconcile(database, node, settings)
            async with database.reading() as connection:
                corrections = await repairs.corrections(connection, settings.assets)
                restored = await recovery.current(connection)
            return Reconciliation(
                list(found.totals), list(found.faults), list(found.differences), corrections, restored
            )
    finally:
        await node.close()
