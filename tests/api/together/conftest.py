"""A second gateway over the same database, and what comes of calls that are made at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar import Response

from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.postgres.pool import connect
from tests.api.conftest import Api, opened


@pytest.fixture
async def other(api: Api, database_url: str) -> AsyncIterator[Api]:
    """A second gateway over the same database, with a pool of its own."""
    async with connect(database_url, 16) as database, opened(database, api.services.settings.assets) as other:
        yield other


async def outcomes(tasks: "list[asyncio.Task[Response[Any]]]") -> list[str]:
    """The status of each, followed by an r for a replay, or the name of the refusal."""
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    return [
        f"{answer.status_code}{'r' * ('Idempotency-Replayed' in answer.headers)}"
        if isinstance(answer, Response)
        else type(answer).__name__
        for answer in answers
    ]


async def wallet_of(api: Api, handle: str, *moneys: str) -> Wallet:
    await api.person(handle, *moneys)
    async with api.services.database.reading() as connection:
        return await wallet.by_handle(connection, handle)
