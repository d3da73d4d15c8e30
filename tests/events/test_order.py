"""Every writer of events announces them before it is given numbers: no reader passes one that is still writing.

Each writer is stopped by a trigger when it has a number for its first event and has not committed. A later event is
committed meanwhile, and a reader may not show it yet.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from gateway.events import log
from gateway.events.log import Event
from gateway.ids import WalletId
from gateway.payments.records import records
from gateway.postgres.pool import Database
from tests.api.conftest import Api, Person, api
from tests.databases import until_waiting
from tests.factory import NOW

__all__ = ["api"]

pytestmark = pytest.mark.anyio

#: Stops every writer but that of the later event while the test has the lock, however long the writer would wait.
STOPPED = """
CREATE TABLE event_writer (context text);
CREATE FUNCTION stopped() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
DECLARE context text;
BEGIN
    IF NEW.kind <> 'test.later' THEN
        GET DIAGNOSTICS context = PG_CONTEXT;
        INSERT INTO event_writer VALUES (context);
        PERFORM pg_advisory_xact_lock_shared(1, 1);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stopped BEFORE INSERT ON logged_event FOR EACH ROW EXECUTE FUNCTION stopped();
CREATE FUNCTION payment_stopped() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
DECLARE context text;
BEGIN
    GET DIAGNOSTICS context = PG_CONTEXT;
    INSERT INTO event_writer VALUES (context);
    PERFORM pg_advisory_xact_lock_shared(1, 1);
    RETURN NEW;
END $$;
CREATE TRIGGER stopped BEFORE INSERT ON ledger_payment FOR EACH ROW EXECUTE FUNCTION payment_stopped();
"""

#: The functions that write events, or have log_events write them. `log.append` calls log_events itself.
WRITERS = """
SELECT proname FROM pg_proc WHERE prosrc ~* 'INSERT INTO (logged_event|ledger_payment)\\M|PERFORM log_events\\('
"""


async def lone(alice: Person, _: str) -> None:
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201


async def token(alice: Person, _: str) -> None:
    assert (await alice.pay("@bob", "1 USDX")).status_code == 202


async def hold(alice: Person, _: str) -> None:
    assert (await alice.pay("@bob", "1.00 EUR", capture=False)).status_code == 201


async def request(alice: Person, _: str) -> None:
    asked = {"from": "@bob", "amount": "1.00", "asset": "EUR"}
    assert (await alice.post("/v1/requests", asked)).status_code == 201


async def capture(alice: Person, held: str) -> None:
    assert (await alice.post(f"/v1/payments/{held}/capture", {})).status_code == 200


async def batch(alice: Person, _: str) -> None:
    async with alice.api.services.database.transaction() as connection:
        queued = await connection.fetchval("SELECT authorization_id FROM payment WHERE state = 'queued'")
        assert len((await records.submit(connection, [queued], "0x1", NOW))[0]) == 1


#: Calls by somebody who has a held and a queued payment, and the function that writes the event of each.
CALLS: dict[Callable[[Person, str], Awaitable[None]], str] = {
    lone: "settle_payments",
    token: "hold_payments",
    hold: "hold_payments",
    capture: "end_payments",
    batch: "submit_payments",
    request: "log_events",
}


@asynccontextmanager
async def stopping(database: Database) -> AsyncIterator[None]:
    """Until the end of the block, whoever writes events waits before the first is in the log."""
    async with database.transaction() as gate:
        await gate.execute("SELECT pg_advisory_xact_lock(1, 1)")
        yield


async def read(database: Database, wallet: WalletId, after: int) -> list[log.LoggedEvent]:
    async with database.reading() as connection:
        return (await log.read(connection, wallet, after, 100)).events


@pytest.mark.parametrize("call", CALLS)
async def test_no_reader_passes_a_writer_that_has_a_number_and_has_not_committed(
    api: Api, call: Callable[[Person, str], Awaitable[None]]
) -> None:
    alice = await api.person("alice", "10.00 EUR", "10 USDX")
    bob = await api.person("bob")
    await alice.pay("@bob", "1.00 EUR")  # opens the accounts, which the statements do not
    await alice.post("/v1/deposits", {"amount": "1.00", "asset": "EUR"})
    await bob.receive("1 USDX")
    held = (await alice.pay("@bob", "1.00 EUR", capture=False)).json()["id"]
    await alice.pay("@bob", "1 USDX")
    database = api.services.database
    async with database.transaction() as connection:
        await connection.execute(STOPPED)
        wallet = WalletId(await connection.fetchval("SELECT id FROM wallet WHERE handle = 'alice'"))
    before = await read(database, wallet, 0)

    async with stopping(database):
        writing = asyncio.create_task(call(alice, held))
        async with database.reading() as connection:
            await until_waiting(connection, 1, writing)
        async with database.transaction() as connection:
            await log.append(connection, [Event("test.later", wallet, None, {})], NOW)
        passed = await read(database, wallet, before[-1].number)
    await writing

    assert passed == []
    after = await read(database, wallet, before[-1].number)
    assert [event.number for event in after] == sorted(await numbers(database, wallet, before[-1].number))
    assert {event.kind for event in after} > {"test.later"}
    assert await written_by(database) == {CALLS[call]}


async def test_there_is_a_call_for_every_writer(database: Database) -> None:
    async with database.reading() as connection:
        functions = {row["proname"] for row in await connection.fetch(WRITERS)}
    assert functions == set(CALLS.values())


async def numbers(database: Database, wallet: UUID, after: int) -> list[int]:
    async with database.reading() as connection:
        found = await connection.fetch(
            "SELECT id FROM event WHERE (wallet_id = $1 OR other_id = $1) AND id > $2", wallet, after
        )
    return [row["id"] for row in found]


async def written_by(database: Database) -> set[str]:
    """The functions that were called to write events: of each trigger's stack, the outermost."""
    async with database.reading() as connection:
        contexts = [row["context"] for row in await connection.fetch("SELECT context FROM event_writer")]
        names = [row["proname"] for row in await connection.fetch(WRITERS)]
    return {max(names, key=lambda name: context.rfind(f"function {name}(")) for context in contexts}
