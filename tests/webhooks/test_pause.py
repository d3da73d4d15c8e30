"""A worker that sends a backlog pauses between starts, so that payments go first."""

import asyncio
import time

import pytest

from gateway.webhooks import dispatcher
from gateway.webhooks.dispatcher import Dispatcher, pause
from tests.api.conftest import Person
from tests.processes import HANG_SECONDS
from tests.webhooks.conftest import Workers, hook
from tests.webhooks.receiver import Receiver


def test_a_worker_pauses_three_times_as_long_as_starting_took_and_starts_640_a_second_at_least() -> None:
    assert [pause(took, 128) for took in (0.0, 0.01, 0.05, 0.1, 0.15, 0.2, 1.0)] == pytest.approx(
        [0.0, 0.03, 0.15, 0.1, 0.05, 0.0, 0.0]
    )
    assert [pause(0.01, started) for started in (1, 6)] == [0.0, 0.0]


async def with_one_slot(workers: Workers, receiver: Receiver, alice: Person, bob: Person, payments: int) -> Dispatcher:
    """A worker that sends one delivery at a time, with a delivery due for each of so many payments."""
    await hook(bob, receiver.url, "payment.*")
    worker = workers.another(slots=1)
    await workers.deliver(worker)
    for _ in range(payments):
        await alice.pay("@bob", "1.00 EUR")
    return worker


@pytest.mark.anyio
async def test_what_is_due_waits_until_the_pause_is_over(
    workers: Workers, receiver: Receiver, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await with_one_slot(workers, receiver, alice, bob, payments=2)
    monkeypatch.setattr(dispatcher, "pause", lambda took, started: 0.5)

    assert await worker.run()
    began = time.monotonic()
    await worker.finish()
    assert await worker.run()
    await worker.finish()

    assert time.monotonic() - began > 0.4
    assert worker.attempts["delivered"] == 2


@pytest.mark.anyio
async def test_a_backlog_is_sent_without_a_rest_between_its_deliveries(
    workers: Workers, receiver: Receiver, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await with_one_slot(workers, receiver, alice, bob, payments=3)
    monkeypatch.setattr(dispatcher, "rest", lambda *_: 10 * HANG_SECONDS)

    async with asyncio.timeout(HANG_SECONDS):
        while worker.attempts["delivered"] < 3:
            assert await worker.run()
            await worker.finish()
