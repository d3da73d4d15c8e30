"""Webhooks that fail, over HTTP: listed with whose they are and why, and tried again by an operator."""

from typing import Any

import pytest

from gateway.audit import log as audit
from gateway.audit.log import WORKER
from gateway.ids import read
from gateway.webhooks import endpoint
from tests.api.conftest import Person, code_of
from tests.api.running.conftest import RunningGateway
from tests.api.test_operators import Person as Operator
from tests.webhooks.conftest import Workers, hook
from tests.webhooks.receiver import OK, Receiver, status

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shop(gateway: RunningGateway) -> Person:
    return await gateway.person("shop")


async def failing(ben: Operator, query: str = "") -> list[dict[str, Any]]:
    return list((await ben.call("GET", f"/webhooks/failing{query}")).json()["items"])


async def test_an_endpoint_that_fails_is_listed_until_it_is_tried_again_and_succeeds(
    gateway: RunningGateway, ben: Operator, shop: Person, senders: Workers, receiver: Receiver
) -> None:
    made = await hook(shop, receiver.url, "payment.*", description="Web shop")
    alice = await gateway.person("alice", "10.00 EUR")
    receiver.answer = lambda _: status(503)
    await alice.pay("@shop", "1.00 EUR")
    assert await failing(ben) == []
    await senders.deliver()

    (found,) = await failing(ben)
    receiver.answer = lambda _: OK
    retried = await ben.call("POST", f"/webhooks/{made['id']}/retry", {})
    await senders.deliver()

    assert (found["id"], found["handle"], found["host"], found["waiting"]) == (made["id"], "shop", "127.0.0.1", 1)
    assert (found["last_outcome"], found["last_status"], found["disabled_by"]) == ("http_status", 503, None)
    assert found["failing_since"] is not None
    assert retried.json() == {"id": made["id"], "enabled": True}
    assert await failing(ben) == []
    assert len(receiver.received) == 2
    async with gateway.town.database.reading() as connection:
        (event,) = await audit.read(connection, kind="webhook.retried")
    assert (event.by.kind, event.by.id, event.subject) == ("operator", "ben", read("whk", made["id"]))


async def test_one_that_was_disabled_for_it_is_enabled_and_its_owner_is_told(
    gateway: RunningGateway, ben: Operator, shop: Person
) -> None:
    made = await hook(shop, "https://shop.example/hook?token=secret", "payment.*")
    async with gateway.town.database.transaction() as connection:
        await endpoint.disable(connection, read("whk", made["id"]), "failing", WORKER, gateway.api.clock())

    (found,) = await failing(ben)
    assert (await ben.call("POST", f"/webhooks/{made['id']}/retry", {})).status_code == 200

    assert (found["disabled_by"], found["host"], found["last_at"]) == ("failing", "shop.example", None)
    assert "secret" not in str(found), "the path of its URL may be a secret"
    assert (await shop.get(f"/v1/webhooks/{made['id']}")).json()["enabled"] is True
    told = [one["type"] for one in (await shop.get("/v1/events?type=webhook.*")).json()["items"]]
    assert told == ["webhook.created", "webhook.disabled", "webhook.changed"]


async def test_events_since_a_time_are_sent_again(
    gateway: RunningGateway, ben: Operator, shop: Person, senders: Workers, receiver: Receiver
) -> None:
    made = await hook(shop, receiver.url, "payment.*")
    alice = await gateway.person("alice", "10.00 EUR")
    paid = (await alice.pay("@shop", "1.00 EUR")).json()
    await senders.deliver()

    again = await ben.call("POST", f"/webhooks/{made['id']}/retry", {"since": paid["created_at"]})
    await senders.deliver()

    assert again.status_code == 200, again.text
    assert receiver.ids == [receiver.ids[0]] * 2


async def test_who_does_not_send_webhooks_again_changes_nothing(
    gateway: RunningGateway, ann: Operator, shop: Person
) -> None:
    made = await hook(shop, "https://shop.example/hook", "payment.*")
    async with gateway.town.database.transaction() as connection:
        await endpoint.disable(connection, read("whk", made["id"]), "gone", WORKER, gateway.api.clock())
    assert code_of(await ann.call("POST", f"/webhooks/{made['id']}/retry", {})) == (403, "forbidden")
    assert (await shop.get(f"/v1/webhooks/{made['id']}")).json()["disabled_by"] == "gone"


async def test_one_that_its_owner_has_disabled_stays_so(gateway: RunningGateway, ben: Operator, shop: Person) -> None:
    made = await hook(shop, "https://shop.example/hook", "payment.*", enabled=False)
    assert await failing(ben) == []
    assert code_of(await ben.call("POST", f"/webhooks/{made['id']}/retry", {})) == (409, "state_conflict")
    assert (await shop.get(f"/v1/webhooks/{made['id']}")).json()["disabled_by"] == "owner"


async def test_pages_of_them_follow_each_other(gateway: RunningGateway, ben: Operator, shop: Person) -> None:
    made = [(await hook(shop, "https://shop.example/hook", "payment.*"))["id"] for _ in range(3)]
    async with gateway.town.database.transaction() as connection:
        await connection.execute("UPDATE webhook_endpoint SET failing_since = $1", gateway.api.clock())
    first = (await ben.call("GET", "/webhooks/failing?limit=2")).json()
    rest = await failing(ben, f"?cursor={first['next_cursor']}")
    assert [one["id"] for one in [*first["items"], *rest]] == made[::-1]
    assert code_of(await ben.call("POST", "/webhooks/whk_01h455vb4pex5vsknk084sn02q/retry", {})) == (404, "not_found")
