"""The console in a browser, over a gateway whose tokens are on a chain."""

from collections.abc import AsyncIterator

import pytest

from tests.api.running.conftest import House, housing
from tests.factory import Town
from tests.web.conftest import Site, served


@pytest.fixture
async def house(town: Town) -> AsyncIterator[House]:
    async with housing(town) as house:
        yield house


@pytest.fixture
async def site(house: House) -> AsyncIterator[Site]:
    async with served(house.api) as url:
        yield Site(url, house.api)
