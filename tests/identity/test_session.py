"""Sessions: their tokens are replaced, stolen ones are found out, and they end when their owner or the time says so."""

import asyncio
from datetime import datetime, timedelta

import pytest

from gateway.errors import NotFound, Unauthenticated
from gateway.identity.credential import SCOPES
from gateway.identity.sign_in import session
from gateway.identity.sign_in.session import FRESH, IDLE, LASTS, OVERLAP, ROTATES_AFTER, Open, Session
from gateway.identity.wallet import Wallet
from gateway.ids import SessionId, WalletId, new_id
from gateway.postgres.pool import Database
from tests.authenticator import Authenticator
from tests.factory import NOW
from tests.identity.conftest import BY, Owner, owner

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)


async def started(of: Owner, before: str | None = None, at: datetime = NOW) -> tuple[Session, str]:
    async with of.database.transaction() as connection:
        return await session.start(connection, of.wallet, "ethereum", None, "Firefox\x00 on Linux", before, at)


async def lasting(of: Owner, at: datetime = NOW) -> list[Session]:
    async with of.database.reading() as connection:
        return await session.sessions(connection, of.wallet, at)


async def is_refused(database: Database, token: str, at: datetime) -> bool:
    try:
        await session.open(database, token, at)
    except Unauthenticated:
        return True
    return False


async def test_a_token_opens_its_session_and_lies_nowhere(database: Database, alice: Owner) -> None:
    begun, token = await started(alice)

    found = await session.open(database, token, NOW + SECOND)

    assert (found.session, found.wallet.handle, found.token) == (begun, "alice", None)
    assert found.session.device == "Firefox on Linux"
    async with database.reading() as connection:
        for table in ("session", "session_token", "event"):
            rows = await connection.fetch(f"SELECT t::text FROM {table} AS t")
            assert not any(token.removeprefix("gs_") in row[0] for row in rows)
    assert await is_refused(database, token[:-1], NOW)
    assert await is_refused(database, "", NOW)


async def test_a_token_is_replaced_when_it_is_old_and_both_open_for_a_moment(database: Database, alice: Owner) -> None:
    begun, token = await started(alice)
    later = NOW + ROTATES_AFTER

    replaced = await session.open(database, token, later)

    assert replaced.token is not None
    for one in (token, replaced.token):
        found = await session.open(database, one, later + OVERLAP - SECOND)
        assert (found.session.id, found.token) == (begun.id, None)


async def test_of_many_requests_at_once_one_is_given_the_next_token(database: Database, alice: Owner) -> None:
    _, token = await started(alice)
    found = await asyncio.gather(*(session.open(database, token, NOW + ROTATES_AFTER) for _ in range(20)))
    assert len([one for one in found if isinstance(one, Open) and one.token]) == 1


async def test_a_stolen_token_that_is_used_again_after_rotation_ends_the_session(
    database: Database, alice: Owner
) -> None:
    _, stolen = await started(alice)
    kept = (await session.open(database, stolen, NOW + ROTATES_AFTER)).token
    assert kept is not None
    late = NOW + ROTATES_AFTER + OVERLAP

    assert await is_refused(database, stolen, late)

    assert await is_refused(database, kept, late)
    assert await lasting(alice, late) == []
    assert (await alice.events())[-1] == "session.ended"
    assert await is_refused(database, stolen, late)
    assert (await alice.events()).count("session.ended") == 1


async def test_a_session_that_was_planted_is_never_signed_in(database: Database, alice: Owner) -> None:
    eve = await owner(database, "eve")
    _, planted = await started(eve)

    begun, token = await started(alice, before=planted)

    assert token != planted
    assert await is_refused(database, planted, NOW)
    assert (await session.open(database, token, NOW)).session.id == begun.id
    _, made_up = await started(alice, before="gs_chosen_by_somebody_else")
    assert made_up != "gs_chosen_by_somebody_else"
    assert await is_refused(database, "gs_chosen_by_somebody_else", NOW)


async def test_signing_in_again_ends_the_session_before(database: Database, alice: Owner) -> None:
    _, first = await started(alice)
    begun, _ = await started(alice, before=first, at=NOW + SECOND)
    assert await is_refused(database, first, NOW + SECOND)
    assert [one.id for one in await lasting(alice)] == [begun.id]


async def test_a_session_is_over_after_its_time_and_when_nobody_uses_it(database: Database, alice: Owner) -> None:
    _, unused = await started(alice)
    assert not await is_refused(database, unused, NOW + ROTATES_AFTER - SECOND)
    assert await is_refused(database, unused, NOW + IDLE)
    assert await lasting(alice, NOW + IDLE) == []

    _, token = await started(alice)
    at = NOW
    while at < NOW + LASTS - IDLE / 2:
        at += IDLE / 2
        token = (await session.open(database, token, at)).token or token
    assert await is_refused(database, token, NOW + LASTS)


async def test_sessions_are_listed_and_ended_by_their_owner_alone(database: Database, alice: Owner) -> None:
    eve = await owner(database, "eve")
    (here, token), (there, other) = await started(alice), await started(alice, at=NOW + SECOND)
    assert [one.id for one in await lasting(alice)] == [there.id, here.id]

    async with database.transaction() as connection:
        with pytest.raises(NotFound):
            await session.end(connection, eve.wallet, there.id, BY, NOW)
        await session.end(connection, alice.wallet, there.id, BY, NOW)
        with pytest.raises(NotFound):
            await session.end(connection, alice.wallet, there.id, BY, NOW)

    assert await is_refused(database, other, NOW + SECOND)
    assert not await is_refused(database, token, NOW + SECOND)
    assert [one.id for one in await lasting(alice)] == [here.id]


async def test_what_was_begun_with_a_passkey_ends_with_it(database: Database, alice: Owner) -> None:
    lost = await alice.add(Authenticator())
    async with database.transaction() as connection:
        _, token = await session.start(connection, alice.wallet, "passkey", lost.id, "phone", None, NOW)
    _, kept = await started(alice)
    async with database.transaction() as connection:
        await session.end_of_passkey(connection, lost.id, NOW)
    assert await is_refused(database, token, NOW)
    assert not await is_refused(database, kept, NOW)


async def test_tokens_of_sessions_that_are_over_do_not_pile_up(database: Database, alice: Owner) -> None:
    for _ in range(3):
        await started(alice)
    _, token = await started(alice, at=NOW + LASTS)
    async with database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM session_token") == 1
    assert not await is_refused(database, token, NOW + LASTS)


def test_a_session_is_fresh_for_minutes() -> None:
    assert timedelta(minutes=1) <= FRESH <= timedelta(minutes=5) < ROTATES_AFTER
    id = WalletId(new_id(NOW))
    begun = Session(SessionId(new_id(NOW)), id, "passkey", None, "", NOW, NOW, NOW + LASTS)
    of = Wallet(id, "alice", "0x" + "1" * 40, guarded=True)

    scopes = [begun.credential(of, NOW + age).scopes for age in (timedelta(), FRESH - SECOND, FRESH)]

    assert scopes == [frozenset(SCOPES), frozenset(SCOPES), {"read"}]
