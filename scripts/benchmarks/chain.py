"""The chain rail: token payments from their requests to the ledger, against the same chain without a gateway."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from statistics import median

import httpx

from benchmarks import callers, machine, tokens
from benchmarks.bare import bare
from benchmarks.bench import Bench, Measured, told
from benchmarks.callers import PLAIN, Caller
from benchmarks.compare import Row, Target, number
from benchmarks.legs import Leg
from benchmarks.rig import Connection, Ledger, Rig, Served
from gateway import assembly
from gateway.assembly import Places
from gateway.chain.node import HttpNode
from gateway.embedded.anvil import Anvil
from gateway.embedded.children import Child

HANDLES = 1_000
BLOCK_SECONDS = 0.5
_CONNECTIONS = 64
_BATCHES = 20  #: Signed before, in each round.
_LONE = 4  #: Payments that are alone, in each round.
_LOOK_SECONDS = 0.01


@dataclass
class Spent:
    """Processor time of each part per payment, in microseconds, and the gas of the fullest batch."""

    worker: list[float] = field(default_factory=list)
    anvil: list[float] = field(default_factory=list)
    gas: list[float] = field(default_factory=list)
    payments: list[int] = field(default_factory=list)  #: In that batch.


@dataclass(frozen=True)
class Setup:
    """A gateway and its worker over one database and one chain."""

    rig: Rig
    ledger: Ledger
    gateway: Served
    worker: Child
    anvil: Anvil
    connection: Connection
    lone_ids: Path

    def cpu(self) -> tuple[float, ...]:
        """Processor seconds so far: of the gateway, PostgreSQL, the worker, anvil."""
        assert self.rig.server.pid is not None
        assert self.anvil.pid is not None
        ours = (self.gateway.child.pid, self.worker.pid, self.anvil.pid)
        gateway, worker, anvil = (machine.cpu_seconds(pid) for pid in ours)
        return gateway, machine.family_cpu_seconds(self.rig.server.pid), worker, anvil


async def chain(bench: Bench) -> Measured:
    """Token payments from request to settled, over web3.py one at a time, and anvil with signed batches."""
    measured, spent = Measured(), Spent()
    one_by_one, before, alone = list[float](), list[float](), list[float]()
    ours: list[Leg] = []
    async with setup_with_tokens(bench.rig, HANDLES) as setup, bare(bench.rig) as beside:
        await beside.signed_before(_BATCHES)
        measured.failures += (await leg_until_settled(setup, bench.warm_seconds, Spent())).failures
        await setup.connection.execute("VACUUM ANALYZE")  # as autovacuum does within a minute, once there is something
        for _ in range(bench.rounds):
            measured.failures += (await leg_until_settled(setup, bench.warm_seconds, Spent())).failures
            ours.append(
                await leg_until_settled(setup, 2 * bench.seconds, spent)
            )  # long, since the last of it waits for finality
            print(told(ours[-1]) + f", worker {spent.worker[-1]:.0f}, anvil {spent.anvil[-1]:.0f}", flush=True)
            print(f"  {number(spent.gas[-1])} gas a payment in a batch of {spent.payments[-1]}", flush=True)
            one_by_one.append(await beside.one_at_a_time(bench.seconds / 2))
            print(f"  {'web3.py, one at a time':24} {number(one_by_one[-1]):>8}/s", flush=True)
            before.append(await beside.signed_before(_BATCHES))
            print(f"  {'anvil, signed before':24} {number(before[-1]):>8}/s", flush=True)
            alone.append(median([await lone(setup) for _ in range(_LONE)]))
            print(f"  {'alone, to settled':24} {alone[-1]:>8.2f} s", flush=True)
        measured.checked.append(await tokens.check(setup.rig, setup.ledger))
        print(f"  {measured.checked[-1]}", flush=True)
    measured.legs += ours
    measured.failures += sum(leg.failures for leg in ours)
    measured.notes |= asdict(spent)
    measured.rows += _rows(ours, spent, one_by_one, before, alone)
    return measured


def _rows(ours: list[Leg], spent: Spent, one_by_one: list[float], before: list[float], alone: list[float]) -> list[Row]:
    rates, what = tuple(leg.rate for leg in ours), f"{_CONNECTIONS} connections"
    by_part = {
        "gateway": [leg.gateway_cpu_us for leg in ours],
        "PostgreSQL": [leg.postgres_cpu_us for leg in ours],
        "worker": spent.worker,
        "anvil": spent.anvil,
        "wrk": [leg.wrk_cpu_us for leg in ours],
    }
    return [
        Row("chain", what, "/s", rates, tuple(one_by_one), "web3.py, one at a time", Target(at_least=40)),
        Row("chain", what, "/s", rates, tuple(before), "anvil, signed before", Target(at_least=0.5)),
        Row("chain", what, "/s", rates, target=Target(at_least=1_500)),
        Row("chain", "gas each, fullest batch", "gas", tuple(spent.gas), target=Target(below=27_000)),
        Row("chain", "alone, to settled", "s", tuple(alone), target=Target(below=2.5)),
        *(Row("chain", f"{part} CPU each, {what}", "µs", tuple(used)) for part, used in by_part.items()),
    ]


@asynccontextmanager
async def setup_with_tokens(
    above: Rig,
    handles: int,
    name: str = "tokens",
    settings: Mapping[str, str] | None = None,
    caller: Caller = PLAIN,
) -> AsyncIterator[Setup]:
    """A gateway whose handles have tokens and pay as this kind of caller, with further settings. It shares only
    PostgreSQL with others.
    """
    rig = above.below(name)
    await rig.drop_database(name)
    async with rig.chain(BLOCK_SECONDS) as anvil:
        where = Places(rig.url(name), anvil.url, chain_is_ours=True)
        assembly.run_file(rig.config(name)).write_text(json.dumps(asdict(where)))
        ledger = await tokens.settle(rig, name, handles)
        async with rig.connected(name) as connection:
            await callers.prepare(connection, caller, tokens.PAID_IN)
        ledger.caller = caller
        async with (
            rig.serving(ledger, settings=settings) as gateway,
            rig.working(ledger, settings=settings) as worker,
            rig.connected(ledger.name) as connection,
        ):
            await tokens.until_settled(connection)
            ledger.ids.append(rig.home / "lone.ids")
            yield Setup(rig, ledger, gateway, worker, anvil, connection, ledger.ids[0])
    await rig.drop_database(name)


async def leg_until_settled(setup: Setup, seconds: float, spent: Spent) -> Leg:
    """Send payments for so long, then wait until all are settled. Rate and processor time cover both."""
    since = await setup.connection.fetchval("SELECT now()")
    before, started = setup.cpu(), time.monotonic()
    asked = await setup.rig.load("token payments", [setup.gateway], setup.ledger, _CONNECTIONS, seconds, "token")
    took = await tokens.until_settled(setup.connection) - started
    used = [(after - then) * 1e6 / asked.acknowledged for after, then in zip(setup.cpu(), before, strict=True)]
    gateway, postgres, worker, anvil = used
    gas, payments = await fullest(setup, since)
    spent.worker.append(worker)
    spent.anvil.append(anvil)
    spent.gas.append(gas)
    spent.payments.append(payments)
    return replace(asked, seconds=took, gateway_cpu_us=gateway, postgres_cpu_us=postgres)


async def fullest(setup: Setup, since: datetime) -> tuple[float, int]:
    """Gas per payment in the fullest batch since then, by its receipt, and the number of its payments."""
    hash_, payments = await tokens.fullest(setup.connection, since)
    node = HttpNode(setup.anvil.url)
    try:
        receipt = (await node.receipts([hash_]))[hash_]
    finally:
        await node.close()
    return receipt.gas_used / payments, payments


async def lone(setup: Setup) -> float:
    """Seconds from the request of a single payment until its payer sees it settled."""
    setup.ledger.asked += 1
    payer = setup.ledger.asked % setup.ledger.handles
    headers = {"Authorization": f"Bearer gw_{payer:043}", "Idempotency-Key": f"alone-{setup.ledger.asked}"}
    body = {"to": f"@h{(payer + 1) % setup.ledger.handles:07}", "amount": "0.01", "asset": "USDX"}
    async with httpx.AsyncClient(base_url=setup.gateway.url, headers=headers, trust_env=False) as http:
        started = time.monotonic()
        paid = (await http.post("/v1/payments", json=body)).raise_for_status().json()
        setup.ledger.acknowledged += 1
        with setup.lone_ids.open("a") as ids:
            ids.write(f"{paid['id']}\n")
        while paid["state"] != "settled":
            await asyncio.sleep(_LOOK_SECONDS)
            paid = (await http.get(f"/v1/payments/{paid['id']}")).raise_for_status().json()
        return time.monotonic() - started
