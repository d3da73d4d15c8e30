"""Batches: queued authorizations, many to a chain transaction.

One invalid authorization does not affect the others: the contract skips it, and one that is known to be invalid is not
sent. A batch's gas limit is computed, not estimated: an estimate needs a call to the node, and is of the state of its
block, not of the block that will have the batch. Gas that a batch does not use is not paid.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from gateway.chain.block import Fees
from gateway.chain.errors import InvalidSignature
from gateway.chain.relayer import relayers
from gateway.chain.relayer.relayers import Stored
from gateway.chain.signature import BYTES_MAX, CONTRACT_GAS
from gateway.chain.token import authorization as authorizations
from gateway.chain.token import eip3009
from gateway.chain.token.contract import Contract
from gateway.chain.token.eip3009 import Authorization
from gateway.chain.token.failure import INVALID_SIGNATURE, KEY_UNREADABLE, Failure
from gateway.keys.signer import Signer
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "batches.sql")

#: Payments and redemptions are settled, mints are minted: two calls of the contract, so two kinds of batch. `batch_of`
#: (schema/06_chain.sql) says which kind carries an authorization.
BatchKind = Literal["settle", "mint"]

#: Signs these authorizations, in order, with their payers' keys; None for a key that cannot be decrypted. Called inside
#: the transaction, so it waits for no network.
Sign = Callable[[Connection, list[Authorization]], Awaitable[Sequence[bytes | None]]]

#: The most gas one transaction may use (EIP-7825, since Osaka).
GAS_MAX = 16_777_216

#: The largest transaction that nodes pass on (geth's txMaxSize: four slots of 32 KiB), in bytes, less room for its
#: other fields.
DATA_BYTES_MAX = 4 * 32 * 1024 - 512


#: The most authorizations of a batch, if they fit.
BATCH_MAX = 300

#: The limit up to which the queue is counted, so that a count stays fast however long the queue is.
QUEUE_COUNTED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch: `transaction` carries `submitted`. `refused` were not sent and have ended as skipped, each with its
    reason.
    """

    transaction: Stored | None
    submitted: list[Authorization]
    refused: list[tuple[Authorization, Failure]]


@dataclass(frozen=True, slots=True)
class Due:
    """A batch that is due: the token's code, and how many authorizations are queued for it, counted up to one batch;
    contracts have signed `by_contracts` of them.
    """

    asset: str
    kind: BatchKind
    count: int
    by_contracts: int


async def due(
    connection: Connection, now: datetime, wait: timedelta, reverted_after: datetime, maximum: int = BATCH_MAX
) -> list[Due]:
    """Return the batches that are due: `maximum` authorizations are queued, so the batch is full, or the oldest has
    waited for `wait`, by the clock of the process that accepted it. None for a token with a batch that was found after
    `reverted_after` to have finally reverted.
    """
    rows = await connection.fetch(sql.due, int(now.timestamp()), maximum, now - wait, reverted_after)
    return [Due(row["asset"], row["kind"], row["count"], row["by_contracts"]) for row in rows]


async def queue(connection: Connection) -> dict[str, tuple[int, datetime | None]]:
    """Return how many authorizations are queued for a batch, by token, counted up to `QUEUE_COUNTED_MAX`, and since
    when the oldest is. Those that are frozen with withdrawals do not count.
    """
    rows = await connection.fetch(sql.queue, QUEUE_COUNTED_MAX)
    return {row["asset"]: (row["count"], row["oldest"]) for row in rows}


async def form(
    connection: Connection,
    contract: Contract,
    kind: BatchKind,
    signer: Signer,
    fees: Fees,
    sign: Sign,
    now: datetime,
    maximum: int = BATCH_MAX,
) -> Batch | None:
    """Put up to `maximum` queued authorizations, oldest first, into a stored transaction. None if none is queued.

    Any number of workers may call it at once: each authorization is claimed by one. Raises RelayerStopped; then nothing
    is claimed.
    """
    rows = await connection.fetch(sql.claim, contract.asset.code, kind, int(now.timestamp()), maximum)
    claimed = [authorizations.from_row(row) for row in rows]
    if not claimed:
        return None

    good, refused = claimed, list[tuple[Authorization, Failure]]()
    if kind == "settle":
        good, refused = _checked(contract, await _signed(connection, claimed, sign))
    good = fitting(kind, good)
    await authorizations.finish(connection, [a.id for a, _ in refused], "skipped", [reason for _, reason in refused])
    if not good:
        return Batch(None, [], refused)

    data = eip3009.mint_data(good) if kind == "mint" else eip3009.settle_data(good)
    asset, limit = contract.asset.code, gas_limit(kind, good)
    carried = {a.id: a.signature for a in good}
    stored = await relayers.store(
        connection, signer, contract.chain_id, kind, asset, contract.address, data, limit, fees, now, carried
    )
    return Batch(stored, good, refused)


async def _signed(connection: Connection, claimed: list[Authorization], sign: Sign) -> list[Authorization]:
    unsigned = [a for a in claimed if a.signature is None]
    signatures = dict(zip((a.id for a in unsigned), await sign(connection, unsigned), strict=True)) if unsigned else {}
    return [replace(a, signature=signatures[a.id]) if a.id in signatures else a for a in claimed]


def _checked(
    contract: Contract, signed: list[Authorization]
) -> tuple[list[Authorization], list[tuple[Authorization, Failure]]]:
    """Return (good, refused)."""
    good, refused = [], []
    for authorization in signed:
        if authorization.signature is None:
            refused.append((authorization, KEY_UNREADABLE))
            continue
        try:
            # A contract was asked when the authorization was submitted, and the token asks it again. The vault signs
            # with the key of the address or not at all (vault.py).
            if authorization.by == "owner":
                eip3009.check(contract, authorization)
            good.append(authorization)
        except InvalidSignature:
            refused.append((authorization, INVALID_SIGNATURE))
    return good, refused


# ---- how much gas ---------------------------------------------------------------------------------------------------

# Measured in contracts/test/Gas.t.sol and rounded up; contracts/README.md, "Gas", has the figures.

#: The transaction itself and what its entries share, including the supply's slot, which the very first mint fills.
_BASE_GAS = 60_000

#: A payment between two accounts that have balances, in the worst case (an account is frozen).
_PAYMENT_GAS = 35_000

#: Each storage slot that may be written for the first time: a payee's balance, a word of 256 nonces of a payer.
_FRESH_SLOT_GAS = 17_500

#: A mint to an account without a balance.
_MINT_GAS = 55_000

#: The most that a contract may use to verify a signature, and the cost of the call; and the cost of each byte of its
#: signature. The token passes on at most 63/64 of the remaining gas, so there is more than that for the last of a batch
#: too.
_CONTRACT_GAS, _BYTE_GAS = CONTRACT_GAS + 10_000, 20

#: Bytes of calldata of a payment signed by a key (twelve words) and of a mint (three).
_PAYMENT_BYTES, _MINT_BYTES = 384, 96


def gas_limit(kind: BatchKind, batch: Sequence[Authorization]) -> int:
    """Return a gas limit that is enough for the batch, whatever the state of the chain."""
    if kind == "mint":
        return _BASE_GAS + _MINT_GAS * len(batch)
    fresh = {a.to_address for a in batch} | {(a.from_address, a.nonce >> 8) for a in batch}
    asked = sum(_CONTRACT_GAS + _BYTE_GAS * len(a.signature or b"") for a in batch if a.by == "contract")
    return _BASE_GAS + _PAYMENT_GAS * len(batch) + _FRESH_SLOT_GAS * len(fresh) + asked


def data_bytes(kind: BatchKind, batch: Sequence[Authorization]) -> int:
    """Return the most bytes of calldata: a contract's signature may be longer than the 65 bytes of a key's."""
    if kind == "mint":
        return _MINT_BYTES * len(batch)
    return _PAYMENT_BYTES * len(batch) + sum(max(0, len(a.signature or b"") - 65) for a in batch)


def gas_max(count: int, by_contracts: int = 0) -> int:
    """Return a gas limit that is enough for any batch of this many authorizations, of either kind, some of them signed
    by contracts.
    """
    asked = (_CONTRACT_GAS + _BYTE_GAS * BYTES_MAX) * by_contracts
    return min(GAS_MAX, _BASE_GAS + (_PAYMENT_GAS + 2 * _FRESH_SLOT_GAS) * count + asked)


def fitting(kind: BatchKind, batch: list[Authorization]) -> list[Authorization]:
    """Return as many of the batch, from its front, as one transaction can carry by gas and by size; the rest stay
    queued.

    That is at least 238 payments, 303 mints, and 340 payments if payers and payees repeat; of payments that contracts
    have signed, at least 80.
    """
    maximum = min(len(batch), DATA_BYTES_MAX // (_MINT_BYTES if kind == "mint" else _PAYMENT_BYTES))

    def too_much(count: int) -> bool:
        part = batch[:count]
        return gas_limit(kind, part) > GAS_MAX or data_bytes(kind, part) > DATA_BYTES_MAX

    return batch[: bisect_left(range(1, maximum + 1), True, key=too_much) if too_much(maximum) else maximum]
