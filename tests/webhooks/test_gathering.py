"""Outcomes that come soon after each other are recorded in one transaction."""

import pytest

from gateway.webhooks import dispatcher
from tests.api.conftest import Api, Person
from tests.processes import HANG_SECONDS
from tests.webhooks.conftest import Workers, hook
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio


async def recorded(api: Api) -> tuple[int, int]:
    """How many attempts there are, and how many transactions wrote them."""
    async with api.services.database.reading() as connection:
        row = await connection.fetchrow("SELECT count(*) AS all, count(DISTINCT xmin::text) AS by FROM webhook_attempt")
    assert row is not None
    return row["all"], row["by"]


async def test_outcomes_of_deliveries_that_were_sent_together_are_recorded_together(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_GATHER_SECONDS", 1.0)
    await hook(bob, receiver.url, "payment.*")
    for _ in range(3):
        await alice.pay("@bob", "1.00 EUR")

    await workers.deliver()

    assert await recorded(api) == (3, 1)


async def test_the_outcome_of_a_lone_delivery_waits_for_nobody(
    api: Api, workers: Workers, receiver: Receiver, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_GATHER_SECONDS", 10 * HANG_SECONDS)
    await hook(bob, receiver.url, "payment.*")
    await alice.pay("@bob", "1.00 EUR")

    await workers.deliver()

    assert await recorded(api) == (1, 1)
