"""Webhooks: how fast a backlog is sent, what that costs payments, and whether a receiver ends with the right state.

Gateway, deliverers (deliverer.py) and the shop that receives (receiver.py) are processes of their own, all on this
machine. The shop has ten endpoints, one for each of the first ten handles.

Where the gateway would wait for minutes, the time of an endpoint's pause or of a delivery's next try is set to now in
the database. Leases are left alone: those of a killed deliverer expire on their own.
"""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import msgspec

from benchmarks import client, machine
from benchmarks.bench import Bench, Measured
from benchmarks.callers import PLAIN
from benchmarks.client import Answers, Call
from benchmarks.compare import Row, Target
from benchmarks.legs import Leg, cpu_rows, p99_row, rate_row
from benchmarks.receiver import Told
from benchmarks.rig import Ledger, Rig, Served
from benchmarks.streams import reading
from gateway.embedded.children import Child
from gateway.ids import read, show

_ENDPOINTS, _STREAMS, _HELD, _QUEUED = 10, 200, 5_000, 100_000
_A_SECOND = 1_500  #: Deliveries that wait for each second of a leg, so that it does not run dry.
_GIVE_UP_SECONDS = 300.0
_ALLOWED = {"GATEWAY_WEBHOOK_SCHEMES": "https,http", "GATEWAY_WEBHOOK_NETWORKS": "127.0.0.1/32"}
_NO_NODE = "http://127.0.0.1:9"  #: A worker needs a node's URL; a deliverer never calls it.

_DUE_NOW = """
UPDATE webhook_delivery SET next_at = now()
WHERE (endpoint_id, event) IN (
    SELECT endpoint_id, event FROM webhook_delivery WHERE state = 'pending' AND next_at > now()
    FOR UPDATE SKIP LOCKED
)
"""
_RESUMED = """
UPDATE webhook_endpoint SET resumes_at = NULL
WHERE id IN (SELECT id FROM webhook_endpoint WHERE resumes_at > now() FOR UPDATE SKIP LOCKED)
"""
_SIZE = "SELECT pg_total_relation_size('webhook_delivery')"
_STATES = "SELECT id, state::text FROM payment WHERE id = ANY ($1)"


async def webhooks(bench: Bench) -> Measured:
    """Webhooks: a backlog sent, payments beside it, a receiver's state over two kills, what 100,000 take."""
    measured = Measured()
    await _drain(measured, bench)
    await _beside(measured, bench)
    await _over_kills(measured, bench)
    await _queued(measured, bench)
    return measured


async def _drain(measured: Measured, bench: Bench) -> None:
    """The backlog of an endpoint that was down, sent once it is back: alone, and beside payments."""
    quiet, busy = await bench.fresh("quiet"), await bench.fresh("busy")
    async with (
        bench.rig.serving(quiet) as without,
        _shop(bench.rig, busy, _ENDPOINTS) as (gateway, shop),
    ):
        await _be(shop, "dead")
        async with _delivering(bench.rig, busy) as worker:
            each = 200 if bench.quick else 2_000
            await _pay(busy, gateway, each, "missed")
            await _until(shop, lambda told: told.requests >= _ENDPOINTS)
            await asyncio.sleep(2)
            cpu = bench.rig.cpu({worker.pid})
            coming_back = asyncio.create_task(_come_back(bench.rig, busy, shop))
            told = await _until(shop, lambda told: told.taken >= _ENDPOINTS * each)
            coming_back.cancel()
            used = [now - then for now, then in zip(bench.rig.cpu({worker.pid}), cpu, strict=True)]
            rate = told.taken / (told.last_at - told.first_at)
        deliverer, postgres = (seconds / told.taken * 1e6 for seconds in used[:2])
        what = f"{told.taken:,} that {_ENDPOINTS} endpoints missed"
        measured.rows.append(Row("webhooks", f"sent a second, {what}", "/s", (rate,), target=Target(500)))
        measured.rows.append(Row("webhooks", f"deliverer CPU each, {what}", "µs", (deliverer,)))
        measured.rows.append(Row("webhooks", f"PostgreSQL CPU each, {what}", "µs", (postgres,)))
        print(f"  {rate:,.0f} deliveries a second; {deliverer:.0f} and {postgres:.0f} µs each")

        async def drained(seconds: float, argument: str, beside: list[float]) -> Leg:
            await _pay(busy, gateway, int(_A_SECOND * seconds) // _ENDPOINTS + 100, f"leg-{time.monotonic()}")
            await _be(shop, "take")
            async with _delivering(bench.rig, busy):
                await _until(shop, lambda told: told.taken > 0)
                before, started = (await _told(shop)).taken, time.monotonic()
                leg = await bench.rig.load("while webhooks are sent", [gateway], busy, 64, seconds, argument=argument)
                beside.append(((await _told(shop)).taken - before) / (time.monotonic() - started))
                print(f"  meanwhile {beside[-1]:,.0f} deliveries a second", flush=True)
                return leg

        for argument, who in (
            ("paced", "payments at a pace"),
            ("", "all the payments that go"),
        ):
            beside: list[float] = []
            target = Target(500) if argument else None
            theirs, ours = await bench.turns(
                measured,
                partial(bench.rig.load, "no webhooks", [without], quiet, 64, argument=argument),
                partial(drained, argument=argument, beside=beside),
            )
            sent = tuple(beside[1::2])  # the others are from the warm-up
            measured.rows.append(Row("webhooks", f"sent a second beside {who}", "/s", sent, target=target))
            what = f"{who}, while webhooks are sent"
            measured.rows.append(rate_row("webhooks", what, ours, theirs, "alone", Target(0.9) if argument else None))
            measured.rows.append(p99_row("webhooks", what, ours, theirs, "alone", None))
            measured.rows += cpu_rows("webhooks", what, ours, theirs, "alone")
    await bench.checks(measured, quiet, busy)


async def _beside(measured: Measured, bench: Bench) -> None:
    """Payments between all, with ten endpoints and 200 streams, and without."""
    quiet, watched = await bench.fresh("unwatched"), await bench.fresh("watched")
    streams = 20 if bench.quick else _STREAMS
    async with (
        bench.rig.serving(quiet) as without,
        _shop(bench.rig, watched, _ENDPOINTS) as (gateway, _),
        _delivering(bench.rig, watched),
        reading(gateway, streams),
    ):
        theirs, ours = await bench.turns_for_a_ratio(
            measured,
            partial(bench.rig.load, "nobody listens", [without], quiet, 64),
            partial(bench.rig.load, "endpoints and streams", [gateway], watched, 64),
        )
    what, against = f"payments, {_ENDPOINTS} endpoints and {streams} streams", "payments without"
    measured.rows.append(rate_row("webhooks", what, ours, theirs, against, Target(0.9)))
    measured.rows += cpu_rows("webhooks", what, ours, theirs, against)
    await bench.checks(measured, quiet, watched)


async def _over_kills(measured: Measured, bench: Bench) -> None:
    """Two events of each payment to a shop that fails at 30% of them, by two deliverers, each killed once (SIGKILL)."""
    ledger = await bench.fresh("shop")
    held = 200 if bench.quick else _HELD
    async with AsyncExitStack() as stack:
        gateway, shop = await stack.enter_async_context(_shop(bench.rig, ledger, _ENDPOINTS))
        await _be(shop, "fail")
        connection = await stack.enter_async_context(bench.rig.connected(ledger.name))
        workers = [await stack.enter_async_context(_delivering(bench.rig, ledger)) for _ in range(2)]
        started, kills = time.monotonic(), [2 * held // 3, 4 * held // 3]
        paying = asyncio.create_task(_hold_and_end(measured, ledger, gateway, held))
        while (told := await _told(shop)).taken < 2 * held:
            if kills and told.taken >= kills[0]:
                os.kill(workers[-len(kills)].pid, signal.SIGKILL)
                kills.pop(0)
                await stack.enter_async_context(_delivering(bench.rig, ledger))
            if time.monotonic() - started > _GIVE_UP_SECONDS:
                measured.faults.append(f"only {told.taken} of {2 * held} webhooks came")
                break
            await connection.execute(_DUE_NOW)
            await connection.execute(_RESUMED)
            await asyncio.sleep(0.2)
        took = time.monotonic() - started
        ids = await paying
        rows = await connection.fetch(_STATES, [read("pay", id) for id in ids])
        wanted = {show("pay", row["id"]): row["state"] for row in rows}
        states = msgspec.json.decode(await _asked(shop, "GET", "/states"))
    wrong = sum(states.get(id) != state for id, state in wanted.items()) + len(states.keys() - wanted.keys())
    if wrong or told.disordered or len(wanted) != held:
        measured.faults.append(f"{wrong} of {held} objects are wrong at the receiver, {told.disordered} out of order")
    measured.rows.append(Row("webhooks", f"objects wrong of {held:,} over two kills, 30% failing", "", (float(wrong),)))
    print(f"  {2 * held:,} webhooks in {told.requests:,} requests and {took:.0f} s: {wrong} objects wrong", flush=True)
    measured.notes["over kills"] = {"requests": told.requests, "taken": told.taken, "seconds": took}


async def _hold_and_end(measured: Measured, ledger: Ledger, gateway: Served, held: int) -> list[str]:
    """Holds for the shop's handles, each captured or voided: two events each. The ids."""
    header = PLAIN.header(gateway.origin, "")
    body = partial(_body, capture=False)
    holds = [Call("/v1/payments", _ENDPOINTS + n, f"held-{n}", body(n % _ENDPOINTS)) for n in range(held)]
    answers = await client.send(gateway.url, header, holds, 32)
    ids = answers.ids()
    ends = [
        Call(f"/v1/payments/{id}/{('capture', 'void')[n % 2]}", n % _ENDPOINTS, f"end-{n}", b"{}")
        for n, id in enumerate(ids)
    ]
    ended = await client.send(gateway.url, header, ends, 32)
    measured.failures += answers.failures(201).total() + ended.failures(200).total()
    return ids


async def _queued(measured: Measured, bench: Bench) -> None:
    """The cost of 100,000 pending deliveries in the deliverer's memory and on the disk."""
    queued = 2_000 if bench.quick else _QUEUED
    endpoints = queued // 1_000
    ledger = await bench.fresh("queued")
    async with _shop(bench.rig, ledger, endpoints) as (gateway, shop), bench.rig.connected(ledger.name) as connection:
        await _be(shop, "dead")
        async with _delivering(bench.rig, ledger) as worker:
            await asyncio.sleep(2)
            memory, disk = machine.resident_bytes(worker.pid), await connection.fetchval(_SIZE)
            await _pay(ledger, gateway, 1_000, "queued", endpoints)
            give_up = time.monotonic() + _GIVE_UP_SECONDS
            while (there := await connection.fetchval("SELECT count(*) FROM webhook_delivery")) < queued * 0.95:
                if time.monotonic() > give_up:
                    raise RuntimeError("the deliveries were not queued in time")
                await asyncio.sleep(0.2)
            memory = machine.resident_bytes(worker.pid) - memory
            disk = await connection.fetchval(_SIZE) - disk
    part = 100_000 / there
    measured.rows.append(Row("webhooks", "deliverer's memory for 100,000 queued", "MiB", (part * memory / 2**20,)))
    measured.rows.append(Row("webhooks", "disk for 100,000 queued", "MiB", (part * disk / 2**20,)))


# ---- the shop -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _shop(rig: Rig, ledger: Ledger, endpoints: int) -> AsyncIterator[tuple[Served, Served]]:
    """A gateway over the ledger, and a receiver with an endpoint for each of so many handles."""
    async with rig.serving(ledger, settings=_ALLOWED) as gateway, rig.listening("benchmarks.receiver") as shop:
        calls = [
            Call(
                "/v1/webhooks",
                n,
                f"hook-{n}",
                msgspec.json.encode({"url": f"{shop.url}/hook/{n}", "types": ["payment.*"]}),
            )
            for n in range(endpoints)
        ]
        _check(await client.send(gateway.url, PLAIN.header(gateway.origin, ""), calls, 1), 201)
        yield gateway, shop


def _delivering(rig: Rig, ledger: Ledger) -> AbstractAsyncContextManager[Child]:
    """A worker that sends the ledger's webhooks."""
    keys = rig.home / "relayer-keys"
    keys.touch(mode=0o600)
    keys.write_text(secrets.token_hex(32))
    node = {"GATEWAY_RPC_URL": _NO_NODE, "GATEWAY_RELAYER_KEY_FILE": str(keys)}
    return rig.working(ledger, ("benchmarks.deliverer",), _ALLOWED | node)


async def _pay(ledger: Ledger, gateway: Served, each: int, run: str, endpoints: int = _ENDPOINTS) -> None:
    """So many payments to each of the handles with endpoints, in batches, by others."""
    calls: list[Call] = []
    for number in range(endpoints):
        for start in range(0, each, 100):
            lines = [_line(number) for _ in range(start, min(start + 100, each))]
            payer = ledger.handles // 2 + len(calls) % (ledger.handles // 2)
            calls.append(Call("/v1/payments/batch", payer, f"{run}-{len(calls)}", msgspec.json.encode(lines)))
    _check(await client.send(gateway.url, PLAIN.header(gateway.origin, ""), calls, 4), 200)
    ledger.loaded += each * endpoints


def _line(number: int) -> dict[str, object]:
    return {"to": f"@h{number:07}", "amount": "0.01", "asset": "EUR"}


def _body(number: int, capture: bool) -> bytes:
    return msgspec.json.encode(_line(number) | {"capture": capture})


def _check(answers: Answers, status: int) -> None:
    if answers.failures(status):
        raise RuntimeError(f"a request was refused: {answers.failures(status).most_common(1)}")


async def _come_back(rig: Rig, ledger: Ledger, shop: Served) -> None:
    """The shop accepts deliveries again, and the pauses of its endpoints are ended; also one that begins later, when
    what failed before is recorded. Until cancelled.
    """
    await _be(shop, "take")
    async with rig.connected(ledger.name) as connection:
        while True:
            await connection.execute(_DUE_NOW)
            await connection.execute(_RESUMED)
            await asyncio.sleep(0.5)


async def _be(shop: Served, mode: str) -> None:
    """Set how the shop answers from now on, and reset its counts."""
    await _asked(shop, "POST", "/mode", mode.encode())


async def _told(shop: Served) -> Told:
    return msgspec.json.decode(await _asked(shop, "GET", "/told"), type=Told)


async def _until(shop: Served, enough: Callable[[Told], bool]) -> Told:
    """Wait until the shop has accepted enough. Raises RuntimeError if that takes too long."""
    give_up = time.monotonic() + _GIVE_UP_SECONDS
    while not enough(told := await _told(shop)):
        if time.monotonic() > give_up:
            raise RuntimeError(f"webhooks did not come in time: {told}")
        await asyncio.sleep(0.05)
    return told


async def _asked(shop: Served, method: str, path: str, body: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(shop.url).port)
    writer.write(b"%s %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (method.encode(), path.encode(), len(body), body))
    head = await reader.readuntil(b"\r\n\r\n")
    answer = await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
    writer.close()
    return answer
