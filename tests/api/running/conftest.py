"""A gateway over a database and a chain of the test's own, a worker that does a step when told to, and operators."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import pytest

from gateway.http.services import Services
from gateway.worker.jobs import checkpoint
from tests.api.conftest import Api, MovableClock, Person
from tests.api.test_operators import Person as Operator
from tests.api.test_operators import operator
from tests.applications import application
from tests.factory import Town
from tests.front import client_of
from tests.webhooks.conftest import LOOPBACK, Workers
from tests.webhooks.receiver import Receiver, receiving


@dataclass
class RunningGateway:
    """The API over a town whose tokens are on a chain."""

    town: Town
    api: Api

    async def person(self, handle: str, *moneys: str) -> Person:
        """Somebody with this much money; tokens are bought with as much of their currency, and final."""
        person = await self.api.person(handle)
        for money in moneys:
            units, code = money.split()
            if code != "USDX":
                await person.receive(money)
                continue
            await person.receive(f"{units} USD")
            bought = await person.post("/v1/conversions", {"amount": units, "asset": "USD", "to_asset": "USDX"})
            assert bought.status_code == 202, bought.text
            await self.town.settle()
        return person

    async def cover(self) -> None:
        """Have checkpoints cover both logs."""
        await checkpoint.run(self.town.worker())


@asynccontextmanager
async def running_gateway(town: Town) -> AsyncIterator[RunningGateway]:
    """The API over this town."""
    clock = town.clock = MovableClock()
    services = Services(
        *(town.database, town.settings, town.vault, clock, town.node),
        webhooks_allowed=LOOPBACK,
        finality=town.FINALITY,
    )
    app = application(services)
    async with client_of(app) as client:
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        yield RunningGateway(town, Api(services, clock, client, app))


@pytest.fixture
async def gateway(town: Town) -> AsyncIterator[RunningGateway]:
    async with running_gateway(town) as gateway:
        yield gateway


@pytest.fixture
async def ann(gateway: RunningGateway) -> Operator:
    """She does what finance does."""
    return await operator(gateway.api, "ann", "finance")


@pytest.fixture
async def ben(gateway: RunningGateway) -> Operator:
    """He does what support does."""
    return await operator(gateway.api, "ben", "support")


@pytest.fixture
async def senders(gateway: RunningGateway) -> AsyncIterator[Workers]:
    """Workers that send the webhooks of the gateway."""
    workers = Workers(gateway.api)
    yield workers
    for one in workers.made:
        await one.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def of_kind(steps: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The details of the steps of a kind."""
    return [step["details"] for step in steps if step["kind"] == kind]
