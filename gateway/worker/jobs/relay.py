"""Put queued authorizations into a stored chain transaction, and send it.

Each token's queue is formed into batches of one kind, each for the relayer that has the fewest open transactions and
can pay the gas. The chain transaction is stored in the transaction that claims the authorizations, and sent after it.
If a worker is killed in between, nothing is lost: the next worker that sends, sends what is stored first.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

from gateway.chain.block import AccountState, Fees
from gateway.chain.deployment import deploy, roles
from gateway.chain.errors import NoRelayer
from gateway.chain.relayer import batches, gas_balance, outbox, relayers
from gateway.chain.token import eip3009
from gateway.chain.token.contract import Contract
from gateway.chain.token.eip3009 import Authorization
from gateway.chain.watcher import same_chain
from gateway.chain.watcher.cursors import Cursor
from gateway.custody import wallet_keys
from gateway.keys.errors import EncryptedKeyUnreadable
from gateway.keys.signer import Signer
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection
from gateway.reconciliation import recovery
from gateway.settlement import relay
from gateway.worker import intervals
from gateway.worker.traces import Submission
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)


async def run(worker: Worker) -> bool:
    """Form the batches that are due, one of each kind of each token, store each for a relayer, then send it. Raises
    NoRelayer if the queue waits until an operator has acted.
    """
    now = worker.clock()
    async with worker.database.reading() as connection:
        due = await batches.due(connection, now, worker.batch_wait, now - intervals.AFTER_REVERT)
        if not due:
            return False
        chain = await deploy.chain(connection, worker.settings.assets)
    settings = replace(worker.settings, contracts=chain.contracts)
    wanted = [contract for code, contract in settings.contracts.items() if any(one.asset == code for one in due)]
    # All at once: one round trip, however far away the node is.
    _, fees, of_all, allowed = await asyncio.gather(
        _check_chain(worker, chain.cursor),
        worker.node.fees(),
        worker.node.account_states(sorted({*chain.relayers, *worker.addresses})),
        asyncio.gather(*(roles.allowed(worker.node, contract, worker.addresses) for contract in wanted)),
    )
    if not await recovery.may_send(worker.database, worker.node, wanted[0].chain_id, of_all):
        return False
    account_states = [one for one in of_all if one.address in worker.addresses]
    worked, waits = False, list[NoRelayer]()
    for contract, may in zip(wanted, allowed, strict=True):
        for one in () if may.paused else [one for one in due if one.asset == contract.asset.code]:
            try:
                worked |= await _batch(worker, settings, contract, one, account_states, may.of[one.kind], fees)
            except NoRelayer as none:
                waits.append(none)
    if waits and not worked:
        raise waits[0]
    return worked


async def _check_chain(worker: Worker, cursor: Cursor | None) -> None:
    """Raise ChainReplaced if the ledger is of another chain than the node: then nothing is signed."""
    if cursor is not None:
        await same_chain.check_cursor(worker.node, cursor)


async def _batch(
    worker: Worker,
    settings: PaymentSettings,
    contract: Contract,
    due: batches.Due,
    account_states: Sequence[AccountState],
    allowed: Collection[str],
    fees: Fees,
) -> bool:
    now = worker.clock()
    trace = Submission(worker.tracer)

    async def sign(connection: Connection, unsigned: list[Authorization]) -> Sequence[bytes | None]:
        with trace.signing():
            digests = eip3009.digests(contract, unsigned)
            return await _sign(
                worker, connection, [(one.from_address, d) for one, d in zip(unsigned, digests, strict=True)]
            )

    async with worker.database.transaction() as connection:
        # Lock the relayer first: a worker that finds it locked uses another, and none claims what no relayer can carry.
        cost_wei = gas_balance.cost_wei(batches.gas_max(due.count, due.by_contracts), fees)
        relayer = await _relayer(worker, connection, account_states, allowed, cost_wei)
        if relayer is None:
            return False
        batch = await batches.form(connection, contract, due.kind, relayer, fees, sign, now, due.count)
        if batch is None:
            return False
        submitted = await relay.record(connection, settings.assets, settings.settles, batch, now)
    for one, reason in batch.refused:
        about = "authorization %s of %s was not submitted, and its hold is released: %s"
        log.error(about, one.id, one.from_address, reason)
    if batch.transaction is not None:
        await outbox.send_unsent(worker.database, worker.node, relayer.address)
        trace.sent(submitted)
    return True


async def _relayer(
    worker: Worker,
    connection: Connection,
    account_states: Sequence[AccountState],
    allowed: Collection[str],
    cost_wei: int,
) -> Signer | None:
    """Lock the relayer with the fewest open transactions that can carry this. Returns None if all are full or locked.
    Raises NoRelayer if an operator has to act.
    """
    found = await relayers.read(connection, account_states)
    fit = relayers.available([one for one in found if one.address in allowed], cost_wei)
    taken = await relayers.take(connection, fit) if fit else None
    if taken is None:
        reasons = {one.address: relayers.unfit_reason(one, cost_wei) for one in found}
        reasons |= {
            one: "may not: run 'gateway deploy' with the key of the token's admin first in the file"
            for one, why in reasons.items()
            if why is None and one not in allowed
        }
        if all(reasons.values()):
            raise NoRelayer(tuple(f"{address} {why}" for address, why in reasons.items()))
    return next((signer for signer in worker.signers if signer.address == taken), None)


async def _sign(worker: Worker, connection: Connection, digests: list[tuple[str, bytes]]) -> Sequence[bytes | None]:
    """Return a signature for each; None for an address without a key, or whose key cannot be decrypted."""
    try:
        return await wallet_keys.sign(connection, worker.vault, digests)
    except (EncryptedKeyUnreadable, KeyError):
        if len(digests) == 1:
            return [None]
    return [signature for one in digests for signature in await _sign(worker, connection, [one])]
