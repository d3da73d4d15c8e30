"""A gateway that sends e-mail to a server of the test's, its workers, and people with addresses."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from gateway.assembly import report_links
from gateway.money import Assets
from gateway.notifications.channels.channel import Channel
from gateway.notifications.channels.email import Email
from gateway.notifications.notifier import Notifier
from gateway.postgres.pool import Database
from tests.api.conftest import Api, Person, opened
from tests.notifications.mail_server import MailServer, serving

URL = "https://pay.example"


@dataclass
class Workers:
    """Workers for notices over the gateway's database."""

    api: Api
    channels: Sequence[Channel]
    made: list[Notifier] = field(default_factory=list)

    def another(self, database: Database | None = None, channels: Sequence[Channel] | None = None) -> Notifier:
        services = self.api.services
        self.made.append(
            Notifier(
                *(database or services.database, services.vault, self.api.clock),
                self.channels if channels is None else channels,
                *(report_links(services.settings, self.api.clock), URL),
            )
        )
        return self.made[-1]

    async def deliver(self, worker: Notifier | None = None) -> None:
        """Send all that is due now, and whatever becomes due by that."""
        worker = worker or (self.made[0] if self.made else self.another())
        while await worker.run():
            await worker.finish()

    async def later(self, **ahead: float) -> None:
        """So much later, send what is due."""
        self.api.clock.ahead += timedelta(**ahead)
        await self.deliver()


@pytest.fixture
async def mails() -> AsyncIterator[MailServer]:
    async with serving() as mails:
        yield mails


@pytest.fixture
async def api(database: Database, assets: Assets, mails: MailServer) -> AsyncIterator[Api]:
    async with opened(database, assets, channels=(Email(mails.server()),)) as api:
        yield api


@pytest.fixture
async def workers(api: Api) -> AsyncIterator[Workers]:
    workers = Workers(api, api.services.channels)
    yield workers
    for one in workers.made:
        await one.close()


@pytest.fixture
async def alice(api: Api) -> Person:
    return await api.person("alice", "1000.00 EUR")


@pytest.fixture
async def bob(api: Api) -> Person:
    return await api.person("bob")


async def asked(of: Person, address: str, **fields: Any) -> Any:
    """An address that waits for its code."""
    answer = await of.post("/v1/notifications/addresses", {"channel": "email", "address": address, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def code_in(mails: MailServer, address: str) -> str:
    found = re.search(r"[0-9]{6}", mails.to(address)[-1].subject)
    assert found
    return found[0]


async def confirmed(of: Person, workers: Workers, mails: MailServer, address: str, **fields: Any) -> Any:
    """An address of somebody's, confirmed by the code that was sent to it."""
    id = (await asked(of, address, **fields))["id"]
    await workers.deliver()
    code = code_in(mails, address)
    answer = await of.post(f"/v1/notifications/addresses/{id}/confirmation", {"code": code})
    assert (answer.status_code, answer.json()["state"]) == (200, "confirmed"), answer.text
    mails.mails.clear()
    return answer.json()


async def prefer(of: Person, **modes: str) -> Any:
    """Set modes of e-mail, by kind; the rest is on."""
    body = {"modes": [{"kind": kind, "channel": "email", "mode": mode} for kind, mode in modes.items()]}
    return await of.api.call("PUT", "/v1/notifications/preferences", headers=of.bearer, json=body)


async def removed(of: Person, id: str) -> Any:
    return await of.api.call("DELETE", f"/v1/notifications/addresses/{id}", headers=of.bearer)


async def notices(of: Person, query: str = "") -> list[Any]:
    answer = await of.get(f"/v1/notifications{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def states(of: Person) -> list[tuple[str, list[tuple[str, str | None]]]]:
    """Each notice's event, and the state and reason of its deliveries; the oldest first."""
    return [
        (one["type"], [(each["state"], each["reason"]) for each in one["deliveries"]])
        for one in reversed(await notices(of, "?limit=200"))
        if one["deliveries"]
    ]
