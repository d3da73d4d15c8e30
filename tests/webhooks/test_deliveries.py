"""From an event to its receiver: signed, in order, again after failures, by any number of workers."""

import asyncio
import base64
from collections import defaultdict
from datetime import timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.webhooks import delivery, message, schedule
from gateway.webhooks.dispatcher import Dispatcher
from tests.api.conftest import Api, Person, code_of
from tests.webhooks.conftest import Workers, deliveries, enable, hook, outcomes
from tests.webhooks.receiver import OK, Answer, Received, Receiver, status

pytestmark = pytest.mark.anyio


async def test_an_event_is_sent_signed_as_it_is_listed(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.settled")
    await alice.pay("@bob", "3.00 EUR", memo="café ☕")
    await workers.deliver()

    (event,) = (await bob.get("/v1/events?type=payment.settled")).json()["items"]
    (sent,) = receiver.received
    assert Webhook(made["secret"]).verify(sent.body, sent.headers) == event
    assert (sent.id, sent.headers["content-type"]) == (event["id"], "application/json")
    for name, value in (
        ("webhook-id", "evt_other"),
        ("webhook-timestamp", str(int(sent.headers["webhook-timestamp"]) + 1)),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(made["secret"]).verify(sent.body, {**sent.headers, name: value})
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(sent.body + b" ", sent.headers)
    (shown,) = await deliveries(bob, made["id"])
    (tried,) = shown.pop("attempts")
    assert shown == {
        "event_id": event["id"],
        "type": "payment.settled",
        "created_at": event["created_at"],
        "state": "delivered",
        "next_at": None,
    }
    assert (tried["outcome"], tried["status"]) == ("delivered", 204)


async def test_an_endpoint_gets_what_fits_its_types_from_its_creation_on(
    workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    await alice.pay("@bob", "1.00 EUR")
    await hook(bob, receiver.url, "payment.*", "webhook.created")
    await alice.pay("@bob", "2.00 EUR", capture=False)
    await bob.post("/v1/keys", {"name": "Shop", "scopes": ["read"]})
    await workers.deliver()

    assert sorted(one.event["type"] for one in receiver.received) == ["payment.held", "webhook.created"]


async def test_events_of_one_object_arrive_in_order_and_others_do_not_wait(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    """The first payment's first event fails twice: its second waits, and the other payment's do not."""
    made = await hook(bob, receiver.url, "payment.*")
    first, second = [(await alice.pay("@bob", "5.00 EUR", capture=False)).json()["id"] for _ in range(2)]
    for one in (first, second):
        await bob.post(f"/v1/payments/{one}/capture", {"amount": "1.00"})
    failures = 2

    def answer(request: Received) -> Answer:
        nonlocal failures
        if request.event["data"]["id"] == first and failures:
            failures -= 1
            return status(500)
        return OK

    receiver.answer = answer
    told = []
    for _ in range(3):
        await workers.deliver()
        told.append([(one.event["data"]["id"], one.event["type"]) for one in receiver.received])
        receiver.received.clear()
        api.clock.ahead += timedelta(minutes=10)

    held, settled = "payment.held", "payment.settled"
    assert sorted(told[0]) == sorted([(first, held), (second, held), (second, settled)])
    assert told[1:] == [[(first, held)], [(first, held), (first, settled)]]
    assert await outcomes(bob, made["id"]) == [
        ("delivered", ["http_status", "http_status", "delivered"]),
        *[("delivered", ["delivered"])] * 3,
    ]


async def test_an_endpoint_that_takes_its_time_delays_nobody_else(
    workers: Workers, receiver: Receiver, other: Receiver, alice: Person, bob: Person
) -> None:
    go_on = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(OK)

    receiver.answer = lambda _: hang
    await hook(bob, receiver.url, "payment.*")
    await hook(alice, other.url, "payment.*")
    for _ in range(20):
        await alice.pay("@bob", "1.00 EUR")
    worker = workers.another(slots=delivery.AT_ONCE + 2)
    while len(other.received) < 20:
        await worker.run()

    assert len(receiver.received) == receiver.at_once_most == delivery.AT_ONCE
    go_on.set()
    await workers.deliver(worker)
    assert len(receiver.received) == 20


async def test_endpoints_that_fail_have_half_of_a_worker_and_one_delivery_each(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    receiver.answer = lambda _: status(500)
    for _ in range(6):
        await hook(bob, receiver.url, "payment.*")
    for _ in range(schedule.FAILURES_IN_ROW):
        await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    go_on = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(OK)

    receiver.answer = lambda _: hang
    api.clock.ahead += timedelta(days=1)
    receiver.at_once_most = 0
    worker = workers.another(slots=8)
    for _ in range(4):
        await worker.run()
    assert receiver.at_once_most == 4
    go_on.set()
    await workers.deliver(worker)


async def test_two_workers_at_once_deliver_each_event_once_and_each_object_in_order(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    held = [(await alice.pay("@bob", "5.00 EUR", capture=False)).json()["id"] for _ in range(12)]
    for one in held:
        await bob.post(f"/v1/payments/{one}/void", {})

    async with api.services.database.transaction() as connection:
        await delivery.take_in(connection, api.clock())

    several = asyncio.Event()

    async def once_several_came(writer: asyncio.StreamWriter) -> None:
        if receiver.at_once_most > 3:  # more than one of the workers has slots for
            several.set()
        await several.wait()
        writer.write(OK)

    receiver.answer = lambda _: once_several_came

    async def work(worker: Dispatcher) -> None:
        while len(set(receiver.ids)) < 24:
            await worker.run()  # which asks the database, so others have their turn
        await worker.finish()

    await asyncio.gather(*(work(workers.another(slots=3)) for _ in range(4)))

    assert len(receiver.ids) == len(set(receiver.ids)) == 24
    seen: dict[str, list[int]] = defaultdict(list)
    for one in receiver.received:
        seen[one.event["data"]["id"]].append(one.event["sequence"])
    assert seen == {one: [1, 2] for one in held}
    assert [state for state, _ in await outcomes(bob, made["id"])] == ["delivered"] * 24
    assert receiver.at_once_most <= delivery.AT_ONCE


async def test_an_event_that_was_sent_but_not_recorded_is_sent_again_after_the_lease(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    """As after kill -9 between the answer and the commit."""
    made = await hook(bob, receiver.url, "payment.*")
    await alice.pay("@bob", "1.00 EUR")
    came = asyncio.Event()

    async def never(writer: asyncio.StreamWriter) -> None:
        came.set()
        await asyncio.Event().wait()

    receiver.answer = lambda _: never
    killed = workers.another()
    await killed.run()
    await came.wait()
    for task in list(killed._under_way):
        task.cancel()

    receiver.answer = lambda _: OK
    after = workers.another()
    await workers.deliver(after)
    assert len(receiver.received) == 1
    api.clock.ahead += delivery.LEASE
    await workers.deliver(after)
    assert len(receiver.received) == 2
    assert len(set(receiver.ids)) == 1
    assert await outcomes(bob, made["id"]) == [("delivered", ["delivered"])]


async def test_what_a_worker_records_after_its_lease_changes_nothing(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    await alice.pay("@bob", "1.00 EUR")
    go_on = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(status(500))

    receiver.answer = lambda _: late
    slow = workers.another()
    await slow.run()
    while not receiver.received:
        await slow.run()
    receiver.answer = lambda _: OK
    api.clock.ahead += delivery.LEASE
    await workers.deliver(workers.another())
    go_on.set()
    await slow.finish()

    assert await outcomes(bob, made["id"]) == [("delivered", ["delivered", "http_status"])]
    assert (await bob.get(f"/v1/webhooks/{made['id']}")).json()["failing_since"] is None


async def test_a_payment_writes_nothing_for_webhooks(api: Api, receiver: Receiver, alice: Person, bob: Person) -> None:
    await hook(bob, receiver.url, "*")
    async with api.services.database.reading() as connection:
        state = "SELECT (SELECT count(*) FROM webhook_delivery), xmin, reached, has_news FROM webhook_endpoint"
        before = await connection.fetchrow(state)
        await alice.pay("@bob", "1.00 EUR")
        assert await connection.fetchrow(state) == before


async def test_an_endpoint_that_is_away_has_so_much_pending_and_its_cursor_waits(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "PENDING_MAX", 5)
    made = await hook(bob, receiver.url, "payment.*")
    receiver.answer = lambda _: status(500)
    for _ in range(12):
        await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    assert len(await deliveries(bob, made["id"], "&state=pending")) == 5
    receiver.answer = lambda _: OK
    for _ in range(4):
        api.clock.ahead += timedelta(minutes=10)
        await workers.deliver()
    assert [state for state, _ in await outcomes(bob, made["id"])] == ["delivered"] * 12
    assert len(set(receiver.ids)) == 12


async def test_one_event_is_delivered_again_and_so_is_all_since_a_time(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    path, times = f"/v1/webhooks/{made['id']}/redeliveries", []
    for _ in range(4):
        times.append(api.clock().isoformat())
        await alice.pay("@bob", "1.00 EUR")
        api.clock.ahead += timedelta(minutes=1)
    await workers.deliver()
    ids = sorted(receiver.ids)
    receiver.received.clear()

    assert (await bob.post(path, {"event": ids[1]})).status_code == 202
    await workers.deliver()
    assert receiver.ids == [ids[1]]
    receiver.received.clear()
    assert (await bob.post(path, {"since": times[2]})).status_code == 202
    await workers.deliver()
    assert sorted(receiver.ids) == ids[2:]

    assert code_of(await bob.post(path, {})) == (400, "invalid_request")
    assert code_of(await bob.post(path, {"event": ids[0], "since": times[0]})) == (400, "invalid_request")
    assert code_of(await bob.post(path, {"event": "evt_1"})) == (400, "invalid_request")
    for no_time_in_utc in ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"):
        assert code_of(await bob.post(path, {"since": no_time_in_utc})) == (400, "invalid_request")
    (of_another,) = (await alice.get("/v1/events?type=wallet.created")).json()["items"]
    assert code_of(await bob.post(path, {"event": of_another["id"]})) == (404, "not_found")


async def test_what_failed_for_good_is_delivered_again_with_all_its_tries(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    receiver.answer = lambda _: status(410)
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    receiver.answer = lambda _: OK
    await enable(bob, made["id"], receiver.url)
    await bob.post(f"/v1/webhooks/{made['id']}/redeliveries", {"event": receiver.ids[0]})
    await workers.deliver()
    assert await outcomes(bob, made["id"]) == [("delivered", ["gone", "delivered"])]


async def test_a_test_event_goes_to_the_endpoint_that_is_tested_alone(
    workers: Workers, receiver: Receiver, other: Receiver, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.settled")
    await hook(bob, other.url, "*")
    assert (await bob.post(f"/v1/webhooks/{made['id']}/test", {})).status_code == 202
    await workers.deliver()

    (sent,) = receiver.received
    assert Webhook(made["secret"]).verify(sent.body, sent.headers)["type"] == "webhook.test"
    assert [one.event["type"] for one in other.received] == ["webhook.created"]


async def test_while_a_secret_is_rotated_both_sign_and_after_a_day_only_the_new_one(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    secrets = [made["secret"]]

    async def rotate() -> None:
        answer = await bob.post(f"/v1/webhooks/{made['id']}/secret", {})
        assert answer.status_code == 201
        secrets.append(answer.json()["secret"])
        assert await both_sign_until() == answer.json()["old_secret_expires_at"]

    async def both_sign_until() -> str | None:
        until: str | None = (await bob.get(f"/v1/webhooks/{made['id']}")).json()["old_secret_expires_at"]
        return until

    async def verifies() -> list[bool]:
        receiver.received.clear()
        await alice.pay("@bob", "1.00 EUR")
        await workers.deliver()
        (sent,) = receiver.received
        return [verified(secret, sent) for secret in secrets]

    assert (await verifies(), await both_sign_until()) == ([True], None)
    await rotate()
    assert await verifies() == [True, True]
    assert len(receiver.received[0].headers["webhook-signature"].split(" ")) == 2
    await rotate()
    assert await verifies() == [False, True, True], "never more than two"
    api.clock.ahead += timedelta(hours=24)
    assert await both_sign_until() is None
    receiver.received.clear()
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    (sent,) = receiver.received  # whose time the library would refuse
    newest = base64.b64decode(secrets[-1].removeprefix("whsec_"))
    expected = message.signature(newest, sent.id, int(sent.headers["webhook-timestamp"]), sent.body)
    assert sent.headers["webhook-signature"] == expected


def verified(secret: str, sent: Received) -> bool:
    try:
        Webhook(secret).verify(sent.body, sent.headers)
    except WebhookVerificationError:
        return False
    return True


async def test_nothing_is_sent_to_an_endpoint_that_was_deleted_or_disabled(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    deleted = await hook(bob, receiver.url, "payment.*")
    disabled = await hook(bob, receiver.url, "payment.*", enabled=False)
    await alice.pay("@bob", "1.00 EUR")
    async with api.services.database.transaction() as connection:
        await delivery.take_in(connection, api.clock())
    await bob.api.call("DELETE", f"/v1/webhooks/{deleted['id']}", headers=bob.bearer)
    await workers.deliver()

    assert receiver.received == []
    assert code_of(await bob.get(f"/v1/webhooks/{deleted['id']}/deliveries")) == (404, "not_found")
    assert code_of(await bob.post(f"/v1/webhooks/{disabled['id']}/test", {})) == (409, "state_conflict")
    async with api.services.database.transaction() as connection:
        while await delivery.forget(connection, api.clock()):
            pass
        left = "SELECT (SELECT count(*) FROM webhook_endpoint), (SELECT count(*) FROM webhook_secret)"
        assert tuple(await connection.fetchrow(left)) == (1, 1)


async def test_what_ended_is_listed_for_thirty_days(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    async with api.services.database.transaction() as connection:
        assert await delivery.forget(connection, api.clock() + timedelta(days=29)) == 0
    assert len(await deliveries(bob, made["id"])) == 1
    async with api.services.database.transaction() as connection:
        assert await delivery.forget(connection, api.clock() + timedelta(days=31)) == 1
    assert await deliveries(bob, made["id"]) == []
