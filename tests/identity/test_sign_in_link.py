"""The link that a sandbox's start prints: it signs in once, and never to a wallet that somebody guards."""

import asyncio
from datetime import datetime

import pytest

from gateway.identity.errors import InvalidLink
from gateway.identity.sign_in import link
from gateway.identity.wallet import Wallet
from gateway.postgres.pool import Database
from tests.authenticator import Authenticator
from tests.factory import NOW
from tests.identity.conftest import BY, Owner

pytestmark = pytest.mark.anyio


async def made(of: Owner) -> str:
    async with of.database.transaction() as connection:
        return await link.make(connection, of.wallet, BY, NOW)


async def use(database: Database, code: str, at: datetime = NOW) -> Wallet:
    async with database.transaction() as connection:
        return await link.use(connection, code, at)


async def test_a_link_signs_in_once_to_its_wallet(database: Database, alice: Owner) -> None:
    code = await made(alice)
    assert (await use(database, code)).id == alice.wallet
    with pytest.raises(InvalidLink):
        await use(database, code)


async def test_of_one_link_opened_many_times_at_once_one_signs_in(database: Database, alice: Owner) -> None:
    code = await made(alice)
    outcomes = await asyncio.gather(*(use(database, code) for _ in range(20)), return_exceptions=True)
    assert [type(one) for one in outcomes if not isinstance(one, Wallet)] == [InvalidLink] * 19


async def test_a_link_ends_after_a_day_and_with_the_next_one(database: Database, alice: Owner) -> None:
    first = await made(alice)
    second = await made(alice)
    for code, at in ((first, NOW), (second, NOW + link.GOOD_FOR)):
        with pytest.raises(InvalidLink):
            await use(database, code, at)
    assert (await use(database, second)).id == alice.wallet


async def test_no_link_opens_a_wallet_that_has_a_passkey_by_now(database: Database, alice: Owner) -> None:
    code = await made(alice)
    await alice.add(Authenticator())
    with pytest.raises(InvalidLink):
        await use(database, code)


async def test_neither_the_link_nor_its_code_is_kept(database: Database, alice: Owner) -> None:
    code = await made(alice)
    async with database.reading() as connection:
        kept = await connection.fetchval("SELECT hash FROM sign_in_link")
    assert code.encode() not in kept
    assert len(kept) == 32
