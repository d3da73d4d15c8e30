"""A gateway whose webhooks may go to loopback, its workers, and a receiver."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.api.events.views import rendering
from gateway.events.wake import Wake
from gateway.money import Assets
from gateway.outbound.allowed import Allowed, networks
from gateway.postgres.pool import Database
from gateway.webhooks.dispatcher import Dispatcher
from gateway.webhooks.sender import Sender
from tests.api.conftest import Api, Person, opened
from tests.webhooks.receiver import Receiver, receiving

LOOPBACK = Allowed(("https", "http"), networks(["127.0.0.0/8"]))


@dataclass
class Workers:
    """Workers for webhooks over the gateway's database, and what all of them send with."""

    api: Api
    allowed: Allowed = LOOPBACK
    sending: dict[str, Any] = field(default_factory=dict)
    made: list[Dispatcher] = field(default_factory=list)

    def another(self, slots: int = 32, wake: Wake | None = None) -> Dispatcher:
        services = self.api.services
        sender = Sender(self.allowed, self.api.clock, 4, **self.sending)
        render = rendering(services.settings)
        self.made.append(Dispatcher(services.database, services.vault, self.api.clock, render, sender, slots, wake))
        return self.made[-1]

    async def deliver(self, worker: Dispatcher | None = None) -> None:
        """Send all that is due now, and whatever becomes due by that."""
        worker = worker or (self.made[0] if self.made else self.another())
        while await worker.run():
            await worker.finish()


@pytest.fixture
async def api(database: Database, assets: Assets) -> AsyncIterator[Api]:
    async with opened(database, assets, webhooks_allowed=LOOPBACK) as api:
        yield api


@pytest.fixture
async def workers(api: Api) -> AsyncIterator[Workers]:
    workers = Workers(api)
    yield workers
    for one in workers.made:
        await one.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    """Another."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def alice(api: Api) -> Person:
    return await api.person("alice", "1000.00 EUR")


@pytest.fixture
async def bob(api: Api) -> Person:
    return await api.person("bob")


async def hook(of: Person, url: str, *types: str, **fields: Any) -> Any:
    """A new endpoint, as its owner is answered."""
    answer = await of.post("/v1/webhooks", {"url": url, "types": types or ["*"], **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def enable(of: Person, id: str, url: str, *types: str) -> None:
    body = {"url": url, "types": types or ["payment.*"]}
    answer = await of.api.call("PUT", f"/v1/webhooks/{id}", headers=of.bearer, json=body)
    assert answer.status_code == 200


async def deliveries(of: Person, id: str, query: str = "") -> list[Any]:
    answer = await of.get(f"/v1/webhooks/{id}/deliveries?limit=200{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def outcomes(of: Person, id: str) -> list[tuple[str, list[str]]]:
    """The state of each delivery and what its tries came to, the oldest event first."""
    found = await deliveries(of, id)
    return [(one["state"], [each["outcome"] for each in one["attempts"]]) for one in reversed(found)]
