"""Deliveries that fail: tried again after growing waits, and endpoints that fail for days or are gone are disabled."""

from datetime import datetime, timedelta

import pytest

from gateway.webhooks import schedule
from tests.api.conftest import Api, Person
from tests.webhooks.conftest import Workers, deliveries, enable, hook, outcomes
from tests.webhooks.receiver import OK, Receiver, status

pytestmark = pytest.mark.anyio


async def test_a_failure_is_tried_again_with_growing_waits_for_three_days(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    receiver.answer = lambda _: status(500)
    await alice.pay("@bob", "1.00 EUR")
    began, waits = api.clock(), await fail_for_good(api, workers, bob, made["id"])

    assert len(receiver.received) == len(schedule.WAITS) + 1
    assert len(set(receiver.ids)) == 1
    for waited, wait in zip(waits, schedule.WAITS, strict=True):
        assert 0.9 * wait <= waited <= (1 + schedule.JITTER) * wait
    assert timedelta(days=3) < api.clock() - began < timedelta(days=4)
    timestamps = [int(one.headers["webhook-timestamp"]) for one in receiver.received]
    assert timestamps == sorted(set(timestamps)), "each try is signed anew"


async def test_an_endpoint_that_failed_for_days_is_disabled_and_continues_when_enabled(
    api: Api, workers: Workers, receiver: Receiver, other: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    await hook(bob, other.url, "webhook.disabled")
    receiver.answer = lambda _: status(500)
    await alice.pay("@bob", "1.00 EUR")
    await fail_for_good(api, workers, bob, made["id"])

    view = (await bob.get(f"/v1/webhooks/{made['id']}")).json()
    assert (view["enabled"], view["disabled_by"]) == (False, "failing")
    await workers.deliver()
    (told,) = other.received
    assert told.event["data"] == {
        "object": "webhook",
        "id": made["id"],
        "host": "127.0.0.1",
        "types": ["payment.*"],
        "disabled_by": "failing",
    }
    receiver.answer = lambda _: OK
    receiver.received.clear()
    await alice.pay("@bob", "2.00 EUR")
    await workers.deliver()
    assert receiver.received == []
    await enable(bob, made["id"], receiver.url)
    await workers.deliver()
    assert [one.event["data"]["amount"] for one in receiver.received] == ["2.00"]


async def test_an_endpoint_is_not_disabled_by_one_event_that_it_never_accepts(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    receiver.answer = lambda one: status(500) if one.event["data"]["amount"] == "1.00" else OK
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    api.clock.ahead += timedelta(hours=1)
    await alice.pay("@bob", "2.00 EUR")
    await fail_for_good(api, workers, bob, made["id"])

    assert [state for state, _ in await outcomes(bob, made["id"])] == ["failed", "delivered"]
    assert (await bob.get(f"/v1/webhooks/{made['id']}")).json()["enabled"]


async def fail_for_good(api: Api, workers: Workers, of: Person, id: str) -> list[timedelta]:
    """Deliver until nothing is pending, at each time that something is due. What was waited for each."""
    waits: list[timedelta] = []
    while True:
        await workers.deliver()
        pending = await deliveries(of, id, "&state=pending")
        if not pending:
            return waits
        waits.append(datetime.fromisoformat(pending[0]["next_at"]) - api.clock())
        api.clock.ahead += waits[-1]


async def test_an_endpoint_that_is_gone_is_disabled_at_once(
    workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    receiver.answer = lambda _: status(410)
    for _ in range(3):
        await alice.pay("@bob", "1.00 EUR")
    worker = workers.another(slots=1)
    await workers.deliver(worker)

    assert len(receiver.received) == 1
    assert (await bob.get(f"/v1/webhooks/{made['id']}")).json()["disabled_by"] == "gone"
    assert [state for state, _ in await outcomes(bob, made["id"])] == ["failed", "pending", "pending"]
    assert len((await bob.get("/v1/events?type=webhook.disabled")).json()["items"]) == 1


@pytest.mark.parametrize("code", [429, 503])
async def test_an_endpoint_that_asks_for_time_is_left_alone_for_it(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person, code: int
) -> None:
    await hook(bob, receiver.url, "payment.*")
    receiver.answer = lambda _: status(code, "Retry-After: 3600")
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    receiver.answer = lambda _: OK
    await alice.pay("@bob", "2.00 EUR")
    for _ in range(5):
        api.clock.ahead += timedelta(minutes=11)
        await workers.deliver()
        assert len(receiver.received) == 1
    api.clock.ahead += timedelta(minutes=11)
    await workers.deliver()
    assert len(receiver.received) == 3
