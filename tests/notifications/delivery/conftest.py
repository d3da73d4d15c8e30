"""E-mail and another channel, the pagers that people have, and what became of deliveries."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from gateway.audit.log import ANYONE
from gateway.ids import WalletId, read
from gateway.notifications import address, delivery, preference
from gateway.notifications.address import NewAddress
from gateway.notifications.channels.channel import Channel, Message, Outcome, Sent
from gateway.notifications.channels.email import Email
from gateway.notifications.delivery import Claimed
from gateway.notifications.vocabulary import Mode
from tests.api.conftest import Api, Person
from tests.notifications.conftest import Workers
from tests.notifications.mail_server import MailServer

MAIL = "alice@example.com"


@dataclass
class Pager(Channel):
    """Another channel, which answers as a test says."""

    outcome: Outcome = field(default_factory=Sent)
    sent: list[tuple[str, Message]] = field(default_factory=list)
    hangs: asyncio.Event | None = None
    name: str = "pager"

    at_once = 2
    needs_code = False

    def check(self, address: str) -> str:
        return address

    def shown(self, address: str) -> str:
        return address

    async def send(self, address: str, message: Message) -> Outcome:
        if self.hangs is not None:
            await self.hangs.wait()
        self.sent.append((address, message))
        return self.outcome

    async def close(self) -> None:
        pass


@pytest.fixture
def pager() -> Pager:
    return Pager()


@pytest.fixture
async def workers(api: Api, mails: MailServer, pager: Pager) -> Any:
    workers = Workers(api, (Email(mails.server()), pager))
    yield workers
    for one in workers.made:
        await one.close()


async def paged(api: Api, of: Person, pager: Pager, number: str = "17") -> UUID:
    """A pager of somebody's."""
    wallet = WalletId(read("wal", of.wallet_id))
    async with api.services.database.transaction() as connection:
        wanted = NewAddress(number, "en", "UTC")
        added = await address.add(connection, api.services.vault, pager, wallet, wanted, ANYONE, api.clock())
    return added.id


async def modes(api: Api, of: Person, channel: str = "pager", **by_kind: Mode) -> None:
    """Modes of a channel."""
    wallet = WalletId(read("wal", of.wallet_id))
    wanted = {(kind, channel): mode for kind, mode in by_kind.items()}
    async with api.services.database.transaction() as connection:
        await preference.change(connection, wallet, wanted, (), ANYONE, api.clock())


async def rows(api: Api, kind: str = "bank_movement") -> list[tuple[str, str, str | None, str | None]]:
    """Channel, state, reason and what it falls back from, of deliveries of a kind."""
    async with api.services.database.reading() as connection:
        found = await connection.fetch(
            "SELECT channel, state, reason, falls_back_from FROM notification_delivery"
            " JOIN notification USING (wallet_id, event) WHERE kind = $1 ORDER BY channel",
            kind,
        )
    return [tuple(row) for row in found]


async def refuse(to: str) -> str | None:
    return "450 4.2.0 later"


async def nobody(to: str) -> str | None:
    return "550 5.1.1 nobody here"


async def claimed_now(api: Api) -> list[Claimed]:
    async with api.services.database.transaction() as connection:
        return await delivery.claim(connection, "email", 5, api.clock())
