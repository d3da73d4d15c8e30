"""Batches: queued authorizations, many to a chain transaction.

One bad authorization never costs the others: the contract skips it, and one that is known to be bad before is not
sent at all. A batch's gas limit is computed, not estimated: an estimate asks the node, and is of the state of its block
and not of the one the batch will meet. What a batch does not use it does not pay.
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
from gateway.chain.token import message
from gateway.chain.token.contract import Contract
from gateway.chain.token.message import Authorization
from gateway.keys.signer import Signer
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "batches.sql")

#: Payments and redemptions are settled, mints are minted: two calls of the contract, so two kinds of batch. `batch_of`
#: (schema/06_chain.sql) says which carries an authorization.
BatchKind = Literal["settle", "mint"]

#: Signs these authorizations, in order, with their payers' keys; None where a key cannot be read. Asked inside the
#: transaction, so it waits for no network.
Sign = Callable[[Connection, list[Authorization]], Awaitable[Sequence[bytes | None]]]

#: The most gas one transaction may use (EIP-7825, since Osaka).
GAS_MAX = 16_777_216

#: The most bytes a transaction may have before nodes refuse to pass it on (geth's txMaxSize: four slots of 32 KiB),
#: less room for its other fields.
DATA_BYTES_MAX = 4 * 32 * 1024 - 512


#: As many are put into a batch, if they fit.
MOST = 300

#: How far a queue is counted: whoever asks is not kept waiting by what it has grown to.
QUEUE_COUNTED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Batch:
    """`transaction` carries `submitted`. `refused` were not sent and have ended as skipped, each for its reason:
    `key_unreadable` or `invalid_signature`.
    """

    transaction: Stored | None
    submitted: list[Authorization]
    refused: list[tuple[Authorization, str]]


@dataclass(frozen=True, slots=True)
class Ripe:
    """A batch to form: the token's code, and how many authorizations wait for it, counted up to as many as are put into
    one; contracts have signed `by_contracts` of them.
    """

    asset: str
    kind: BatchKind
    count: int
    by_contracts: int


async def ripe(
    connection: Connection, now: datetime, wait: timedelta, reverted_after: datetime, most: int = MOST
) -> list[Ripe]:
    """The batches that should be formed now: `most` authorizations wait for it, so that it is full, or fewer, of which
    the oldest has waited for `wait`, by the clock of who accepted it. None of a token of which a batch was seen after
    `reverted_after` to have finally reverted.
    """
    rows = await connection.fetch(sql.ripe, int(now.timestamp()), most, now - wait, reverted_after)
    return [Ripe(row["asset"], row["kind"], row["count"], row["by_contracts"]) for row in rows]


async def queue(connection: Connection) -> dict[str, tuple[int, datetime | None]]:
    """How many authorizations wait to be put into a batch, by token, counted up to `QUEUE_COUNTED_MAX`, and since when
    the oldest of them does. What is frozen with withdrawals is not waiting for a batch.
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
    most: int = MOST,
) -> Batch | None:
    """Put up to `most` queued authorizations, oldest first, into a stored transaction. None when none is queued.

    Any number of workers may call it at once: each authorization is claimed by one. Raises RelayerStopped; nothing is
    claimed then.
    """
    rows = await connection.fetch(sql.claim, contract.asset.code, kind, int(now.timestamp()), most)
    claimed = [authorizations.from_row(row) for row in rows]
    if not claimed:
        return None

    good, refused = claimed, list[tuple[Authorization, str]]()
    if kind == "settle":
        good, refused = _checked(contract, await _signed(connection, claimed, sign))
    good = fitting(kind, good)
    await authorizations.finish(connection, [a.id for a, _ in refused], "skipped", [reason for _, reason in refused])
    if not good:
        return Batch(None, [], refused)

    data = message.mint_data(good) if kind == "mint" else message.settle_data(good)
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
) -> tuple[list[Authorization], list[tuple[Authorization, str]]]:
    """(good, refused)"""
    good, refused = [], []
    for authorization in signed:
        if authorization.signature is None:
            refused.append((authorization, "key_unreadable"))
            continue
        try:
            # A contract was asked when it was handed in, and is asked again by the token; the vault signs with the key
            # of the address or not at all (vault.py).
            if authorization.by == "owner":
                message.check(contract, authorization)
            good.append(authorization)
        except InvalidSignature:
            refused.append((authorization, "invalid_signature"))
    return good, refused


# ---- how much gas ---------------------------------------------------------------------------------------------------

# Measured in contracts/test/Gas.t.sol and rounded up; contracts/README.md, "Gas", has the figures they come from.

#: The transaction itself and what its entries share, the supply's slot among it, which the first mint of all fills.
_BASE_GAS = 60_000

#: A payment between two accounts that have balances, under the worst of its conditions (somebody is frozen).
_PAYMENT_GAS = 35_000

#: Each storage slot that may be written for the first time: a payee's balance, a word of 256 nonces of a payer.
_FRESH_SLOT_GAS = 17_500

#: A mint to an account without a balance.
_MINT_GAS = 55_000

#: What a contract may burn when it is asked whether it has signed, and what asking costs besides; the token hands on 63
#: of 64 parts of what is left at the most, so there is more than that for the last of a batch too. And for each byte of
#: its signature.
_CONTRACT_GAS, _BYTE_GAS = CONTRACT_GAS + 10_000, 20

#: Bytes of calldata of a payment signed by a key (twelve words) and of a mint (three).
_PAYMENT_BYTES, _MINT_BYTES = 384, 96


def gas_limit(kind: BatchKind, batch: Sequence[Authorization]) -> int:
    """Gas that suffices for the batch, whatever state it meets."""
    if kind == "mint":
        return _BASE_GAS + _MINT_GAS * len(batch)
    fresh = {a.to_address for a in batch} | {(a.from_address, a.nonce >> 8) for a in batch}
    asked = sum(_CONTRACT_GAS + _BYTE_GAS * len(a.signature or b"") for a in batch if a.by == "contract")
    return _BASE_GAS + _PAYMENT_GAS * len(batch) + _FRESH_SLOT_GAS * len(fresh) + asked


def data_bytes(kind: BatchKind, batch: Sequence[Authorization]) -> int:
    """Bytes of calldata at the most: a contract's signature may be longer than the 65 that a key makes."""
    if kind == "mint":
        return _MINT_BYTES * len(batch)
    return _PAYMENT_BYTES * len(batch) + sum(max(0, len(a.signature or b"") - 65) for a in batch)


def gas_most(count: int, by_contracts: int = 0) -> int:
    """Gas that suffices for a batch of so many, of either kind and whoever they are, some signed by contracts."""
    asked = (_CONTRACT_GAS + _BYTE_GAS * BYTES_MAX) * by_contracts
    return min(GAS_MAX, _BASE_GAS + (_PAYMENT_GAS + 2 * _FRESH_SLOT_GAS) * count + asked)


def fitting(kind: BatchKind, batch: list[Authorization]) -> list[Authorization]:
    """As many of the batch, from its front, as one transaction may carry by gas and by size; the rest stay queued.

    That is at least 238 payments, 303 mints, and 340 payments where payers and payees repeat; of payments that
    contracts have signed, at least 80.
    """
    most = min(len(batch), DATA_BYTES_MAX // (_MINT_BYTES if kind == "mint" else _PAYMENT_BYTES))

    def too_much(count: int) -> bool:
        part = batch[:count]
        return gas_limit(kind, part) > GAS_MAX or data_bytes(kind, part) > DATA_BYTES_MAX

    return batch[: bisect_left(range(1, most + 1), True, key=too_much) if too_much(most) else most]
