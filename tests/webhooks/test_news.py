"""How workers find what is new: by one cursor over the whole log, and one of each endpoint."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from gateway.events import log, wake
from gateway.events.log import Event
from gateway.events.wake import Wake
from gateway.ids import WalletId, new_id, read
from gateway.postgres.pool import connect
from gateway.webhooks import delivery
from tests.api.conftest import Api, Person
from tests.processes import HANG_SECONDS
from tests.webhooks.conftest import Workers, hook
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

#: After whatever happens here.
LATER = "2999-01-01T00:00:00Z"


async def behind(api: Api) -> dict[str, bool]:
    """Whose endpoints are behind, and so read from their own cursors."""
    async with api.services.database.reading() as connection:
        return {
            row["handle"]: row["has_news"]
            for row in await connection.fetch(
                "SELECT handle, has_news FROM webhook_endpoint JOIN wallet ON wallet.id = wallet_id"
            )
        }


async def pending(api: Api) -> Counter[str]:
    """How many deliveries are pending for whom."""
    async with api.services.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT handle FROM webhook_delivery JOIN webhook_endpoint ON webhook_endpoint.id = endpoint_id "
            "JOIN wallet ON wallet.id = wallet_id WHERE state = 'pending'"
        )
        return Counter(row["handle"] for row in rows)


async def take_in(api: Api) -> None:
    async with api.services.database.transaction() as connection:
        while await delivery.take_in(connection, api.clock()):
            pass


@pytest.mark.parametrize("numbers", [10_000, 1], ids=["endpoints", "numbers"])
async def test_what_a_wallet_is_told_of_is_queued_for_its_endpoints(
    api: Api,
    workers: Workers,
    receiver: Receiver,
    alice: Person,
    bob: Person,
    monkeypatch: pytest.MonkeyPatch,
    numbers: int,
) -> None:
    """Whichever are fewer: the endpoints, or the numbers that are searched at once."""
    monkeypatch.setattr(delivery, "_NUMBERS", numbers)
    carol = await api.person("carol")
    for one in (alice, bob, bob, carol):
        await hook(one, receiver.url, "payment.*")
    await workers.deliver()
    await alice.pay("@bob", "1.00 EUR")
    await alice.pay("@bob", "1.00 EUR", capture=False)
    await carol.post("/v1/keys", {"name": "Shop", "scopes": ["read"]})
    await take_in(api)
    assert await pending(api) == {"alice": 2, "bob": 4}
    assert await behind(api) == {"alice": False, "bob": False, "carol": False}
    await workers.deliver()
    assert len(receiver.received) == 6
    assert await pending(api) == {}


async def test_an_event_that_was_read_from_an_endpoints_cursor_is_not_queued_again(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    """An endpoint is read to the end of the log, of which the search of all endpoints has come to less."""
    made = await hook(bob, receiver.url, "payment.*")
    await workers.deliver()
    async with api.services.database.reading() as connection:
        before: Any = await connection.fetchval("SELECT reached FROM webhook_position")
    await alice.pay("@bob", "1.00 EUR")
    assert (await bob.post(f"/v1/webhooks/{made['id']}/redeliveries", {"since": LATER})).status_code == 202
    await workers.deliver()
    assert len(receiver.received) == 1
    async with api.services.database.transaction() as connection:
        await connection.execute("UPDATE webhook_position SET reached = $1", before)
    await workers.deliver()
    assert len(receiver.received) == 1


async def test_types_that_an_endpoint_gets_later_do_not_fit_what_it_was_told_before(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "passkey.*")
    await workers.deliver()
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    settings = {"url": receiver.url, "types": ["payment.*"]}
    changed = await bob.api.call("PUT", f"/v1/webhooks/{made['id']}", headers=bob.bearer, json=settings)
    assert changed.status_code == 200
    await workers.deliver()
    assert receiver.received == []
    await alice.pay("@bob", "2.00 EUR")
    await workers.deliver()
    assert [one.event["data"]["amount"] for one in receiver.received] == ["2.00"]


async def test_what_happens_while_an_endpoint_is_disabled_is_sent_once_it_is_enabled(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    made = await hook(bob, receiver.url, "payment.*")
    await workers.deliver()
    for enabled in (False, True):
        await alice.pay("@bob", "1.00 EUR")
        await workers.deliver()
        settings = {"url": receiver.url, "types": ["payment.*"], "enabled": enabled}
        await bob.api.call("PUT", f"/v1/webhooks/{made['id']}", headers=bob.bearer, json=settings)
        assert len(receiver.received) == 1
    await workers.deliver()
    assert len(receiver.received) == len(set(receiver.ids)) == 2


async def test_no_event_is_passed_over_that_comes_while_an_endpoint_is_read_to_its_end(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    """One worker has read the endpoint, and has not committed; another searches the log meanwhile."""
    made = await hook(bob, receiver.url, "payment.*")
    await workers.deliver()
    assert (await bob.post(f"/v1/webhooks/{made['id']}/redeliveries", {"since": LATER})).status_code == 202
    async with api.services.database.transaction() as one:
        await delivery.take_in(one, api.clock())
        await alice.pay("@bob", "1.00 EUR")
        async with api.services.database.transaction() as another:
            await delivery.take_in(another, api.clock())
    await workers.deliver()
    assert len(receiver.received) == 1


async def test_no_event_is_passed_over_while_its_writer_has_not_committed(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    """An event has its number before it is there: later ones, of whomever, are sent once it is."""
    carol = await api.person("carol")
    await hook(bob, receiver.url, "payment.*")
    await hook(carol, receiver.url, "passkey.*")
    of, wrote, go_on = WalletId(read("wal", carol.wallet_id)), asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        now = api.clock()
        async with api.services.database.transaction() as connection:
            await log.append(connection, [Event("passkey.added", of, new_id(now), {"name": "Laptop"})], now)
            wrote.set()
            await go_on.wait()

    writing = asyncio.create_task(slowly())
    await wrote.wait()
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    assert receiver.received == []
    go_on.set()
    await writing
    await workers.deliver()
    assert sorted(one.event["type"] for one in receiver.received) == ["passkey.added", "payment.settled"]


async def test_without_endpoints_the_search_of_the_log_jumps_to_its_end(
    api: Api, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_NUMBERS", 1)
    await alice.pay("@bob", "1.00 EUR")
    async with api.services.database.transaction() as connection:
        assert not await delivery.take_in(connection, api.clock())
    async with api.services.database.reading() as connection:
        reached: Any = await connection.fetchval("SELECT reached FROM webhook_position")
        assert reached == await log.complete_to(connection)


async def test_a_worker_that_waits_is_woken_by_what_another_process_commits(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person, database_url: str
) -> None:
    await hook(bob, receiver.url, "payment.*")
    wake.attach(api.services.database)
    async with connect(database_url, connections=2) as another, asyncio.timeout(HANG_SECONDS):
        worker = workers.another(wake=Wake(another))
        await workers.deliver(worker)
        await worker.news.wait()  # it listens
        await workers.deliver(worker)
        worker.news.clear()
        await alice.pay("@bob", "1.00 EUR")
        await worker.news.wait()
        await workers.deliver(worker)
        assert len(receiver.received) == 1


async def test_a_worker_with_nothing_to_do_commits_nothing(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    """Each commit is news to others: two workers would keep each other awake."""
    await hook(bob, receiver.url, "payment.*")
    await alice.pay("@bob", "1.00 EUR")
    worker = workers.another()
    await workers.deliver(worker)
    commits = list[None]()
    api.services.database.committed = lambda: commits.append(None)
    for _ in range(3):
        assert not await worker.run()
    assert commits == []
