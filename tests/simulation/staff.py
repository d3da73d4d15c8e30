"""The workers of a day, a step at a time, and what befalls them.

A worker is killed, or not answered, or falls asleep between two things that it does and goes on later, over a world
that has changed: whatever two workers could do to each other side by side, one of them asleep shows.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from gateway.chain.errors import NodeUnavailable, NoRelayer, RelayerStopped
from gateway.postgres.errors import Contended
from gateway.reconciliation.monitor import Schedule
from gateway.worker.jobs import JOBS
from gateway.worker.worker import Worker
from tests.cuts import CutDatabase, CutNode, CutSigner, Fate, Killed
from tests.simulation.view import View
from tests.simulation.world import World

#: What may end a step without anything being wrong: the loop says so and goes on.
EXPECTED = (Killed, NodeUnavailable, NoRelayer, Contended, RelayerStopped)

#: The worker's jobs, and how often each is done for the others.
OFTEN = {
    "relay": 10,
    "watch": 10,
    "resend": 6,
    "reconcile": 3,
    "gas_balance": 1,
    "expire": 1,
    "sweep": 1,
    "checkpoint": 1,
    "recover": 1,
    "webhooks": 1,
    "notifications": 1,
}

JOB_OF = {job.name: job for job in JOBS}

Kind = Literal["killed", "unanswered", "asleep"]
KINDS: tuple[Kind, ...] = ("killed", "unanswered", "asleep")


@dataclass
class Mishap(Fate):
    """What befalls a worker at the `at`-th point where it can, counted from here; 0: nothing does. `only` narrows that
    to what is done there: a commit, a send.
    """

    world: World | None = None
    kind: Kind = "killed"
    at: int = 0
    only: str = ""
    fell_asleep: asyncio.Event = field(default_factory=asyncio.Event)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def before(self, what: str) -> None:
        await self._pass("before", what)

    async def after(self, what: str) -> None:
        await self._pass("after", what)

    def signs(self) -> None:
        if self.kind == "killed" and self._strikes("while", "signing"):
            raise Killed

    async def _pass(self, side: str, what: str) -> None:
        if self.kind == "killed" and self._strikes(side, what):
            raise Killed
        if self.kind == "unanswered" and what != "commit" and self._strikes(side, what):
            raise NodeUnavailable(f"no answer, {side} {what}")
        if self.kind == "asleep" and (side, what) != ("before", "commit") and self._strikes(side, what):
            self.fell_asleep.set()
            await self.woken.wait()  # in no transaction, so that nobody waits for who sleeps

    def _strikes(self, side: str, what: str) -> bool:
        if self.only in ("", what):
            self.at -= 1
        strikes = self.at == 0 and self.only in ("", what)
        if strikes:
            assert self.world is not None
            named = what in ("commit", "send", "signing")
            self.world.saw(f"{self.kind} {f'{side} {what}' if named else 'asking the node'}", f"{side} {what}")
        return strikes


@dataclass
class Hand:
    """One of the workers: the relayers that it has keys for, and the node that it asks."""

    name: str
    worker: Worker
    view: View


@dataclass
class Sleeper:
    hand: Hand
    step: str
    fate: Mishap
    task: "asyncio.Task[bool]"


@dataclass
class Staff:
    """All workers of a day. `looked` is called after each step of theirs."""

    world: World
    looked: Callable[[], Awaitable[None]]
    hands: list[Hand] = field(default_factory=list)
    sleepers: list[Sleeper] = field(default_factory=list)
    handed: dict[str, set[int]] = field(default_factory=dict)  #: The nonces of each relayer that a node was sent.

    def hire(self) -> None:
        """Two or three workers: the first has every relayer's key, the others some."""
        world = self.world
        for n in range(world.rng.randint(2, 3)):
            view = View(world.odd if n == 1 else world.node, self._handed)  # the second asks another node
            relayers = list(world.town.signers)
            if n:
                relayers = sorted(
                    world.rng.sample(relayers, world.rng.randint(1, len(relayers))), key=lambda one: one.address
                )
            # Who sleeps while they look at the ledger loses the turn at once; some look at every wallet each time.
            schedule = Schedule(timedelta(days=world.rng.randint(0, 1)), timedelta(0), timedelta(0))
            worker = replace(world.town.worker(), signers=tuple(relayers), node=view, schedule=schedule)
            self.hands.append(Hand(f"worker {n}", worker, view))
            world.say(f"worker {n} has the relayers {', '.join(one.address[:8] for one in relayers)}")

    async def _handed(self, raw: bytes) -> None:
        """What is sent is stored, to the byte, and all that is below it in its relayer and waits was sent before."""
        world = self.world
        rows = await world.rows(
            "SELECT relayer, nonce FROM attempt JOIN chain_transaction AS t ON t.id = transaction_id WHERE raw = $1",
            raw,
        )
        if not rows:
            raise world.violated("only stored bytes are sent", "0x" + raw.hex())
        relayer, nonce = rows[0]["relayer"], rows[0]["nonce"]
        waiting = await world.rows(
            "SELECT nonce FROM chain_transaction WHERE relayer = $1 AND nonce < $2 AND state = 'stored'", relayer, nonce
        )
        handed = self.handed.setdefault(relayer, set())
        if missing := {row["nonce"] for row in waiting} - handed:
            raise world.violated("a relayer's nonces are sent in order", f"{relayer}: {nonce} before {sorted(missing)}")
        handed.add(nonce)
        world.seen["transactions handed to a node"] += 1

    # ---- steps ------------------------------------------------------------------------------------------------------

    async def work(self, hand: Hand, step: str, fate: Mishap) -> bool:
        """Let a worker do a step. True when there was something to do."""
        worker = replace(
            hand.worker,
            database=CutDatabase(self.world.town.database, fate),
            node=CutNode(hand.view, fate),
            signers=tuple(CutSigner(one, fate) for one in hand.worker.signers),
        )
        self.world.say(f"{hand.name}: {step}")
        task: asyncio.Task[bool] = asyncio.create_task(JOB_OF[step].run(worker))
        asleep = asyncio.create_task(fate.fell_asleep.wait())
        await asyncio.wait({task, asleep}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            self.sleepers.append(Sleeper(hand, step, fate, task))
            return False
        asleep.cancel()
        return await self._ended(hand, step, task)

    async def wake(self, sleeper: Sleeper) -> None:
        """Let a worker that fell asleep go on where it was."""
        self.sleepers.remove(sleeper)
        self.world.saw("woken", f"{sleeper.hand.name}: {sleeper.step}")
        sleeper.fate.woken.set()
        await asyncio.wait({sleeper.task})
        await self._ended(sleeper.hand, sleeper.step, sleeper.task)

    async def _ended(self, hand: Hand, step: str, task: "asyncio.Task[bool]") -> bool:
        try:
            worked = await task
        except EXPECTED as error:
            worked = False
            self.world.say(f"{hand.name}: {step} ended: {type(error).__name__}: {error}")
        except AssertionError:
            raise
        except Exception as error:
            raise self.world.violated("a worker's step ends as its loop expects", f"{step}: {error!r}") from error
        await self.looked()
        return worked

    def calm(self) -> Mishap:
        return Mishap(world=self.world)

    def mishap(self) -> Mishap:
        """Now and then something befalls the worker; mostly nothing does."""
        rng = self.world.rng
        if rng.random() < 0.65:
            return self.calm()
        only = rng.choice(["", "", "commit", "send", "signing"])
        return Mishap(world=self.world, kind=rng.choice(KINDS), at=rng.randint(1, 2 if only else 14), only=only)

    async def some_step(self) -> None:
        rng = self.world.rng
        (step,) = rng.choices(list(OFTEN), list(OFTEN.values()))
        await self.work(rng.choice(self.hands), step, self.mishap())

    async def wake_somebody(self) -> None:
        if self.sleepers:
            await self.wake(self.world.rng.choice(self.sleepers))
