"""What tests of payments share."""

import pytest

from gateway.money import Assets
from gateway.postgres.pool import Database
from tests.payments.avenue import Avenue
from tests.payments.street import Street


@pytest.fixture
async def street(database: Database, assets: Assets) -> Street:
    street = Street(database, assets)
    await street.move_in(0)
    return street


@pytest.fixture
async def avenue(database: Database, assets: Assets) -> Avenue:
    avenue = Avenue(database, assets)
    await avenue.move_in()
    return avenue
