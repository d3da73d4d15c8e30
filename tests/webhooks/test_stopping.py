"""A worker that stops waits a little for its deliveries; what it cuts off is another worker's once the lease ends."""

import asyncio

import pytest

from gateway.webhooks import delivery, dispatcher
from tests.api.conftest import Api, Person
from tests.webhooks.conftest import Workers, hook, outcomes
from tests.webhooks.receiver import OK, Receiver

pytestmark = pytest.mark.anyio


async def test_what_is_answered_in_time_is_recorded_and_what_is_not_is_sent_again_after_the_lease(
    api: Api,
    workers: Workers,
    receiver: Receiver,
    other: Receiver,
    alice: Person,
    bob: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "_CLOSE_SECONDS", 1.0)
    came, stopping = asyncio.Semaphore(0), asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        came.release()
        await stopping.wait()
        writer.write(OK)

    async def never(writer: asyncio.StreamWriter) -> None:
        came.release()
        await asyncio.Event().wait()

    receiver.answer, other.answer = lambda _: late, lambda _: never
    hooks = [(await hook(bob, one.url, "payment.*"))["id"] for one in (receiver, other)]
    await alice.pay("@bob", "1.00 EUR")
    stopped = workers.another()
    await stopped.run()
    for _ in hooks:
        await came.acquire()

    closing = asyncio.create_task(stopped.close())
    stopping.set()
    await closing
    assert [await outcomes(bob, id) for id in hooks] == [[("delivered", ["delivered"])], [("pending", [])]]

    other.answer = lambda _: OK
    api.clock.ahead += delivery.LEASE
    await workers.deliver(workers.another())
    assert [await outcomes(bob, id) for id in hooks] == [[("delivered", ["delivered"])]] * 2
    assert (len(receiver.received), len(other.received)) == (1, 2)
