"""Replace a transaction that is not mined: the same nonce, with higher fees.

Nodes accept a replacement only if both fees rise by a tenth. The offer has two ceilings: an absolute one
(fee_ceiling.py), and a multiple of what the node suggests.
"""

from datetime import datetime, timedelta
from uuid import UUID

from gateway.chain.block import Block, Fees
from gateway.chain.relayer.fee_ceiling import FEE_WEI_CEILING
from gateway.chain.relayer.relayers import Attempt, Stored, lock
from gateway.keys.signer import Signer, TransactionFields, fields_of
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "fee_bump.sql")

#: No attempt offers more than this multiple of the node's current suggestion. The suggestion already has room for the
#: base fee to double, so a transaction that is not mined at ten times that is held up by something other than its fee.
_FEE_TIMES_MAX = 10

#: How long an attempt that is not mined is left before it is replaced; and how long if the node suggests no more than
#: it offers. In that case the fee is not the reason, or the node has lost the attempt, and a replacement is a new
#: start.
_PATIENCE, _LONG_PATIENCE = timedelta(seconds=30), timedelta(minutes=5)


def wants_bump(newest: Attempt, head: Block, fees: Fees, now: datetime) -> bool:
    """Return whether to replace a transaction's newest attempt, which is in no block up to `head`. Pure.

    Not while no blocks are made, because the attempt had no chance yet. Otherwise if the node suggests higher fees than
    it offers, or if it is old.
    """
    age = now - newest.created_at
    if head.timestamp <= newest.created_at.timestamp() or age < _PATIENCE:
        return False
    offered = newest.fees
    dearer = fees.fee_wei_max > offered.fee_wei_max or fees.tip_wei_max > offered.tip_wei_max
    return dearer or age >= _LONG_PATIENCE


async def bump(
    connection: Connection, signer: Signer, transaction_id: UUID, fees: Fees, now: datetime
) -> Stored | None:
    """Store another attempt with higher fees: those given, and at least an eighth more than the last attempt's.

    Nodes accept a replacement only if both fees rise by a tenth. Returns None if the transaction has ended in the
    meantime, or if the fees would exceed a ceiling.
    """
    await lock(connection, signer.address)
    last = await connection.fetchrow(sql.last_attempt, transaction_id, signer.address)
    if last is None:
        return None
    old = fields_of(last["raw"])
    tip = max(fees.tip_wei_max, _eighth_more(old.tip_wei_max))
    fee = max(fees.fee_wei_max, _eighth_more(old.fee_wei_max), tip)
    if fee > min(FEE_WEI_CEILING, _FEE_TIMES_MAX * fees.fee_wei_max):
        return None
    fields = TransactionFields(old.chain_id, old.nonce, tip, fee, old.gas_limit, old.to, old.value_wei, old.data)
    hash_, raw = signer.sign_transaction(fields)
    await connection.execute(sql.store_attempt, hash_, transaction_id, raw, fee, tip, now)
    return Stored(transaction_id, hash_, raw, old.nonce)


def _eighth_more(wei: int) -> int:
    return wei + max(1, -(-wei // 8))
