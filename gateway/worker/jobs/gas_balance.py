"""Report when a relayer's gas balance runs low, well before payments have to wait for it, and when it is filled
again.
"""

import logging

from gateway.chain.relayer import gas_balance, relayers
from gateway.chain.relayer.relayers import Relayer
from gateway.events import log as events
from gateway.events.log import Event
from gateway.money import Money
from gateway.settlement import gas
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)


async def run(worker: Worker) -> bool:
    """Report once that a relayer's gas balance is low, well before it is empty, and once that it no longer is."""
    async with worker.database.one_statement() as connection:
        turn = await gas_balance.take_due(connection, worker.addresses, worker.block_time.rounds(worker.gas_every))
    if not turn:
        return False
    fees, account_states = await worker.node.fees(), await worker.node.account_states(turn)
    async with worker.database.reading() as connection:
        found = await relayers.read(connection, account_states)
    for relayer in found:
        low = gas_balance.is_low(relayer, fees, worker.gas_batches_min)
        if low != relayer.low:
            await _say_low(worker, relayer, low, gas_balance.payments_left(relayer, fees))
    return False


async def _say_low(worker: Worker, relayer: Relayer, low: bool, payments: int) -> None:
    left = str(Money(max(relayer.left_wei, 0), gas.coin_of(worker.settings.assets)))
    async with worker.database.transaction() as connection:
        new = await gas_balance.record(connection, relayer.address, low)
        if new:
            details = {"relayer": relayer.address, "left": left, "payments": payments}
            event = Event("relayer.low" if low else "relayer.filled", None, None, details)
            await events.append(connection, [event], worker.clock())
    if new and low:
        log.warning(
            "the relayer %s has %s left for gas, enough for about %d payments: send it some",
            relayer.address,
            left,
            payments,
        )
    elif new:
        log.info("the relayer %s has %s for gas again", relayer.address, left)
