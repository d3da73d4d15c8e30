"""How workers find what is new: by one cursor over the whole log, and one of each endpoint."""

import asyncio
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


async def news(api: Api) -> dict[str, bool]:
    async with api.services.database.reading() as connection:
        return {
            row["handle"]: row["has_news"]
            for row in await connection.fetch(
                "SELECT handle, has_news FROM webhook_endpoint JOIN wallet ON wallet.id = wallet_id"
            )
        }


async def note(api: Api) -> None:
    async with api.services.database.transaction() as connection:
        while await delivery.note_news(connection):
            pass


async def test_an_endpoint_has_news_when_its_wallet_is_told_of_something(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person
) -> None:
    carol = await api.person("carol")
    for one in (alice, bob, carol):
        await hook(one, receiver.url, "payment.*")
    await workers.deliver()
    assert await news(api) == {"alice": False, "bob": False, "carol": False}
    await alice.pay("@bob", "1.00 EUR")
    await note(api)
    assert await news(api) == {"alice": True, "bob": True, "carol": False}
    await workers.deliver()
    assert await news(api) == {"alice": False, "bob": False, "carol": False}
    assert len(receiver.received) == 2
    await carol.post("/v1/keys", {"name": "Shop", "scopes": ["read"]})
    await note(api)
    assert await news(api) == {"alice": False, "bob": False, "carol": True}


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
        assert not await delivery.note_news(connection)
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
