"""What is told of webhooks that wait, fail or are disabled."""

from datetime import timedelta

import pytest

from gateway.webhooks import delivery
from gateway.webhooks.delivery import Backlog
from tests.api.conftest import Api, Person
from tests.webhooks.conftest import Workers, hook
from tests.webhooks.receiver import Receiver, status

pytestmark = pytest.mark.anyio


async def backlog(api: Api) -> Backlog:
    async with api.services.database.reading() as connection:
        return await delivery.backlog(connection)


async def test_what_is_due_is_told_until_it_is_sent(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    await hook(bob, receiver.url, "payment.*")
    await workers.deliver()
    before = await backlog(api)
    await alice.pay("@bob", "1.00 EUR")
    async with api.services.database.transaction() as connection:
        await delivery.take_in(connection, api.clock())
    waiting = await backlog(api)
    await workers.deliver()
    sent = await backlog(api)

    assert before.due_since is None
    assert waiting.due_since is not None
    assert api.clock() - waiting.due_since < timedelta(minutes=1)
    assert waiting.reached > before.reached
    assert sent.due_since is None
    assert workers.made[0].attempts["delivered"] == 1


async def test_an_endpoint_that_fails_is_told_apart_and_makes_nothing_late(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    await hook(bob, receiver.url, "payment.*")
    disabled = await hook(bob, receiver.url, "payment.*")
    settings = {"url": receiver.url, "types": ["payment.*"], "enabled": False}
    path = f"/v1/webhooks/{disabled['id']}"
    assert (await bob.api.call("PUT", path, headers=bob.bearer, json=settings)).status_code == 200
    receiver.answer = lambda _: status(500)
    ok = await backlog(api)
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    failing = await backlog(api)

    assert ok.endpoints == {"ok": 1, "failing": 0, "disabled": 1}
    assert failing.endpoints == {"ok": 0, "failing": 1, "disabled": 1}
    assert failing.due_since is None
    assert workers.made[0].attempts["http_status"] == 1
