"""The loop: claim rows, call the rooms, sleep. No business rule is here.

    relay   queued authorizations ─> a stored ChainTransaction ─> sent
    resend  what is stored and in no block is sent again, as stored; what stays out too long gets a higher fee; a
            relayer whose nonces others use is stopped
    gas     the relayers' gas money is looked at
    watch   final blocks ─> the book
    recover  where the database is older than the chain: what is read is told; what was given back comes into the book
    solvency  the book is held against the chain and the bank; what differs twice freezes withdrawals of its asset
    expire  holds past their time and freezes that nobody confirmed end; what can be undone no more ─> queued
    bring   tokens that stayed at an address which their wallet has left are to follow it once more
    checkpoint  the new rows of both logs come under a checkpoint

Each step is one PostgreSQL transaction with the network before or after it, never inside, so a worker may be killed
between any two and any number of workers may run: rows are claimed, relayers are taken, the cursor is compared and set.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from gateway.audit import checkpoint
from gateway.audit.row import LEAF
from gateway.bank import movements
from gateway.chain.block import AccountState, Block, Fees
from gateway.chain.errors import ChainReplaced, NodeRefused, NodeUnavailable, NoRelayer
from gateway.chain.node import Node
from gateway.chain.relayer import batches, deploy, gas_balance, nonce_conflicts, outbox, relayers, roles
from gateway.chain.relayer.relayers import Attempt, Relayer
from gateway.chain.token import authorization, message
from gateway.chain.token.contract import Contract
from gateway.chain.token.message import Authorization
from gateway.chain.watcher import watch
from gateway.chain.watcher.watch import BlockRange
from gateway.clock import Clock
from gateway.controls import wallet_freeze
from gateway.custody import sweep, wallet_keys
from gateway.errors import GatewayError, Misconfigured
from gateway.events import log as events
from gateway.events.log import Event
from gateway.keys.errors import EncryptedKeyUnreadable
from gateway.keys.signer import Signer
from gateway.keys.vault import Vault
from gateway.money import Money
from gateway.payments import capture_void, undo_window
from gateway.payments.checks import spending
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Connection, Database
from gateway.reconciliation import monitor, recovery
from gateway.reconciliation.monitor import Schedule
from gateway.settlement import final_blocks, gas, relay
from gateway.worker.block_time import BlockTime
from gateway.worker.catch_up import CatchUp, FinalityWait

log = logging.getLogger(__name__)

#: After a batch that reverted, no further one of that token is formed for so long: each costs gas for nothing.
_AFTER_REVERT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Worker:
    """What the steps need; built once, by hand, in `__main__`. `finality` as in the configuration.

    `signers` are the relayers that it has keys for. Of all workers one looks after a relayer, every `resend_every`, and
    at its gas money, every `gas_every`, or less often where blocks are slow; it is low when it is less than
    `gas_batches_least` full batches may cost.
    """

    database: Database
    node: Node
    settings: PaymentSettings
    vault: Vault
    signers: Sequence[Signer]
    finality: int | None
    clock: Clock
    gas_batches_least: int = 10
    batch_wait: timedelta = timedelta()
    resend_every: timedelta = timedelta(seconds=1.5)
    gas_every: timedelta = timedelta(seconds=10)
    schedule: Schedule = monitor.SCHEDULE
    catch_up: CatchUp = field(default_factory=CatchUp)
    finality_wait: FinalityWait = field(default_factory=FinalityWait)
    block_time: BlockTime = field(default_factory=BlockTime)

    # Each step returns whether there was something to do, so that the loop asks again at once.

    async def _settings(self, connection: Connection) -> PaymentSettings:
        """The payment settings with every contract there is now, whenever it was deployed. Raises Misconfigured."""
        return replace(self.settings, contracts=await deploy.all_contracts(connection, self.settings.assets))

    async def relay(self) -> bool:
        """Form what is ripe, a batch of each kind of each token, store it in a relayer, then send it. Raises NoRelayer
        when what is queued waits until somebody does something.
        """
        now = self.clock()
        async with self.database.reading() as connection:
            ripe = await batches.ripe(connection, now, self.batch_wait, now - _AFTER_REVERT)
            if not ripe:
                return False
            chain = await deploy.chain(connection, self.settings.assets)
        settings = replace(self.settings, contracts=chain.contracts)
        chain_id = settings.contracts[ripe[0].asset].chain_id
        if chain.cursor is not None:
            await watch.check_cursor(self.node, chain.cursor)  # nothing is signed over a book of another chain
        fees, of_all = (
            await self.node.fees(),
            await self.node.account_states(sorted({*chain.relayers, *self._addresses})),
        )
        if not await recovery.may_send(self.database, self.node, chain_id, of_all):
            return False
        account_states = [one for one in of_all if one.address in self._addresses]
        worked, waits = False, list[NoRelayer]()
        for contract in settings.contracts.values():
            due = [one for one in ripe if one.asset == contract.asset.code]
            if not due:
                continue
            allowed = await roles.allowed(self.node, contract, self._addresses)
            for one in () if allowed.paused else due:
                try:
                    worked |= await self._batch(settings, contract, one, account_states, allowed.of[one.kind], fees)
                except NoRelayer as none:
                    waits.append(none)
        if waits and not worked:
            raise waits[0]
        return worked

    @property
    def _addresses(self) -> list[str]:
        return [signer.address for signer in self.signers]

    async def _batch(
        self,
        settings: PaymentSettings,
        contract: Contract,
        ripe: batches.Ripe,
        account_states: Sequence[AccountState],
        allowed: Collection[str],
        fees: Fees,
    ) -> bool:
        now = self.clock()

        async def sign(connection: Connection, unsigned: list[Authorization]) -> Sequence[bytes | None]:
            digests = message.digests(contract, unsigned)
            return await self._sign(
                connection, [(one.from_address, d) for one, d in zip(unsigned, digests, strict=True)]
            )

        async with self.database.transaction() as connection:
            # The relayer first: who finds it taken takes another, and nobody claims what no relayer can carry.
            cost_wei = gas_balance.cost_wei(batches.gas_most(ripe.count, ripe.by_contracts), fees)
            relayer = await self._relayer(connection, account_states, allowed, cost_wei)
            if relayer is None:
                return False
            batch = await batches.form(connection, contract, ripe.kind, relayer, fees, sign, now, ripe.count)
            if batch is None:
                return False
            await relay.formed(connection, settings.assets, settings.settles, batch, now)
        for one, reason in batch.refused:
            log.error(
                "authorization %s of %s was not sent, and its money given back: %s", one.id, one.from_address, reason
            )
        if batch.transaction is not None:
            await outbox.send_unsent(self.database, self.node, relayer.address)
        return True

    async def _relayer(
        self, connection: Connection, account_states: Sequence[AccountState], allowed: Collection[str], cost_wei: int
    ) -> Signer | None:
        """Take the relayer with least open that can carry this. None where all are full or taken; raises NoRelayer
        where that does not pass by itself.
        """
        found = await relayers.read(connection, account_states)
        fit = relayers.in_turn([one for one in found if one.address in allowed], cost_wei)
        taken = await relayers.take(connection, fit) if fit else None
        if taken is None:
            reasons = {one.address: relayers.unfit(one, cost_wei) for one in found}
            reasons |= {
                one: "may not: run 'gateway deploy' with the key of the token's admin first in the file"
                for one, why in reasons.items()
                if why is None and one not in allowed
            }
            if all(reasons.values()):
                raise NoRelayer(tuple(f"{address} {why}" for address, why in reasons.items()))
        return next((signer for signer in self.signers if signer.address == taken), None)

    async def _sign(self, connection: Connection, digests: list[tuple[str, bytes]]) -> Sequence[bytes | None]:
        """A signature for each; None for an address without a key, or with one that cannot be decrypted, alone."""
        try:
            return await wallet_keys.sign(connection, self.vault, digests)
        except (EncryptedKeyUnreadable, KeyError):
            if len(digests) == 1:
                return [None]
        return [signature for one in digests for signature in await self._sign(connection, [one])]

    async def resend(self) -> bool:
        """Look after the relayers whose turn it is, side by side: what fails in one does not keep the others."""
        async with self.database.one_statement() as connection:
            turn = await relayers.turn(connection, self._addresses, self.block_time.rounds(self.resend_every))
        if not turn:
            return False
        account_states = await self.node.account_states(turn)
        async with self.database.reading() as connection:
            found = await relayers.read(connection, account_states)
        final = await watch.final_block(self.node, self.finality) if any(one.unfinished for one in found) else None
        if line := self.finality_wait.line(found, final, self.finality, self.clock()):
            log.info(line)
        looks = await asyncio.gather(*(self._look_after(one, final) for one in found), return_exceptions=True)
        for failed in looks:
            if failed is not None:
                raise failed
        return False

    async def _look_after(self, relayer: Relayer, final: Block | None) -> None:
        """Send again, as stored, what is in no block; raise the fee of what has been so for long."""
        async with self.database.reading() as connection:
            attempts = await relayers.open_attempts(connection, relayer.address)
        ahead = relayer.next_nonce if relayer.mined > relayer.next_nonce else None
        taken = (
            await nonce_conflicts.overtaken(self.node, relayer.address, attempts, final.number)
            if attempts and final
            else None
        )
        if taken is not None and not await nonce_conflicts.finds_ours(self.database, self.node, relayer.address):
            taken = None
        nonce = taken.nonce if taken is not None else ahead
        if nonce is not None:
            await self._suspect(relayer.address, nonce, attempts, final)
            return
        async with self.database.one_statement() as connection:
            await nonce_conflicts.trust(connection, relayer.address)
        sent = await outbox.send_open(self.database, self.node, attempts) if attempts else outbox.Sent([])
        if relayer.refused is not None and sent.refusal is None:
            await outbox.taken_again(self.database, relayer.address)
        if unmined := sent.attempts:
            await self._bump(relayer.address, [attempt for attempt in unmined if attempt.nonce == unmined[0].nonce][-1])

    async def _suspect(self, address: str, nonce: int, attempts: Sequence[Attempt], final: Block | None) -> None:
        """Stop the relayer once the same nonce was seen to be somebody else's for long enough; the others go on."""
        now = self.clock()
        async with self.database.one_statement() as connection:
            if not await nonce_conflicts.suspect(connection, address, nonce, now):
                return
        unmined = nonce_conflicts.unmined_of(
            attempts, (await self.node.receipts([one.hash for one in attempts])).keys()
        )
        taken_below = await self._finally_below(address, final)
        reason = relayers.nonce_taken(nonce)
        async with self.database.transaction() as connection:
            stopped = await nonce_conflicts.stop(connection, address, reason, unmined, taken_below)
            if stopped:
                facts = {"relayer": address, "reason": reason}
                await events.append(connection, [Event("relayer.stopped", None, None, facts)], now)
        if stopped:
            what = relayers.what_to_do(address)
            log.error("the relayer %s is stopped: %s. %s; other relayers go on", address, reason, what)

    async def _finally_below(self, address: str, final: Block | None) -> int:
        """Below which nonce all of the relayer's are used for good; 0 where the node cannot say so."""
        try:
            return await self.node.transaction_count(address, final.number) if final else 0
        except NodeRefused:
            return 0

    async def _bump(self, address: str, newest: Attempt) -> None:
        """Where it is time, offer more for the first transaction that is in no block, on which the others wait."""
        head, fees, now = await self.node.block("latest"), await self.node.fees(), self.clock()
        signer = next(one for one in self.signers if one.address == address)
        if head is not None and relayers.wants_bump(newest, head, fees, now):
            async with self.database.transaction() as connection:
                await relayers.bump(connection, signer, newest.transaction_id, fees, now)

    async def gas_balance(self) -> bool:
        """Say once that a relayer's gas money runs out, well before it has; and once that it does no more."""
        async with self.database.one_statement() as connection:
            turn = await gas_balance.turn(connection, self._addresses, self.block_time.rounds(self.gas_every))
        if not turn:
            return False
        fees, account_states = await self.node.fees(), await self.node.account_states(turn)
        async with self.database.reading() as connection:
            found = await relayers.read(connection, account_states)
        for relayer in found:
            low = gas_balance.is_low(relayer, fees, self.gas_batches_least)
            if low != relayer.low:
                await self._say_low(relayer, low, gas_balance.payments_left(relayer, fees))
        return False

    async def _say_low(self, relayer: Relayer, low: bool, payments: int) -> None:
        left = str(Money(max(relayer.left_wei, 0), gas.coin_of(self.settings.assets)))
        async with self.database.transaction() as connection:
            new = await gas_balance.note(connection, relayer.address, low)
            if new:
                facts = {"relayer": relayer.address, "left": left, "payments": payments}
                event = Event("relayer.low" if low else "relayer.filled", None, None, facts)
                await events.append(connection, [event], self.clock())
        if new and low:
            log.warning(
                "the relayer %s has %s left for gas, enough for about %d payments: send it some",
                relayer.address,
                left,
                payments,
            )
        elif new:
            log.info("the relayer %s has %s for gas again", relayer.address, left)

    async def watch(self) -> bool:
        """Read the next final blocks and write what they say into the book."""
        async with self.database.reading() as connection:
            chain = await deploy.chain(connection, self.settings.assets)
            settings, cursor = replace(self.settings, contracts=chain.contracts), chain.cursor
            contracts = list(settings.contracts.values())
            hashes = await relayers.open_hashes(connection, contracts[0].chain_id, self.clock()) if contracts else {}
        if cursor is None or not self.block_time.due(awaited=bool(hashes)):
            return False
        block_range = await watch.read(self.node, contracts, cursor, self.finality, hashes)
        if block_range is None:
            return False
        self.block_time.came(block_range.last.number - cursor.number, block_range.last.timestamp - cursor.timestamp)
        if not block_range.newest:
            self.block_time.at_once()
        used = await self._used(settings, block_range) if block_range.newest else {}
        unknown = await recovery.unknown(self.database, self.node, settings, block_range.movements)
        async with self.database.transaction() as connection:
            written = await final_blocks.settle(
                connection, settings.assets, settings.settles, cursor, block_range, used, self.clock()
            )
            if written:
                await recovery.note(connection, settings, block_range, unknown, self.clock())
        line = self.catch_up.line(block_range, self.clock()) if written else None
        if line:
            log.info(line)
        return True

    async def _used(self, settings: PaymentSettings, block_range: BlockRange) -> dict[UUID, bool]:
        """What the contracts say of authorizations whose time is over. Of a block that is not new, or after it was
        started again, a node may not know: then they wait for a later block range, and what this one has is written.
        """
        async with self.database.reading() as connection:
            overdue = await authorization.overdue(connection, block_range.assets, block_range.last.timestamp)
        try:
            return await authorization.used(self.node, settings.contracts, overdue, block_range.last.number)
        except NodeUnavailable as unknown:
            log.warning("%d authorizations whose time is over wait: %s", len(overdue), unknown)
            return {}

    async def recover(self) -> bool:
        """In recovery, say when all is read; afterwards, bring in what lies at the addresses that were given back."""
        async with self.database.reading() as connection:
            settings = await self._settings(connection)
        read = await recovery.read_up(self.database, self.node, self.clock())
        return await recovery.open_returned(self.database, self.node, settings, self.clock()) > 0 or read

    async def solvency(self) -> bool:
        """Hold the book against the chain and the bank, where it is our turn."""
        async with self.database.reading() as connection:
            settings = await self._settings(connection)
        confirmed = await monitor.reconcile(
            self.database, self.node, settings, movements.reconcile, self.schedule, self.clock
        )
        for one in confirmed:
            log.error(
                "%s: withdrawals of %s are frozen. Find out why, put it right, then run "
                "'gateway withdrawals unfreeze %s'",
                *(one, one.asset.code, one.asset.code),
            )
        return False

    async def expire(self) -> bool:
        """Give back the money of holds past their time, queue what can be undone no more, and delete what no limit
        counts any more.
        """
        async with self.database.transaction() as connection:
            expired = await capture_void.expire_due(connection, self.settings, self.clock())
        async with self.database.transaction() as connection:
            expired += await capture_void.expire_unsigned(connection, self.settings, self.clock())
        async with self.database.transaction() as connection:
            expired += await wallet_freeze.lapse(connection, self.clock())
        async with self.database.transaction() as connection:
            expired += await undo_window.send_due(connection, await self._settings(connection), self.clock())
        async with self.database.transaction() as connection:
            expired += await spending.forget(connection, self.clock())
        return expired > 0

    async def bring(self) -> bool:
        """Try again what was to follow its wallet to another address and came to nothing."""
        async with self.database.reading() as connection:
            settings = await self._settings(connection)
        return await sweep.bring(self.database, self.node, settings, self.clock()) > 0

    async def checkpoint(self) -> bool:
        """Write a checkpoint over the next rows of both logs. The first of an hour is logged: a head that was noted
        shows later whether checkpoints were removed.
        """
        now = self.clock()
        async with self.database.transaction() as connection:
            last = await checkpoint.head(connection)
            key = await wallet_keys.checkpoint_key(connection, self.vault, now)
            written = await checkpoint.write(connection, key, now)
        if written is None:
            return False
        if last is None or last.at.replace(minute=0, second=0, microsecond=0) + _HEAD_EVERY <= now:
            log.info("the newest checkpoint of the logs is %s", written.head)
        return any(len(part.leaves) == checkpoint.MOST * LEAF for part in written.parts.values())


#: Each step and how long it sleeps when it found nothing to do, in seconds.
STEPS: tuple[tuple[str, float], ...] = (
    ("relay", 0.05),
    ("watch", 0.1),
    ("recover", 1.0),
    ("solvency", 1.0),
    ("resend", 2.0),
    ("gas_balance", 5.0),
    ("expire", 1.0),
    ("bring", 1.0),
    ("checkpoint", 1.0),
)

#: How long a step that failed sleeps before it is tried again, in seconds.
_AFTER_FAILURE = 1.0


#: How often the newest checkpoint is logged.
_HEAD_EVERY = timedelta(hours=1)

#: A line that is still true is said again after so long.
_SAY_AGAIN = timedelta(minutes=5)

#: What a worker cannot go on after: it ends, so that nothing more is signed, and a person sees why.
_FATAL = (ChainReplaced, Misconfigured)


async def run(worker: Worker, stop: asyncio.Event) -> None:
    """Run every step over and over, side by side, until `stop` is set; each ends between two of its transactions.

    Raises ChainReplaced or Misconfigured, with every step ended at once, wherever it is.
    """
    away: dict[str, datetime] = {}
    steps = [asyncio.create_task(_loop(worker, name, pause, stop, away), name=name) for name, pause in STEPS]
    try:
        await asyncio.gather(*steps)
    finally:
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)


async def _loop(worker: Worker, name: str, pause: float, stop: asyncio.Event, away: dict[str, datetime]) -> None:
    """Run one step. `away` is what all of them have said of the database: it is away for one as for the other."""
    step: Callable[[], Awaitable[bool]] = getattr(worker, name)
    said: dict[str, datetime] = {}
    while not stop.is_set():
        try:
            wait = 0.0 if await step() else pause
        except _FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - the one place that records whatever failed and goes on
            if isinstance(error, DatabaseUnavailable):
                _say("every step", error, away, worker.clock())
            else:
                _say(name, error, said, worker.clock())
            wait = _AFTER_FAILURE
        if wait:
            await _until(stop, wait)


def _say(step: str, error: Exception, said: dict[str, datetime], now: datetime) -> None:
    """Log what failed, unless the same was said lately. What is none of our own refusals is shown with where it was."""
    line = f"{step}: {error}" if isinstance(error, GatewayError) else f"{step}: {type(error).__name__}: {error}"
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
