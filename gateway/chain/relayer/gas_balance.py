"""Gas balances: how many payments each relayer's balance can pay for. Checked regularly, so that operators are warned
well before a relayer runs out.

Everything is computed at the highest fee that would be offered now, which has room for the base fee to double. So a
relayer lasts longer than stated, not shorter.
"""

from collections.abc import Sequence
from datetime import timedelta

from gateway.chain.block import Fees
from gateway.chain.relayer import batches
from gateway.chain.relayer.fee_ceiling import capped
from gateway.chain.relayer.relayers import Relayer
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "gas_balance.sql")

#: Gas of a payment in a full batch (contracts/README.md, "Gas").
PAYMENT_GAS = 27_000


def cost_wei(gas: int, fees: Fees) -> int:
    """Return the maximum cost of a transaction with this gas limit at these fees."""
    return gas * capped(fees).fee_wei_max


def payments_left(relayer: Relayer, fees: Fees) -> int:
    """Return how many payments in full batches the relayer can pay for."""
    return max(relayer.left_wei, 0) // max(1, cost_wei(PAYMENT_GAS, fees))


def is_low(relayer: Relayer, fees: Fees, batches_min: int) -> bool:
    """Return whether the balance is below the maximum cost of this many full batches. A relayer that was low stays low
    until it has a quarter more, so that fluctuating fees are reported once.
    """
    minimum = batches_min * cost_wei(batches.GAS_MAX, fees)
    return relayer.left_wei < (minimum + minimum // 4 if relayer.low else minimum)


async def take_due(connection: Connection, wanted: Sequence[str], every: timedelta) -> list[str]:
    """Return those of these relayers whose balance no worker has checked for this long. They count as checked now."""
    return [row["address"] for row in await connection.fetch(sql.take_due, list(wanted), every)]


async def record(connection: Connection, address: str, low: bool) -> bool:
    """Record whether the relayer's gas balance is low. Returns whether that changed; only one of several workers gets
    True.
    """
    return await connection.fetchval(sql.record_low, address, low) is not None
