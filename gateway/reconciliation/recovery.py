"""Recovery: the chain has payments by this gateway that the database does not have, because an older copy was restored.

    running ──a final block has a batch that no row knows──> reading ──the ledger has all of it──> read ──confirmed──┐
       ^                                                        ^                                  │               │
       │                                                        └────── another such batch ────────┘               │
       └───────────────────────────────────────────────────────────────────────────────────────────────────────────┘

The evidence is a call of a token's `settle` or `mint`, in a final block, in a transaction that this database has not
stored. The contract accepts these calls from the gateway's relayers alone. There are no false alarms: transactions are
stored before they are sent, so a crash in between leaves none unknown; a reorganisation undoes no final block; a node
that is behind shows less, never more; and the owner of an exported key calls other functions.

Until two operators have confirmed the payments that were found (operators/approvals.py), no token payment, conversion,
withdrawal or new handle is accepted, and no relayer sends. Ledger payments continue: everything about them is in this
database, so one that is repeated after a restore moves money once. Movements on the chain are booked as usual.

The movements of unknown batches are kept, because their idempotency keys are lost. The first new request for the same
payment is matched with one (`restored_payment`): its answer is stored under the request's key, and no money moves. No
relayer sends until the ledger has read every transaction that the relayers have on the chain. So a request that came
before the recovery was known is still queued, and fails with its money released.

Lock order: the cursor, restored payments, authorizations in id order, then as in gateway/settlement/.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.address import ZERO
from gateway.audit import log as audit
from gateway.audit.log import WORKER, AuditEvent
from gateway.chain.block import AccountState
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.relayer import nonce_conflicts, relayers
from gateway.chain.token import authorization
from gateway.chain.token.contract import Movement, is_batch
from gateway.chain.token.eip3009 import Authorization
from gateway.chain.token.failure import PAID_BEFORE_RESTORE, Failure
from gateway.chain.watcher import balances, cursors, watch
from gateway.chain.watcher.block_range import BlockRange
from gateway.chain.watcher.cursors import Cursor
from gateway.clock import Clock, rfc3339
from gateway.events import log
from gateway.ids import TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database, Record, Statements
from gateway.settlement import block_settlement

notes = logging.getLogger(__name__)

sql = Statements(__package__, "recovery.sql")


@dataclass(frozen=True, slots=True)
class Recovery:
    """The current recovery. `read_at`: when the ledger had read all of the relayers' transactions."""

    id: UUID
    chain_id: int
    reason: str
    entered_at: datetime
    read_at: datetime | None

    def __str__(self) -> str:
        what = "confirm what was found with 'gateway recovery'" if self.read_at else "a worker is reading the chain"
        return (
            f"in recovery since {rfc3339(self.entered_at)}, for the database is older than the chain: {self.reason}. "
            f"Token payments, conversions, withdrawals and new handles wait; {what}"
        )


async def current(connection: Connection) -> Recovery | None:
    """Return the current recovery; None if there is none."""
    row = await connection.fetchrow(sql.recovery)
    return None if row is None else Recovery(*row)


# ---- finding it -----------------------------------------------------------------------------------------------------


async def unknown_movements(
    database: Database, node: Node, settings: PaymentSettings, movements: Iterable[Movement]
) -> list[Movement]:
    """Return the movements that batches of this gateway have made and that this database has not stored. Calls the node
    only if some of the transactions are not stored. Raises NodeUnavailable.
    """
    told = [one for one in movements if one.nonce is not None or one.reference is not None]
    hashes = sorted({one.transaction_hash for one in told})
    if not hashes:
        return []
    async with database.reading() as connection:
        known = {row["hash"] for row in await connection.fetch(sql.known_attempts, hashes)}
    not_stored = [hash_ for hash_ in hashes if hash_ not in known]
    calls = await node.sent(not_stored) if not_stored else {}
    if len(calls) < len(not_stored):
        raise NodeUnavailable("it has the logs of a transaction, and not the transaction")
    contracts = {contract.address for contract in settings.contracts.values()}
    ours = {hash_ for hash_, call in calls.items() if call.to in contracts and is_batch(call.data)}
    return [one for one in told if one.transaction_hash in ours]


async def detect(
    database: Database, node: Node, settings: PaymentSettings, finality: int | None, clock: Clock
) -> Recovery | None:
    """At the start, before anything is accepted: return the recovery that the gateway is in, or has to enter. Reads
    final blocks only if a relayer has more transactions on the chain than in its rows. Raises NodeUnavailable,
    ChainReplaced.
    """
    chain_id = next((contract.chain_id for contract in settings.contracts.values()), None)
    async with database.reading() as connection:
        found = await current(connection)
        known = [] if chain_id is None else await relayers.addresses(connection, chain_id)
        cursor = None if chain_id is None else await cursors.read(connection, chain_id)
    if found is not None or cursor is None or not known:
        return found
    account_states = await node.account_states(known)
    async with database.reading() as connection:
        rows = await connection.fetch(sql.relayers, cursor.chain_id)
    if not _ahead(rows, account_states):
        return None
    batch, contracts = list[Movement](), list(settings.contracts.values())
    while not batch and (block_range := await watch.read(node, contracts, cursor, finality, {})) is not None:
        batch = await unknown_movements(database, node, settings, block_range.movements)
        cursor = Cursor(cursor.chain_id, block_range.last.number, block_range.last.hash, block_range.last.timestamp)
    if batch:
        async with database.transaction() as connection:
            await enter(connection, cursor.chain_id, batch, clock())
    async with database.reading() as connection:
        return await current(connection)


async def may_send(database: Database, node: Node, chain_id: int, account_states: Sequence[AccountState]) -> bool:
    """Return whether a relayer may send. It may not in recovery, nor while any relayer has transactions on the chain
    that are neither in the rows nor read by the ledger. `account_states` are of every relayer of the chain, read before
    this call.
    """
    async with database.reading() as connection:
        rows = await connection.fetch(sql.relayers, chain_id)
    if any(row["recovering"] for row in rows):
        return False
    for one in _ahead(rows, account_states):
        read_to = rows[0]["read_to"]
        if read_to is None or await node.transaction_count(one.address, read_to) < one.mined:
            return False
    return True


def _ahead(rows: Sequence[Record], account_states: Sequence[AccountState]) -> list[AccountState]:
    """Return the relayers that have more transactions on the chain than in the rows. The rows were read after the
    chain, and a transaction is stored before it is sent, so these were sent by somebody else.
    """
    next_nonce = {row["address"]: row["next_nonce"] for row in rows}
    return [one for one in account_states if one.mined > next_nonce.get(one.address, one.mined)]


# ---- entering it ----------------------------------------------------------------------------------------------------


async def enter(connection: Connection, chain_id: int, batch: Sequence[Movement], now: datetime) -> UUID:
    """Enter recovery because of batches that no row knows; once, however many processes find them. If the gateway is in
    recovery already, there is more to read. Returns the recovery's id.
    """
    first = batch[0]
    reason = (
        f"transaction 0x{first.transaction_hash.hex()} in block {first.block_number} is a batch that it does not have"
    )
    id: UUID | None = await connection.fetchval(sql.enter, new_id(now), chain_id, reason, now)
    if id is not None:
        details = {"reason": reason}
        await log.append(connection, [log.Event("recovery.entered", None, id, details)], now)
        await audit.append(connection, [AuditEvent("recovery.entered", None, WORKER, id, details)], now)
    else:
        await connection.execute(sql.read_on)
    found = await current(connection)
    assert found is not None
    if id is not None:
        notes.error("%s", found)
    return found.id


async def record(
    connection: Connection, settings: PaymentSettings, block_range: BlockRange, batch: Sequence[Movement], now: datetime
) -> None:
    """In the transaction that books a block range, after it was booked: enter recovery because of unknown batches, and
    keep their movements. In recovery, also keep the addresses of a block range that belong to no wallet.
    """
    found = await current(connection)
    if not batch and found is None:
        return
    if batch:
        chain_id = next(iter(settings.contracts.values())).chain_id
        recovery_id = await enter(connection, chain_id, batch, now)
        await _keep(connection, recovery_id, batch, now)
        await _fail_queued(connection, settings, now)
    else:
        assert found is not None
        recovery_id = found.id
    ends = {end for one in block_range.movements for end in (one.from_address, one.to_address)}
    strangers = ends - {ZERO} - {contract.address for contract in settings.contracts.values()}
    await connection.execute(sql.keep_addresses, recovery_id, sorted(strangers))


async def _keep(connection: Connection, recovery_id: UUID, batch: Sequence[Movement], now: datetime) -> None:
    await connection.execute(
        sql.keep_payments,
        recovery_id,
        [new_id(now) for _ in batch],
        [_kind(one) for one in batch],
        [one.asset_code for one in batch],
        [one.from_address for one in batch],
        [one.to_address for one in batch],
        [one.value for one in batch],
        [one.nonce if one.nonce is not None else one.reference for one in batch],
        [one.block_number for one in batch],
        [one.transaction_hash for one in batch],
    )


def _kind(one: Movement) -> str:
    if one.from_address == ZERO:
        return "mint"
    return "redemption" if one.to_address == ZERO else "transfer"


async def _fail_queued(connection: Connection, settings: PaymentSettings, now: datetime) -> None:
    """Fail requests that came after the restore and before the recovery was known, for payments that the chain has, and
    release their money. None of them was sent (`may_send`).
    """
    refused: dict[UUID, tuple[Authorization, Failure]] = {}
    met: set[UUID] = set()
    for row in await connection.fetch(sql.queued_like_restored):
        if row["id"] not in refused and row["restored_id"] not in met:
            refused[row["id"]] = authorization.from_row(row), PAID_BEFORE_RESTORE
            met.add(row["restored_id"])
            await connection.execute(sql.meet_queued, row["restored_id"], now, row["wallet_id"], row["id"])
    if refused:
        await block_settlement.refuse(connection, settings.assets, settings.settles, list(refused.values()), now)


# ---- reading, until all of it is in the ledger -----------------------------------------------------------------------


async def finish_reading(database: Database, node: Node, now: datetime) -> bool:
    """In recovery, once the ledger has every transaction that the relayers have on the chain: set the relayers' nonces
    to the chain's, and mark the recovery as ready to confirm. Returns whether this call did it.
    """
    async with database.reading() as connection:
        found = await current(connection)
        if found is None or found.read_at is not None:
            return False
        known = await relayers.addresses(connection, found.chain_id)
        cursor = await cursors.read(connection, found.chain_id)
        attempts = {one: await relayers.open_attempts(connection, one) for one in known}
    if cursor is None:
        return False
    counts = {one.address: one.mined for one in await node.account_states(known)}
    for address, count in counts.items():
        late = [one.hash for one in attempts[address] if one.nonce < count]
        if await node.transaction_count(address, cursor.number) < count or await node.receipts(late):
            return False  # they are in blocks that are not final yet, or not booked
    async with database.transaction() as connection:
        if not await cursors.lock_if_at(connection, cursor):
            return False
        if await connection.fetchval(sql.mark_read, found.id, now) is None:
            return False
        for row in await connection.fetch(sql.relayers, found.chain_id):
            if row["stopped"] is not None or row["next_nonce"] < counts[row["address"]]:
                await nonce_conflicts.resume(connection, row["address"], counts[row["address"]])
        missing = len(await connection.fetch(sql.restored, found.id))
        details = {"payments": missing, "block": cursor.number}
        await log.append(connection, [log.Event("recovery.read", None, found.id, details)], now)
        await audit.append(connection, [AuditEvent("recovery.read", None, WORKER, found.id, details)], now)
    notes.error(
        "the ledger has all of the chain up to block %d, and %d payments that were missing: look at them with 'gateway "
        "recovery', then have two operators confirm",
        *(cursor.number, missing),
    )
    return True


async def post_returned(database: Database, node: Node, settings: PaymentSettings, now: datetime) -> int:
    """Post the balances of addresses whose handles were lost and are claimed again. Returns how many addresses.

    Each balance is read at the block that the ledger was at when the handle was claimed. Later blocks are booked as for
    any wallet.
    """
    async with database.reading() as connection:
        rows = await connection.fetch(sql.to_open)
    for row in rows:
        contracts = list(settings.contracts.values())
        units = [(await balances.read(node, one, [row["address"]], row["taken_block"]))[0] for one in contracts]
        async with database.transaction() as connection:
            if await connection.fetchval(sql.open_address, row["address"], now) is None:
                continue
            for contract, there in zip(contracts, units, strict=True):
                if there:
                    token = contract.asset
                    mine, outside = account.wallet(row["handle"], token), account.system_account("outside", token)
                    ids = await ledger.accounts(connection, [(mine, token), (outside, token)])
                    id = TransferId(new_id(now))
                    came = Transfer(id, "observation", id, (Leg(ids[outside], ids[mine], there),), unconditional=True)
                    ledger.all_done(await ledger.write(connection, [came], now))
            details = {"address": row["address"], "handle": row["handle"]}
            await log.append(
                connection, [log.Event("wallet.returned", row["wallet_id"], row["wallet_id"], details)], now
            )
    return len(rows)
