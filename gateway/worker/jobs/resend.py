"""Maintain the relayers: send unmined transactions again, raise their fee, stop a relayer whose nonce others have used.

Transactions are sent again as stored, to the byte. The fee is raised for the first unmined transaction, because all
later ones wait for it.
"""

import asyncio
import logging
from collections.abc import Sequence

from gateway.chain.block import Block
from gateway.chain.errors import NodeRefused
from gateway.chain.relayer import fee_bump, nonce_conflicts, outbox, relayers
from gateway.chain.relayer.relayers import Attempt, Relayer
from gateway.chain.watcher import final_block
from gateway.events import log as events
from gateway.events.log import Event
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)


async def run(worker: Worker) -> bool:
    """Maintain the relayers that are due, side by side: a failure of one does not stop the others."""
    async with worker.database.one_statement() as connection:
        turn = await relayers.take_due(connection, worker.addresses, worker.block_time.rounds(worker.resend_every))
    if not turn:
        return False
    account_states = await worker.node.account_states(turn)
    async with worker.database.reading() as connection:
        found = await relayers.read(connection, account_states)
    final = await final_block.newest(worker.node, worker.finality) if any(one.unfinished for one in found) else None
    if line := worker.finality_wait.line(found, final, worker.finality, worker.clock()):
        log.info(line)
    looks = await asyncio.gather(*(_look_after(worker, one, final) for one in found), return_exceptions=True)
    for failed in looks:
        if failed is not None:
            raise failed
    return False


async def _look_after(worker: Worker, relayer: Relayer, final: Block | None) -> None:
    """Send unmined transactions again, as stored; raise the fee of one that has waited for long."""
    async with worker.database.reading() as connection:
        attempts = await relayers.open_attempts(connection, relayer.address)
    ahead = relayer.next_nonce if relayer.mined > relayer.next_nonce else None
    taken = (
        await nonce_conflicts.overtaken(worker.node, relayer.address, attempts, final.number)
        if attempts and final
        else None
    )
    if taken is not None and not await nonce_conflicts.finds_last_final(worker.database, worker.node, relayer.address):
        taken = None
    nonce = taken.nonce if taken is not None else ahead
    if nonce is not None:
        await _suspect(worker, relayer.address, nonce, attempts, final)
        return
    async with worker.database.one_statement() as connection:
        await nonce_conflicts.trust(connection, relayer.address)
    sent = await outbox.send_open(worker.database, worker.node, attempts) if attempts else outbox.Sent([])
    if relayer.refused is not None and sent.refusal is None:
        await outbox.clear_refusal(worker.database, relayer.address)
    if unmined := sent.attempts:
        await _bump(worker, relayer.address, [attempt for attempt in unmined if attempt.nonce == unmined[0].nonce][-1])


async def _suspect(worker: Worker, address: str, nonce: int, attempts: Sequence[Attempt], final: Block | None) -> None:
    """Stop the relayer once the same nonce was seen as taken for long enough; the other relayers continue."""
    now = worker.clock()
    async with worker.database.one_statement() as connection:
        if not await nonce_conflicts.suspect(connection, address, nonce, now):
            return
    unmined = nonce_conflicts.unmined_of(attempts, (await worker.node.receipts([one.hash for one in attempts])).keys())
    taken_below = await _finally_below(worker, address, final)
    reason = relayers.nonce_taken(nonce)
    async with worker.database.transaction() as connection:
        stopped = await nonce_conflicts.stop(connection, address, reason, unmined, taken_below)
        if stopped:
            details = {"relayer": address, "reason": reason}
            await events.append(connection, [Event("relayer.stopped", None, None, details)], now)
    if stopped:
        what = relayers.what_to_do(address)
        log.error("the relayer %s is stopped: %s. %s; other relayers go on", address, reason, what)


async def _finally_below(worker: Worker, address: str, final: Block | None) -> int:
    """Return the nonce below which all of the relayer's are used for good; 0 if the node cannot say."""
    try:
        return await worker.node.transaction_count(address, final.number) if final else 0
    except NodeRefused:
        return 0


async def _bump(worker: Worker, address: str, newest: Attempt) -> None:
    """If it is time, raise the fee of the first unmined transaction, which the others wait for."""
    head, fees, now = await worker.node.block("latest"), await worker.node.fees(), worker.clock()
    signer = next(one for one in worker.signers if one.address == address)
    if head is not None and fee_bump.wants_bump(newest, head, fees, now):
        async with worker.database.transaction() as connection:
            await fee_bump.bump(connection, signer, newest.transaction_id, fees, now)
