"""Gas balances: what the relayers' gas money still pays for. Looked at regularly, so that somebody is told well before
one is dry.

Everything is reckoned at what would be offered now at most, which has room for the base fee to double, so a relayer
lasts longer than is said rather than shorter.
"""

from collections.abc import Sequence
from datetime import timedelta

from gateway.chain.block import Fees
from gateway.chain.relayer import batches
from gateway.chain.relayer.fee_ceiling import capped
from gateway.chain.relayer.relayers import Relayer
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "gas_balance.sql")

#: What a payment in a full batch uses (contracts/README.md, "Gas").
PAYMENT_GAS = 27_000


def cost_wei(gas: int, fees: Fees) -> int:
    """What a transaction of so much gas may cost at most, when it is offered these fees."""
    return gas * capped(fees).fee_wei_max


def payments_left(relayer: Relayer, fees: Fees) -> int:
    """How many payments in full batches the relayer can pay for."""
    return max(relayer.left_wei, 0) // max(1, cost_wei(PAYMENT_GAS, fees))


def is_low(relayer: Relayer, fees: Fees, batches_least: int) -> bool:
    """Whether the relayer has less than so many full batches may cost. One that was low is so until it has a quarter
    more: fees that go up and down are said once.
    """
    least = batches_least * cost_wei(batches.GAS_MAX, fees)
    return relayer.left_wei < (least + least // 4 if relayer.low else least)


async def turn(connection: Connection, wanted: Sequence[str], every: timedelta) -> list[str]:
    """Which of these relayers it is our turn to look at: nobody has for so long."""
    return [row["address"] for row in await connection.fetch(sql.turn_to_weigh, list(wanted), every)]


async def note(connection: Connection, address: str, low: bool) -> bool:
    """Record whether the relayer's gas balance is low. Returns whether that changed; only one of several workers gets
    True.
    """
    return await connection.fetchval(sql.note_low, address, low) is not None
