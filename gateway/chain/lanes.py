"""Lanes: one signer's ordered nonces, and the transactions that take them.

Store, then send. A transaction's nonce, raw bytes and hash are committed before a node sees it, and it is only ever
sent again as stored. A bump is a further attempt at the same nonce: at most one of a transaction's attempts is mined.
What a node answers decides nothing; the receipt of one of our own hashes, in a final block, does.

Lock order: the lane's row before its transactions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from gateway.chain.block import Fees, Receipt
from gateway.chain.node import Node
from gateway.chain.signer import Signer, TransactionFields, fields_of
from gateway.errors import LaneStopped, Misconfigured
from gateway.ids import new_id
from gateway.postgres import Connection, Record, Statements

sql = Statements(__package__, "chain.sql")

Kind = Literal["settle", "mint", "deploy"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A transaction that is stored and may be sent."""

    id: UUID
    hash: bytes
    raw: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """Raw bytes for a lane's nonce. `created_at` is when these bytes were made."""

    hash: bytes
    raw: bytes
    transaction_id: UUID
    nonce: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Concluded:
    """A transaction that a final block has. `cost_wei` is what its gas cost the lane, also where it reverted."""

    id: UUID
    kind: Kind
    asset: str
    succeeded: bool
    hash: bytes
    cost_wei: int


async def register(connection: Connection, chain_id: int, address: str, next_nonce: int) -> None:
    """Make the lane of `address` known, with its first nonce; one that is known keeps its own count.

    Raises Misconfigured when it is known on another chain: its nonces would be of no use there.
    """
    known = await connection.fetchval(sql.register_lane, address, chain_id, next_nonce)
    if known is not None and known != chain_id:
        raise Misconfigured(
            f"the relayer {address} has a lane on chain {known} in this database, and the node is of chain {chain_id}: "
            "use another relayer key or another database"
        )


async def lock(connection: Connection, address: str) -> int:
    """Take the lane until the transaction ends. Returns its next nonce. Raises LaneStopped."""
    lane = await connection.fetchrow(sql.lock_lane, address)
    assert lane is not None, f"not registered: {address}"
    if lane["stopped"] is not None:
        raise LaneStopped(address, lane["stopped"])
    return int(lane["next_nonce"])


async def store(
    connection: Connection,
    signer: Signer,
    chain_id: int,
    kind: Kind,
    asset: str,
    to: str | None,
    data: bytes,
    gas_limit: int,
    fees: Fees,
    now: datetime,
) -> Stored:
    """Sign a transaction with the lane's next nonce and keep it. Nothing is sent. Raises LaneStopped.

    The lane stays locked until the caller commits: nonces have no gap, and a rollback gives the nonce back.
    """
    nonce = await lock(connection, signer.address)
    fields = TransactionFields(chain_id, nonce, fees.tip_wei_max, fees.fee_wei_max, gas_limit, to, 0, data)
    hash_, raw = signer.sign_transaction(fields)
    id_ = new_id(now)

    await connection.execute(sql.take_lane_nonce, signer.address)
    await connection.execute(sql.store_transaction, id_, signer.address, nonce, kind, asset, gas_limit, now)
    await connection.execute(sql.store_attempt, hash_, id_, raw, fees.fee_wei_max, fees.tip_wei_max, now)
    return Stored(id_, hash_, raw, nonce)


async def open_attempts(connection: Connection, lane: str) -> list[Attempt]:
    """Every attempt at the lane's transactions that no final block has, in nonce order, older attempts first."""
    return [_attempt(row) for row in await connection.fetch(sql.open_attempts, lane)]


async def attempts_of(connection: Connection, transaction_id: UUID) -> list[Attempt]:
    """A transaction's attempts, whatever became of it, older attempts first."""
    return [_attempt(row) for row in await connection.fetch(sql.attempts_of, transaction_id)]


def _attempt(row: Record) -> Attempt:
    return Attempt(row["hash"], row["raw"], row["transaction_id"], row["nonce"], row["created_at"])


async def conclude(connection: Connection, receipts: Iterable[Receipt]) -> list[Concluded]:
    """End the transactions that these receipts, all of final blocks, are of. Returns those that had not ended yet."""
    by_hash = {receipt.hash: receipt for receipt in receipts}
    succeeded = [receipt.succeeded for receipt in by_hash.values()]
    rows = await connection.fetch(sql.conclude, list(by_hash), succeeded) if by_hash else []
    return [
        Concluded(
            id=row["id"],
            kind=row["kind"],
            asset=row["asset"],
            succeeded=row["state"] == "succeeded",
            hash=row["final_hash"],
            cost_wei=by_hash[row["final_hash"]].cost_wei,
        )
        for row in rows
    ]


async def bump(
    connection: Connection, signer: Signer, transaction_id: UUID, fees: Fees, now: datetime
) -> Stored | None:
    """Store a further attempt with higher fees: those given, and at least an eighth more than the last one's.

    Nodes take a replacement only when both fees rise by a tenth. None when the transaction has ended meanwhile.
    """
    await lock(connection, signer.address)
    last = await connection.fetchrow(sql.last_attempt, transaction_id, signer.address)
    if last is None:
        return None
    old = fields_of(last["raw"])
    tip = max(fees.tip_wei_max, _eighth_more(old.tip_wei_max))
    fee = max(fees.fee_wei_max, _eighth_more(old.fee_wei_max), tip)
    fields = TransactionFields(old.chain_id, old.nonce, tip, fee, old.gas_limit, old.to, old.value_wei, old.data)
    hash_, raw = signer.sign_transaction(fields)
    await connection.execute(sql.store_attempt, hash_, transaction_id, raw, fee, tip, now)
    return Stored(transaction_id, hash_, raw, old.nonce)


def _eighth_more(wei: int) -> int:
    return wei + max(1, -(-wei // 8))


async def send_open(node: Node, attempts: Sequence[Attempt]) -> list[tuple[Attempt, str]]:
    """Send, as stored and in nonce order, the attempts at transactions that are in no block.

    Returns the node's complaints, which decide nothing: "already known" is the usual one. Network only.
    """
    receipts = await node.receipts([attempt.hash for attempt in attempts])
    mined = {attempt.transaction_id for attempt in attempts if attempt.hash in receipts}
    complaints = []
    for attempt in attempts:
        if attempt.transaction_id not in mined:
            complaint = await node.send(attempt.raw)
            if complaint is not None:
                complaints.append((attempt, complaint))
    return complaints


async def overtaken(node: Node, address: str, attempts: Sequence[Attempt], final: int) -> Attempt | None:
    """The first of these attempts whose nonce a transaction that is not ours has taken, up to block `final`.

    Somebody else signs with the lane's key, or the database is older than the chain: what waits behind that nonce
    would be sent for ever. What it carried is ended by its own logs, or by its time. Network only.
    """
    taken = await node.transaction_count(address, final)
    late = [attempt for attempt in attempts if attempt.nonce < taken]
    receipts = await node.receipts([attempt.hash for attempt in late])
    mined = {attempt.transaction_id for attempt in late if attempt.hash in receipts}
    return next((attempt for attempt in late if attempt.transaction_id not in mined), None)


async def reverted_since(connection: Connection, asset: str, since: datetime) -> bool:
    """Whether a transaction for the asset that was made after `since` has finally reverted."""
    return bool(await connection.fetchval(sql.reverted_since, asset, since))


async def stop(connection: Connection, address: str, reason: str) -> None:
    """Let the lane take no more transactions, for a reason that somebody has to look at. The first reason stays."""
    await connection.execute(sql.stop_lane, address, reason)
