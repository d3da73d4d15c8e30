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
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from gateway.chain import authorization, batches, deploy, lanes, watch
from gateway.chain.authorization import Authorization
from gateway.chain.contract import Contract, as_int, paused_data
from gateway.chain.lanes import Attempt
from gateway.chain.node import Node
from gateway.chain.signer import Signer, Vault
from gateway.chain.watch import Span
from gateway.clock import Clock
from gateway.errors import (
    ChainReplaced,
    GatewayError,
    LaneStopped,
    Misconfigured,
    NodeUnavailable,
    SealedKeyUnreadable,
)
from gateway.payments import finish, relay, settle
from gateway.payments.terms import Terms
from gateway.postgres import Connection, Database
from gateway.wallets import custody

log = logging.getLogger(__name__)

#: After a batch that reverted, no further one of that token is formed for so long: each costs gas for nothing.
_AFTER_REVERT = timedelta(seconds=60)

#: How many transactions of a lane may be in no block yet; more authorizations then wait in the queue.
_OPEN_MAX = 16

#: A nonce must be seen for so long to be somebody else's before the lane is stopped: the backends of a hosted node may
#: be some blocks apart.
_SECOND_LOOK = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Worker:
    """What the steps need; built once, by hand, in `__main__`. `finality` as in the configuration.

    `suspected` has the lane's nonces that seemed to be taken by others, and since when: a first look that a second one
    has to confirm, so it may be forgotten with the process.
    """

    database: Database
    node: Node
    terms: Terms
    vault: Vault
    signer: Signer
    finality: int | None
    clock: Clock
    suspected: dict[int, datetime] = field(default_factory=dict)

    # Each step returns whether there was something to do, so that the loop asks again at once.

    async def _terms(self, connection: Connection) -> Terms:
        """The terms with every contract that there is now, whenever it was deployed. Raises Misconfigured."""
        return replace(self.terms, contracts=await deploy.all_contracts(connection, self.terms.assets))

    async def relay(self) -> bool:
        """Form a batch of each kind of each token, store it, then send it."""
        async with self.database.reading() as connection:
            terms = await self._terms(connection)
            queued = [one for one in terms.contracts.values() if await self._may_batch(connection, one)]
            if not queued:
                return False
            cursor = await watch.cursor(connection, queued[0].chain_id)
            next_nonce = await lanes.next_nonce(connection, self.signer.address)
        if cursor is not None:
            await watch.check_cursor(self.node, cursor)  # nothing is signed over a book of another chain
        in_no_block = next_nonce - await self.node.transaction_count(self.signer.address, "latest")
        worked = False
        for contract in queued:
            if in_no_block < _OPEN_MAX and not await self._paused(contract):
                worked |= await self._batch(terms, contract, "settle") | await self._batch(terms, contract, "mint")
        return worked

    async def _may_batch(self, connection: Connection, contract: Contract) -> bool:
        asset, now = contract.asset.code, self.clock()
        return await authorization.any_queued(connection, asset, now) and not await lanes.reverted_since(
            connection, asset, now - _AFTER_REVERT
        )

    async def _paused(self, contract: Contract) -> bool:
        """Whether the token stands still: a batch would revert as a whole, and cost its gas."""
        return as_int(await self.node.call(contract.address, paused_data(), "latest")) == 1

    async def _batch(self, terms: Terms, contract: Contract, kind: batches.BatchKind) -> bool:
        fees = await self.node.fees()
        now = self.clock()

        async def sign(connection: Connection, unsigned: list[Authorization]) -> Sequence[bytes | None]:
            digests = [(one.from_address, authorization.digest(contract, one)) for one in unsigned]
            return await self._sign(connection, digests)

        async with self.database.transaction() as connection:
            batch = await batches.form(connection, contract, kind, self.signer, fees, sign, now)
            if batch is None:
                return False
            await relay.formed(connection, terms, batch, now)
        for one, reason in batch.refused:
            log.error(
                "authorization %s of %s was not sent, and its money given back: %s", one.id, one.from_address, reason
            )
        if batch.transaction is not None:
            await self.node.send(batch.transaction.raw)
        return True

    async def _sign(self, connection: Connection, digests: list[tuple[str, bytes]]) -> Sequence[bytes | None]:
        """A signature for each; None for an address without a key, or with one that does not open, alone."""
        try:
            return await custody.sign(connection, self.vault, digests)
        except (SealedKeyUnreadable, KeyError):
            if len(digests) == 1:
                return [None]
        return [signature for one in digests for signature in await self._sign(connection, [one])]

    async def resend(self) -> bool:
        """Send again, as stored, what is in no block; raise the fee of what has been so for long."""
        async with self.database.reading() as connection:
            attempts = await lanes.open_attempts(connection, self.signer.address)
        final = await watch.final_block(self.node, self.finality) if attempts else None
        taken = await lanes.overtaken(self.node, self.signer.address, attempts, final.number) if final else None
        if taken is not None:
            await self._suspect(taken)
            return False
        self.suspected.clear()
        unmined = await lanes.send_open(self.database, self.node, attempts) if attempts else []
        if unmined:
            await self._bump([attempt for attempt in unmined if attempt.nonce == unmined[0].nonce][-1])
        return False

    async def _suspect(self, taken: Attempt) -> None:
        """Stop the lane once the same nonce has been seen to be somebody else's for long enough."""
        since = self.suspected.setdefault(taken.nonce, self.clock())
        if self.clock() - since < _SECOND_LOOK:
            return
        reason = f"its nonce {taken.nonce} was used by a transaction that is not ours"
        async with self.database.transaction() as connection:
            await lanes.stop(connection, self.signer.address, reason)
        raise LaneStopped(self.signer.address, reason)

    async def _bump(self, newest: Attempt) -> None:
        """Where it is time, offer more for the first transaction that is in no block, on which the others wait."""
        head, fees, now = await self.node.block("latest"), await self.node.fees(), self.clock()
        if head is not None and lanes.wants_bump(newest, head, fees, now):
            async with self.database.transaction() as connection:
                await lanes.bump(connection, self.signer, newest.transaction_id, fees, now)

    async def watch(self) -> bool:
        """Read the next final blocks and write what they say into the book."""
        async with self.database.reading() as connection:
            terms = await self._terms(connection)
            contracts = list(terms.contracts.values())
            cursor = await watch.cursor(connection, contracts[0].chain_id) if contracts else None
            hashes = await lanes.open_hashes(connection, self.signer.address)
        if cursor is None:
            return False
        span = await watch.read(self.node, contracts, cursor, self.finality, hashes)
        if span is None:
            return False
        used = await self._used(terms, span) if span.newest else {}
        async with self.database.transaction() as connection:
            await settle.settle(connection, terms, cursor, span, used, self.clock())
        return True

    async def _used(self, terms: Terms, span: Span) -> dict[UUID, bool]:
        """What the contracts say of authorizations whose time is over. Of a block that is not new, or after it was
        started again, a node may not know: then they wait for a later span, and what this one has is written.
        """
        async with self.database.reading() as connection:
            overdue = await authorization.overdue(connection, span.assets, span.last.timestamp)
        try:
            return await authorization.used(self.node, terms.contracts, overdue, span.last.number)
        except NodeUnavailable as unknown:
            log.warning("%d authorizations whose time is over wait: %s", len(overdue), unknown)
            return {}

    async def expire(self) -> bool:
        """Give back the money of holds past their time."""
        async with self.database.transaction() as connection:
            return await finish.expire_due(connection, self.terms, self.clock()) > 0


#: Each step and how long it sleeps when it found nothing to do, in seconds.
STEPS: tuple[tuple[str, float], ...] = (("relay", 0.05), ("watch", 0.1), ("resend", 2.0), ("expire", 1.0))

#: How long a step that failed sleeps before it is tried again, in seconds.
_AFTER_FAILURE = 1.0


#: A line that is still true is said again after so long.
_SAY_AGAIN = timedelta(minutes=5)

#: What a worker cannot go on after: it ends, so that nothing more is signed, and a person sees why.
_FATAL = (ChainReplaced, Misconfigured)


async def run(worker: Worker, stop: asyncio.Event) -> None:
    """Run every step over and over, side by side, until `stop` is set; each ends between two of its transactions.

    Raises ChainReplaced or Misconfigured, with every step ended at once, wherever it is.
    """
    steps = [asyncio.create_task(_loop(worker, name, pause, stop), name=name) for name, pause in STEPS]
    try:
        await asyncio.gather(*steps)
    finally:
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)


async def _loop(worker: Worker, name: str, pause: float, stop: asyncio.Event) -> None:
    step: Callable[[], Awaitable[bool]] = getattr(worker, name)
    said: dict[str, datetime] = {}
    while not stop.is_set():
        try:
            wait = 0.0 if await step() else pause
        except _FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - the one place that records whatever failed and goes on
            _say(name, error, said, worker.clock())
            wait = _AFTER_FAILURE
        if wait:
            await _until(stop, wait)


def _say(step: str, error: Exception, said: dict[str, datetime], now: datetime) -> None:
    """Log what failed, unless the same was said lately. What is none of our own refusals is shown with where it was."""
    line = f"{step}: {type(error).__name__}: {error}"
    for old in [old for old, at in said.items() if now - at >= _SAY_AGAIN]:
        del said[old]
    if line not in said:
        said[line] = now
        if isinstance(error, GatewayError):
            log.warning(line)
        else:
            log.error(line, exc_info=error)


async def _until(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not beyond the moment when `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
