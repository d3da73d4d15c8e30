"""What becomes of a payment: holds, captures, voids, refunds and batches by a key that may pay and refund, no more; and
holds by keys with caps and by sessions, which are of other ledgers.

Each step is as many calls over 64 connections, and plain payments by the same client are what each is measured against.
Of what was held, half is captured by its payer and half voided; what was paid is refunded by its payee.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec

from benchmarks import client
from benchmarks.bench import Bench, Measured
from benchmarks.callers import CAPPED, PLAIN, REFUNDING, SESSION, Caller
from benchmarks.client import Answers, Call
from benchmarks.compare import Row, microseconds_each, number
from benchmarks.rig import Connection, Ledger, Rig, Served
from gateway.ledger import recount

_CONNECTIONS = 64
#: In the order in which they are done.
STEPS = ("plain payments", "payments", "holds", "captures", "voids", "refunds", "batches of 50", "batches of 1,000")
#: Who holds besides.
_HOLDERS = (CAPPED, SESSION)
_BATCH_CONNECTIONS = {50: 8, 1_000: 2}
_STATES = "SELECT state::text, count(*) FROM payment GROUP BY state"


@dataclass(frozen=True)
class Step:
    """One step of one round: how many payments, and what each cost."""

    what: str
    payments: int
    seconds: float
    gateway_cpu_us: float
    postgres_cpu_us: float

    @property
    def rate(self) -> float:
        return self.payments / self.seconds

    @property
    def cpu_us(self) -> float:
        """Of both together, a payment."""
        return self.gateway_cpu_us + self.postgres_cpu_us


@dataclass
class Life:
    """A gateway over a ledger, and what was done in it so far."""

    rig: Rig
    ledger: Ledger
    gateway: Served
    run: int = 0
    states: Counter[str] = field(default_factory=Counter)
    _draw: random.Random = field(default_factory=lambda: random.Random(1))  # nosec B311 # noqa: S311 - as in every run

    async def round(self, calls: int) -> list[Step]:
        """Every step once, of so many calls; of batches, so many payments, but one batch at least. What is refunded is
        what the scoped payments of this round paid, and what is captured and voided is what it held.

        Raises RuntimeError for an answer that is another than it should be.
        """
        draw, handles = self._draw, self.ledger.handles
        pairs = [draw.sample(range(handles), 2) for _ in range(calls)]
        steps = []
        plain, _ = await self._step("plain payments", [self._pay(*pair) for pair in pairs], 201, plain=True)
        paid, ids = await self._step("payments", [self._pay(*pair) for pair in pairs], 201)
        steps += [plain, paid]
        both = pairs + pairs
        holding, held = await self._step("holds", [self._pay(*pair, capture=False) for pair in both], 201)
        ends = [(payer, id) for (payer, _), id in zip(both, held, strict=True)]
        captures = [self._of(payer, id, "capture") for payer, id in ends[:calls]]
        voids = [self._of(payer, id, "void") for payer, id in ends[calls:]]
        captured, _ = await self._step("captures", captures, 200)
        voided, _ = await self._step("voids", voids, 200)
        refunds = [self._of(payee, id, "refund") for (_, payee), id in zip(pairs, ids, strict=True)]
        refunded, _ = await self._step("refunds", refunds, 201)
        steps += [holding, captured, voided, refunded]
        for lines in _BATCH_CONNECTIONS:
            batches = [self._batch(lines) for _ in range(max(calls // lines, 1))]
            steps.append((await self._step(f"batches of {lines:,}", batches, 200, lines))[0])
        self.states["settled"] += sum(one.payments for one in steps if one.what not in ("holds", "voids"))
        self.states["voided"] += voided.payments
        return steps

    async def holds(self, calls: int) -> Step:
        """So many holds by the ledger's callers, which nobody ends."""
        self.run += 1
        run = f"life{self.run}"
        if self.ledger.caller.session:
            await self.rig.sign_in(self.ledger, run)
        pairs = [self._draw.sample(range(self.ledger.handles), 2) for _ in range(calls)]
        holds = [self._pay(*pair, capture=False) for pair in pairs]
        step, _ = await self._step(_holds_by(self.ledger.caller), holds, 201, sign_in=run)
        self.states["held"] += step.payments
        return step

    async def faults(self) -> list[str]:
        """What is wrong with the ledger after all rounds: the gateway's own recount, and payments in other states."""
        async with self.rig.connected(self.ledger.name) as connection:
            there = await _states(connection)
            found = [f"{fault.claim}: {fault.where}" for fault in await recount.recount(connection)]
        if there != self.states:
            found.append(f"payments are {there} and should be {dict(self.states)}")
        return found

    async def _step(
        self, what: str, calls: list[Call], status: int, lines: int = 1, plain: bool = False, sign_in: str = ""
    ) -> tuple[Step, list[str]]:
        header = (PLAIN if plain else self.ledger.caller).header(self.gateway.origin, sign_in)
        connections = _BATCH_CONNECTIONS.get(lines, _CONNECTIONS)
        before = self.rig.cpu({self.gateway.child.pid})
        answers = await client.send(self.gateway.url, header, calls, connections)
        gateway, postgres, _ = (
            now - then for now, then in zip(self.rig.cpu({self.gateway.child.pid}), before, strict=True)
        )
        _check(what, answers, status, lines)
        payments = len(calls) * lines
        step = Step(
            what, payments, answers.seconds, microseconds_each(gateway, payments), microseconds_each(postgres, payments)
        )
        print(
            f"  {what:20} {number(step.rate):>8}/s  CPU µs each: gateway {step.gateway_cpu_us:4.0f}, "
            f"PostgreSQL {step.postgres_cpu_us:4.0f}",
            flush=True,
        )
        return step, answers.ids() if lines == 1 else []

    def _pay(self, payer: int, payee: int, capture: bool = True) -> Call:
        asked = {"to": f"@h{payee:07}", "amount": f"0.{self._draw.randint(1, 20):02}", "asset": "EUR"}
        return self._call("/v1/payments", payer, asked if capture else asked | {"capture": False})

    def _of(self, caller: int, id: str, end: str) -> Call:
        return self._call(f"/v1/payments/{id}/{end}", caller, {})

    def _batch(self, lines: int) -> Call:
        payer, *payees = self._draw.sample(range(self.ledger.handles), min(lines, self.ledger.handles - 1) + 1)
        paid = [payees[n % len(payees)] for n in range(lines)]
        asked = [{"to": f"@h{one:07}", "amount": f"0.{self._draw.randint(1, 20):02}", "asset": "EUR"} for one in paid]
        return self._call("/v1/payments/batch", payer, asked)

    def _call(self, path: str, caller: int, asked: object) -> Call:
        self.run += 1
        return Call(path, caller, f"life-{self.run}", msgspec.json.encode(asked))


async def lifecycle(bench: Bench) -> Measured:
    """Holds, captures, voids, refunds and batches, per payment, over plain payments; holds by caller."""
    measured = Measured()
    calls, steps = calls_of(bench), defaultdict[str, list[Step]](list)
    async with AsyncExitStack() as stack:
        life, *others = [await _life(bench, stack, caller) for caller in (REFUNDING, *_HOLDERS)]
        await life.round(max(calls // 4, 1))
        for other in others:
            await other.holds(max(calls // 4, 1))
        for _ in range(bench.rounds):
            for step in [*await life.round(calls), *[await other.holds(calls) for other in others]]:
                steps[step.what].append(step)
        measured.rows += rows(steps)
        for one in (life, *others):
            faults = await one.faults()
            print(f"  {one.ledger.name} after it: {'; '.join(faults) or 'right'}", flush=True)
            measured.faults += faults
    for one in (life, *others):
        await bench.rig.drop_database(one.ledger.name)
    return measured


async def _life(bench: Bench, stack: AsyncExitStack, caller: Caller) -> Life:
    ledger = await bench.fresh(f"lifecycle_{caller.name}", caller)
    return Life(bench.rig, ledger, await stack.enter_async_context(bench.rig.serving(ledger)))


def calls_of(bench: Bench) -> int:
    """How many calls a step is."""
    return max(round(bench.steps * bench.seconds), 1)


def _check(what: str, answers: Answers, status: int, lines: int) -> None:
    """Raises RuntimeError where a call, or a line of a batch, was refused."""
    for text, times in answers.failures(status).items():
        raise RuntimeError(f"{what}: {times} of {len(answers.statuses)} calls were answered {text}")
    if lines > 1:
        missing = sum(lines - body.count(b'"status":201') for body in answers.bodies)
        if missing:
            raise RuntimeError(f"{what}: {missing} lines were not paid")


def rows(steps: Mapping[str, list[Step]]) -> list[Row]:
    """Per payment, over plain payments. A hold that is captured is one payment in two calls: the two are added, too."""
    against = "plain payments"
    made = []
    for what in [what for what in steps if what != against]:
        done, plain = steps[what], steps[against]
        made += [
            Row("lifecycle", what, "/s", tuple(one.rate for one in done), tuple(one.rate for one in plain), against),
            _cpu(what, _totals(done), _totals(plain), against),
        ]
    pairs = zip(_totals(steps["holds"]), _totals(steps["captures"]), strict=True)
    both = tuple(hold + capture for hold, capture in pairs)
    made.append(_cpu("hold and capture", both, _totals(steps[against]), against))
    return made


def _holds_by(caller: Caller) -> str:
    return f"holds, {caller.what}"


def _cpu(what: str, ours: tuple[float, ...], theirs: tuple[float, ...], against: str) -> Row:
    return Row("lifecycle", f"CPU each, {what}", "µs", ours, theirs, against)


def _totals(steps: list[Step]) -> tuple[float, ...]:
    return tuple(one.cpu_us for one in steps)


async def _states(connection: Connection) -> dict[str, int]:
    return {row["state"]: row["count"] for row in await connection.fetch(_STATES)}
