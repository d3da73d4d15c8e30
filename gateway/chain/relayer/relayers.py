"""Relayers: one signer's ordered nonces, and the transactions that take them.

Store, then send. A transaction's nonce, raw bytes and hash are committed, and on the synchronous standby if there is
one, before a node sees them; it is only ever sent again as stored. A fee bump is another attempt at the same nonce: at
most one of a transaction's attempts is mined. A node's answer decides nothing; the receipt of a stored hash, in a final
block, does.

Any number of workers share the relayers that they have keys for. A nonce is assigned under its relayer's row lock; a
worker that finds a relayer locked uses another. No nonce is sent to a node before every lower one of its relayer was,
whoever stored them: if a worker is killed between storing and sending, the next one that sends makes up for it.

The fee has a ceiling, so a relayer may wait, but never spends without limit.

Lock order: the relayer's row, then the authorizations of its transactions, in id order, then the transactions.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from gateway.chain.block import AccountState, Fees, Receipt
from gateway.chain.errors import RelayerStopped
from gateway.chain.relayer.fee_ceiling import capped
from gateway.errors import Misconfigured
from gateway.escape import for_shell
from gateway.ids import new_id
from gateway.keys.signer import Signer, TransactionFields
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "relayers.sql")

Kind = Literal["settle", "mint", "deploy", "grant"]

#: How many transactions of a relayer may be unmined at once; further authorizations wait in the queue.
OPEN_MAX = 16

#: An attempt that has been open for this long may be in a block that was read before the attempt was stored here: its
#: receipt is requested whichever block is read.
_LATE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Stored:
    """A transaction that is stored and may be sent."""

    id: UUID
    hash: bytes
    raw: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """Raw bytes for a relayer's nonce; the bytes are read only to be sent. `created_at` is when they were made."""

    hash: bytes
    transaction_id: UUID
    nonce: int
    fees: Fees
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Concluded:
    """A transaction that is in a final block. `cost_wei` is what its gas cost the relayer, also if it reverted."""

    id: UUID
    kind: Kind
    asset: str
    succeeded: bool
    hash: bytes
    cost_wei: int


async def register(connection: Connection, chain_id: int, address: str, next_nonce: int) -> None:
    """Register the relayer of `address`, with its first nonce. One that is registered keeps its own count.

    Raises Misconfigured if it is registered on another chain: its nonces would be wrong there.
    """
    known = await connection.fetchval(sql.register_relayer, address, chain_id, next_nonce)
    if known is not None and known != chain_id:
        raise Misconfigured(
            f"the relayer {address} is registered on chain {known} in this database, and the node is of chain "
            f"{chain_id}: use another relayer key or another database"
        )


@dataclass(frozen=True, slots=True)
class Relayer:
    """A relayer. `mined` of its nonces are in blocks; `open` of its transactions are in no block, `unfinished` in no
    final one, the oldest of these since `oldest_at`. `left_wei` is its balance, less the most that the open ones may
    cost. `refused` is why a node refuses its transactions, in the node's words.
    """

    address: str
    next_nonce: int
    stopped: str | None
    low: bool
    mined: int
    open: int
    unfinished: int
    oldest_at: datetime | None
    balance_wei: int
    left_wei: int
    refused: str | None = None


async def read(connection: Connection, account_states: Sequence[AccountState]) -> list[Relayer]:
    """Return the relayers of these addresses; one that is not registered is left out."""
    by_address = {one.address: one for one in account_states}
    rows = await connection.fetch(sql.read_relayers, list(by_address), [one.mined for one in by_address.values()])
    return [
        Relayer(
            address=row["address"],
            next_nonce=row["next_nonce"],
            stopped=row["stopped"],
            low=row["low"],
            mined=by_address[row["address"]].mined,
            open=row["open"],
            unfinished=row["unfinished"],
            oldest_at=row["oldest_at"],
            balance_wei=by_address[row["address"]].balance_wei,
            left_wei=by_address[row["address"]].balance_wei - row["promised_wei"],
            refused=row["refused"],
        )
        for row in rows
    ]


async def addresses(connection: Connection, chain_id: int) -> list[str]:
    """Return every relayer of the chain, also those whose keys other processes have."""
    return [row["address"] for row in await connection.fetch(sql.relayer_addresses, chain_id)]


async def among(connection: Connection, addresses: Collection[str]) -> set[str]:
    """Return which of these addresses are relayers, of any chain."""
    return {row["address"] for row in await connection.fetch(sql.relayers_among, list(addresses))}


def unfit_reason(relayer: Relayer, cost_wei: int) -> str | None:
    """Return why the relayer cannot carry a transaction of this maximum cost until an operator has acted; None if it
    can. Pure.
    """
    if relayer.stopped is not None:
        return f"stopped, since {relayer.stopped}: see 'gateway relayers resume'"
    if relayer.mined > relayer.next_nonce:
        return nonce_taken(relayer.next_nonce)
    if relayer.left_wei < cost_wei:
        return f"has {max(relayer.left_wei, 0)} wei to spend and needs {cost_wei}: send it some"
    return None


def nonce_taken(nonce: int) -> str:
    """Return the reason of a relayer whose nonce was used on the chain by a transaction that this database has not
    stored. Pure.
    """
    return f"its nonce {nonce} was used on the chain by a transaction that this database does not know"


def what_to_do(address: str) -> str:
    """Return the advice for an operator about a nonce that is taken; it covers both possible causes. Pure."""
    return (
        "Either the database was restored from a copy that is older than the chain, or something else signs with this "
        "key: 'gateway recovery' says whether payments are missing from the database. Once you know which, run "
        f"'gateway relayers resume {for_shell(address)}'"
    )


def available(relayers: Iterable[Relayer], cost_wei: int) -> list[Relayer]:
    """Return the relayers that can carry a transaction of this maximum cost, those with the fewest open transactions
    first. Pure.
    """
    fit = [relayer for relayer in relayers if unfit_reason(relayer, cost_wei) is None and relayer.open < OPEN_MAX]
    return sorted(fit, key=lambda relayer: (relayer.open, relayer.address))


async def take(connection: Connection, relayers: Sequence[Relayer]) -> str | None:
    """Lock the first of these relayers that no other transaction has locked. Returns its address. Never waits."""
    below = [relayer.mined + OPEN_MAX for relayer in relayers]
    taken: str | None = await connection.fetchval(sql.take_relayer, [relayer.address for relayer in relayers], below)
    return taken


async def maintained_within(connection: Connection, time: timedelta) -> bool | None:
    """Return whether a worker has maintained some relayer within this time; None if none ever was."""
    maintained: bool | None = await connection.fetchval(sql.maintained_within, time)
    return maintained


async def unfinished_after(connection: Connection, time: timedelta) -> bool:
    """Return whether a transaction that is older than this is in no final block yet."""
    return bool(await connection.fetchval(sql.unfinished_after, time))


async def take_due(connection: Connection, wanted: Sequence[str], every: timedelta) -> list[str]:
    """Return those of these relayers that no worker has maintained for this long. They count as maintained now."""
    return [row["address"] for row in await connection.fetch(sql.take_due, list(wanted), every)]


async def next_nonce(connection: Connection, address: str) -> int:
    """Return the relayer's next nonce. Raises RelayerStopped."""
    return _next_nonce(address, await read_any(connection, address))


async def lock(connection: Connection, address: str) -> int:
    """Lock the relayer. Returns its next nonce. Raises RelayerStopped."""
    return _next_nonce(address, await lock_any(connection, address))


async def read_any(connection: Connection, address: str) -> Record | None:
    """Return the relayer, also a stopped one; None if it is not registered."""
    return await connection.fetchrow(sql.read_relayer, address)


async def lock_any(connection: Connection, address: str) -> Record | None:
    """Lock the relayer, also a stopped one, and return it; None if it is not registered."""
    return await connection.fetchrow(sql.lock_relayer, address)


def _next_nonce(address: str, relayer: Record | None) -> int:
    assert relayer is not None, f"not registered: {address}"
    if relayer["stopped"] is not None:
        raise RelayerStopped(address, relayer["stopped"])
    return int(relayer["next_nonce"])


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
    carried: Mapping[UUID, bytes | None] | None = None,
) -> Stored:
    """Sign a transaction with the relayer's next nonce and store it. Nothing is sent. Raises RelayerStopped.

    `carried` are the authorizations that it carries, which the caller has claimed, with their signatures; a mint has
    none. They become submitted.

    The relayer stays locked until the caller commits: nonces have no gap, and a rollback returns the nonce.
    """
    nonce = await lock(connection, signer.address)
    fees = capped(fees)
    fields = TransactionFields(chain_id, nonce, fees.tip_wei_max, fees.fee_wei_max, gas_limit, to, 0, data)
    hash_, raw = signer.sign_transaction(fields)
    id_ = new_id(now)

    await connection.execute(
        sql.store_transaction,
        *(id_, signer.address, nonce, kind, asset, gas_limit, now),
        *(hash_, raw, fees.fee_wei_max, fees.tip_wei_max),
        *(list(carried or ()), list((carried or {}).values())),
    )
    return Stored(id_, hash_, raw, nonce)


async def open_attempts(connection: Connection, relayer: str) -> list[Attempt]:
    """Return every attempt at the relayer's transactions that are in no final block, in nonce order, older attempts
    first.
    """
    return [_attempt(row) for row in await connection.fetch(sql.open_attempts, relayer)]


async def attempts_of(connection: Connection, transaction_id: UUID) -> list[Attempt]:
    """Return a transaction's attempts, whatever its state, older attempts first."""
    return [_attempt(row) for row in await connection.fetch(sql.attempts_of, transaction_id)]


async def open_hashes(connection: Connection, chain_id: int, now: datetime) -> dict[bytes, bool]:
    """Return the hashes of the open attempts of every relayer of the chain, and whether they are late: the process that
    reads a block concludes the transactions in it.
    """
    rows = await connection.fetch(sql.open_hashes, chain_id, now - _LATE)
    return {row["hash"]: row["late"] for row in rows}


def _attempt(row: Record) -> Attempt:
    fees = Fees(row["fee_wei_max"], row["tip_wei_max"])
    return Attempt(row["hash"], row["transaction_id"], row["nonce"], fees, row["created_at"])


async def conclude(connection: Connection, receipts: Iterable[Receipt], now: datetime) -> list[Concluded]:
    """Conclude the transactions of these receipts, all from final blocks. Returns those that were not concluded yet."""
    by_hash = {receipt.hash: receipt for receipt in receipts}
    succeeded = [receipt.succeeded for receipt in by_hash.values()]
    rows = await connection.fetch(sql.conclude, list(by_hash), succeeded, now) if by_hash else []
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
