"""Workers that are killed (SIGKILL) at any moment lose no event and repeat no more than they had under way."""

import asyncio
import random
import signal
import sys
from typing import Any

import pytest

from gateway.webhooks import delivery
from tests.api.conftest import Api, Person
from tests.processes import HANG_SECONDS, start
from tests.running import ROOT
from tests.webhooks.conftest import Workers, hook
from tests.webhooks.receiver import OK, Answer, Received, Receiver

pytestmark = pytest.mark.anyio

PAYMENTS, KILLS = 60, 4


@pytest.mark.seeds(1)
async def test_no_event_is_lost_and_each_object_stays_in_order_while_workers_are_killed(
    seed: int, api: Api, database_url: str, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    chosen, taken, kill = random.Random(seed), list[tuple[str, int]](), asyncio.Semaphore(0)
    kills = sorted(chosen.sample(range(1, 2 * PAYMENTS - 10), KILLS))

    killed = asyncio.Event()

    async def too_late(writer: asyncio.StreamWriter) -> None:
        await killed.wait()
        writer.write(OK)
        await writer.drain()

    def answer(request: Received) -> Answer:
        taken.append((request.event["data"]["id"], request.event["sequence"]))
        if kills and len(set(taken)) >= kills[0]:
            kills.pop(0)
            kill.release()
        return OK if kill.locked() else too_late

    receiver.answer = answer
    await hook(bob, receiver.url, "payment.*")
    held = [(await alice.pay("@bob", "1.00 EUR", capture=False)).json()["id"] for _ in range(PAYMENTS)]
    for one in held:
        await bob.post(f"/v1/payments/{one}/void", {})

    for _ in range(KILLS):
        process = start([sys.executable, "-P", "-m", "tests.webhooks.worker", database_url], cwd=ROOT)
        async with asyncio.timeout(HANG_SECONDS):
            await kill.acquire()
        process.kill()
        assert process.wait() == -signal.SIGKILL
        killed.set()
        killed.clear()  # who waited goes on; those of the next worker wait again
        async with api.services.database.transaction() as connection:  # as if the lease had run out by itself
            await connection.execute(
                "UPDATE webhook_delivery SET leased_until = $1 WHERE lease IS NOT NULL", api.clock()
            )
    await workers.deliver()

    assert {one: [seq for id, seq in dict.fromkeys(taken) if id == one] for one in held} == {
        one: [1, 2] for one in held
    }
    assert 2 * PAYMENTS <= len(taken) <= 2 * PAYMENTS + KILLS * delivery.AT_ONCE
    assert await states(api) == ["delivered"]


async def states(api: Api) -> list[Any]:
    async with api.services.database.reading() as connection:
        rows = await connection.fetch("SELECT DISTINCT state FROM webhook_delivery")
        return [row["state"] for row in rows]
