"""The loop: claim rows, call the rooms, sleep. No business rule is here.

    relay   queued authorizations ─> a stored ChainTransaction ─> sent
    resend  what is stored and in no block is sent again, as stored; what stays out too long gets a higher fee
    watch   final blocks ─> the book
    expire  holds past their time ─> given back

Each step is one PostgreSQL transaction with the network before or after it, never inside, so a worker may be killed
between any two and any number of workers may run: rows are claimed, the cursor is compared and set.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.chain import authorization, batches, lanes, watch
from gateway.chain.authorization import Authorization
from gateway.chain.contract import Contract, as_int, paused_data
from gateway.chain.node import Node
from gateway.chain.signer import Signer, Vault
from gateway.clock import Clock
from gateway.errors import LaneStopped
from gateway.payments import finish, relay, settle
from gateway.payments.terms import Terms
from gateway.postgres import Connection, Database
from gateway.wallets import custody

log = logging.getLogger(__name__)

#: A ChainTransaction that is in no block after so long gets another attempt, with higher fees.
_PATIENCE = timedelta(seconds=30)

#: After a batch that reverted, no further one of that token is formed for so long: each costs gas for nothing.
_AFTER_REVERT = timedelta(seconds=60)

#: How many stored transactions of a lane may wait for their block; more authorizations then wait in the queue.
_OPEN_MAX = 16


@dataclass(frozen=True, slots=True)
class Worker:
    """What the steps need; built once, by hand, in `__main__`. `finality` as in the configuration."""

    database: Database
    node: Node
    terms: Terms
    vault: Vault
    signer: Signer
    finality: int | None
    clock: Clock

    # Each step returns whether there was something to do, so that the loop asks again at once.

    async def relay(self) -> bool:
        """Form a batch of each kind of each token, store it, then send it."""
        worked = False
        for contract in self.terms.contracts.values():
            async with self.database.reading() as connection:
                queued = await authorization.queued_count(connection, contract.asset.code)
                waiting = await lanes.open_attempts(connection, self.signer.address) if queued else []
                stuck = await lanes.reverted_since(connection, contract.asset.code, self.clock() - _AFTER_REVERT)
            if queued and not stuck and len(waiting) < _OPEN_MAX and not await self._paused(contract):
                worked |= await self._batch(contract, "settle") | await self._batch(contract, "mint")
        return worked

    async def _paused(self, contract: Contract) -> bool:
        """Whether the token stands still: a batch would revert as a whole, and cost its gas."""
        return as_int(await self.node.call(contract.address, paused_data(), "latest")) == 1

    async def _batch(self, contract: Contract, kind: batches.BatchKind) -> bool:
        fees = await self.node.fees()
        now = self.clock()

        async def sign(connection: Connection, unsigned: list[Authorization]) -> list[bytes]:
            digests = [(one.from_address, authorization.digest(contract, one)) for one in unsigned]
            return await custody.sign(connection, self.vault, digests)

        async with self.database.transaction() as connection:
            batch = await batches.form(connection, contract, kind, self.signer, fees, sign, now)
            if batch is None:
                return False
            if batch.transaction is not None:
                ids = [one.id for one in batch.submitted]
                await relay.submitted(connection, self.terms, ids, batch.transaction.hash, now)
            if batch.refused:
                await settle.refuse(connection, self.terms, batch.refused, "invalid_signature", now)
        if batch.transaction is not None:
            await self.node.send(batch.transaction.raw)
        return True

    async def resend(self) -> bool:
        """Send again, as stored, what is in no block; raise the fee of what has been so for long."""
        async with self.database.reading() as connection:
            attempts = await lanes.open_attempts(connection, self.signer.address)
        if not attempts:
            return False
        final = await watch.final_block(self.node, self.finality)
        taken = await lanes.overtaken(self.node, self.signer.address, attempts, final.number) if final else None
        if taken is not None:
            reason = f"its nonce {taken.nonce} was used by a transaction that is not ours"
            async with self.database.transaction() as connection:
                await lanes.stop(connection, self.signer.address, reason)
            raise LaneStopped(self.signer.address, reason)
        complaints = await lanes.send_open(self.node, attempts)
        unmined = {attempt.transaction_id: attempt for attempt, _ in complaints}
        for attempt in list(unmined.values())[:1]:
            if attempt.created_at + _PATIENCE < self.clock():
                fees = await self.node.fees()
                async with self.database.transaction() as connection:
                    await lanes.bump(connection, self.signer, attempt.transaction_id, fees, self.clock())
        return False

    async def watch(self) -> bool:
        """Read the next final blocks and write what they say into the book."""
        contracts = list(self.terms.contracts.values())
        if not contracts:
            return False
        async with self.database.reading() as connection:
            cursor = await watch.cursor(connection, contracts[0].chain_id)
            attempts = await lanes.open_attempts(connection, self.signer.address)
        if cursor is None:
            return False
        span = await watch.read(self.node, contracts, cursor, self.finality, [one.hash for one in attempts])
        if span is None:
            return False
        async with self.database.transaction() as connection:
            await settle.settle(connection, self.terms, cursor, span, self.clock())
        return True

    async def expire(self) -> bool:
        """Give back the money of holds past their time."""
        async with self.database.transaction() as connection:
            return await finish.expire_due(connection, self.terms, self.clock()) > 0


#: Each step and how long it sleeps when it found nothing to do, in seconds.
STEPS: tuple[tuple[str, float], ...] = (("relay", 0.05), ("watch", 0.1), ("resend", 2.0), ("expire", 1.0))

#: How long a step that failed sleeps before it is tried again, in seconds.
_AFTER_FAILURE = 1.0


async def run(worker: Worker, stop: asyncio.Event) -> None:
    """Run every step over and over, side by side, until `stop` is set; each ends between two of its transactions."""
    steps = [_loop(name, getattr(worker, name), pause, stop) for name, pause in STEPS]
    await asyncio.gather(*steps)


async def _loop(name: str, step: Callable[[], Awaitable[bool]], pause: float, stop: asyncio.Event) -> None:
    told = ""
    while not stop.is_set():
        try:
            worked = await step()
            wait, told = (0.0 if worked else pause), ""
        except Exception as error:  # noqa: BLE001 - the one place that records whatever failed and goes on
            if str(error) != told:
                log.warning("%s: %s: %s", name, type(error).__name__, error)
            wait, told = _AFTER_FAILURE, str(error)
        if wait:
            await _until(stop, wait)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not beyond the moment when `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
