"""The console in a browser, over a gateway whose tokens are on a chain."""

from collections.abc import AsyncIterator

import pytest

from tests.api.running.conftest import RunningGateway, running_gateway
from tests.factory import Town
from tests.web.conftest import Site, served


@pytest.fixture
async def gateway(town: Town) -> AsyncIterator[RunningGateway]:
    async with running_gateway(town) as gateway:
        yield gateway


@pytest.fixture
async def site(gateway: RunningGateway) -> AsyncIterator[Site]:
    async with served(gateway.api) as url:
        yield Site(url, gateway.api)
