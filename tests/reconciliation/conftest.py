"""What tests of a restore share."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.embedded.postgres import Postgres
from tests.factory import Town
from tests.reconciliation.restored import Copies, Gateway, opened


@pytest.fixture
async def copies(server: Postgres, tmp_path: Path) -> AsyncIterator[Copies]:
    async with AsyncExitStack() as stack:
        yield Copies(server, tmp_path, stack)


@pytest.fixture
async def before(town: Town) -> AsyncIterator[Gateway]:
    async with opened(town) as gateway:
        yield gateway
