"""Verification: whatever was done to either log or to the chain is found, and where it begins is named."""

from collections.abc import Sequence

import pytest

from gateway.audit import checkpoint, verify
from gateway.audit.checkpoint import Part, hash_of
from gateway.errors import InvalidRequest
from gateway.money import Assets
from tests.audit.conftest import Logs
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

NAMES = [f"n{n}" for n in range(1, 8)]


@pytest.fixture
async def checkpointed(logs: Logs) -> Logs:
    """Seven events and seven audit events under three checkpoints: numbers 1 to 3, 4 to 6 and 7."""
    for names in (NAMES[:3], NAMES[3:6], NAMES[6:]):
        await logs.happen(*names)
        assert await logs.checkpoint() is not None
    return logs


ALTERED = [
    "kind = 'other'",
    '{payload} = \'{"of": "other"}\'',
    "at = at + interval '1 microsecond'",
    "wallet_id = gen_random_uuid()",
    "subject = gen_random_uuid()",
]


#: Which table has the rows of each log.
TABLES = {"event": "logged_event", "audit_event": "audit_event"}

#: The column of each that says what happened.
PAYLOADS = {"event": "payload", "audit_event": "details"}

#: What a row of each is called in a sentence.
ROWS = {"event": "event", "audit_event": "audit event"}


async def test_logs_as_they_were_written_are_verified_to_the_head(checkpointed: Logs) -> None:
    found = await checkpointed.verify()
    assert (found.checkpoints, found.rows, found.pending, found.broken) == (
        *(3, {"event": 7, "audit_event": 7}, {"event": 0, "audit_event": 0}, []),
    )
    assert found.head.number == 3


async def test_rows_that_no_checkpoint_covers_yet_are_counted_and_not_verified(checkpointed: Logs) -> None:
    await checkpointed.happen("late", "later")
    found = await checkpointed.verify()
    assert (found.rows, found.pending, found.broken) == (
        dict.fromkeys(checkpoint.LOGS, 7),
        dict.fromkeys(checkpoint.LOGS, 2),
        [],
    )
    await checkpointed.tamper("UPDATE logged_event SET kind = 'other' WHERE kind = 'late'")
    assert await checkpointed.broken() == []


@pytest.mark.parametrize("name", checkpoint.LOGS)
@pytest.mark.parametrize("change", ALTERED)
async def test_an_altered_row_is_named(checkpointed: Logs, name: str, change: str) -> None:
    await checkpointed.tamper(
        f"UPDATE {TABLES[name]} SET {change} WHERE id IN (5, 6)".replace("{payload}", PAYLOADS[name])
    )
    assert await checkpointed.broken() == [f"{ROWS[name]} 5 was altered"]


@pytest.mark.parametrize(
    "change", ["amount = 3", "fee = 1", "memo = 'tea'", "debit_id = 0", "credit_id = 0", "posted_at = now()", "id = id"]
)
async def test_the_event_that_a_ledger_payment_is_cannot_be_altered(logs: Logs, assets: Assets, change: str) -> None:
    town = LedgerTown(logs.database, assets)
    alice, _ = await town.person("alice", "9 EUR"), await town.person("bob")
    await town.pay(alice, "@bob", "2 EUR")
    await logs.checkpoint()
    async with logs.database.reading() as connection:
        number = await connection.fetchval("SELECT event FROM ledger_payment")

    await logs.tamper(f"UPDATE ledger_payment SET {change}")

    assert await logs.broken() == ([] if change == "id = id" else [f"event {number} was altered"])
    await logs.tamper("DELETE FROM ledger_payment")
    assert await logs.broken() == [f"event {number} was removed"]


async def test_who_did_it_cannot_be_altered(checkpointed: Logs) -> None:
    await checkpointed.tamper("UPDATE audit_event SET by_id = 'somebody else' WHERE id = 2")
    assert await checkpointed.broken() == ["audit event 2 was altered"]


@pytest.mark.parametrize("name", checkpoint.LOGS)
@pytest.mark.parametrize("number", [1, 3, 4, 7])
async def test_a_removed_row_is_named(checkpointed: Logs, name: str, number: int) -> None:
    await checkpointed.tamper(f"DELETE FROM {TABLES[name]} WHERE id = {number}")
    assert await checkpointed.broken() == [f"{ROWS[name]} {number} was removed"]


@pytest.mark.parametrize("number", [-3, 0, 5])
async def test_an_inserted_row_is_named(checkpointed: Logs, number: int) -> None:
    await checkpointed.tamper(
        "DELETE FROM logged_event WHERE id = 5",
        "INSERT INTO logged_event (id, kind, payload, at) OVERRIDING SYSTEM VALUE"
        f" VALUES ({number}, 'new', '{{}}', now())",
    )
    expected = {5: "event 5 was altered"}.get(number, f"event {number} was inserted")
    assert await checkpointed.broken() == [expected]


async def test_a_row_in_the_place_of_one_that_was_rolled_back_is_an_inserted_one(logs: Logs) -> None:
    await logs.roll_back("never")
    await logs.happen("two")
    await logs.checkpoint()
    await logs.tamper(
        "INSERT INTO audit_event (id, kind, by_kind, by_id, details, at) OVERRIDING SYSTEM VALUE"
        " VALUES (1, 'new', 'worker', '', '{}', now())"
    )
    assert await logs.broken() == ["audit event 1 was inserted"]


async def test_the_first_difference_of_each_log_is_named_however_many_there_are(checkpointed: Logs) -> None:
    await checkpointed.tamper(
        "UPDATE logged_event SET kind = 'other' WHERE id IN (6, 7)",
        "DELETE FROM logged_event WHERE id = 4",
        "UPDATE audit_event SET kind = 'other' WHERE id = 2",
    )
    assert await checkpointed.broken() == ["event 4 was removed", "audit event 2 was altered"]


BROKEN_CHECKPOINTS: Sequence[tuple[str, str]] = [
    ("UPDATE checkpoint SET hash = sha256(hash) WHERE number = 2", "checkpoint 2 was altered"),
    ("UPDATE checkpoint SET at = at + interval '1 second' WHERE number = 2", "checkpoint 2 was altered"),
    ("UPDATE checkpoint SET previous = sha256(previous) WHERE number = 2", "checkpoint 2 was altered"),
    ("UPDATE checkpoint SET events = substr(events, 1, 40) WHERE number = 2", "checkpoint 2 was altered"),
    ("UPDATE checkpoint SET audit_events_to = audit_events_to + 1 WHERE number = 2", "checkpoint 2 was altered"),
    ("DELETE FROM checkpoint WHERE number = 1", "checkpoint 1 was removed"),
    ("DELETE FROM checkpoint WHERE number = 2", "checkpoint 2 was removed"),
    ("UPDATE checkpoint SET key_id = gen_random_uuid() WHERE number = 2", "checkpoint 2 is under an unknown key"),
]


@pytest.mark.parametrize(("statement", "named"), BROKEN_CHECKPOINTS)
async def test_a_broken_checkpoint_is_named(checkpointed: Logs, statement: str, named: str) -> None:
    await checkpointed.tamper(statement)
    assert await checkpointed.broken() == [named]


async def test_who_has_the_database_alone_can_make_no_checkpoint(checkpointed: Logs) -> None:
    """They alter a row, and make its checkpoint and all later ones anew; but with what key?"""
    async with checkpointed.database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE logged_event SET kind = 'other' WHERE id = 5")
        previous = None
        for row in await connection.fetch(checkpoint.sql.checkpoints, 1, 100):
            one = checkpoint.checkpoint_of(row)
            leaves = await checkpoint.leaves_of(connection, "event", one.parts["event"].after, one.parts["event"].to)
            parts = {**one.parts, "event": Part(one.parts["event"].after, one.parts["event"].to, leaves)}
            previous = previous or one.previous
            forged = hash_of(bytes(32), one.number, previous, one.at, one.key, parts)
            await connection.execute(
                "UPDATE checkpoint SET events = $1, previous = $2, hash = $3 WHERE number = $4",
                *(leaves, previous, forged, one.number),
            )
            previous = forged
    assert await checkpointed.broken() == ["checkpoint 2 was altered"]


async def test_a_checkpoint_from_elsewhere_under_the_same_key_does_not_follow(checkpointed: Logs) -> None:
    """Whoever has an old copy of the database has checkpoints that were good there."""
    async with checkpointed.database.transaction() as connection:
        rows = await connection.fetch(checkpoint.sql.checkpoints, 0, 1)
        first = checkpoint.checkpoint_of(rows[0])
        other = hash_of(checkpointed.key.secret, 2, b"x" * 32, first.at, first.key, first.parts)
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("DELETE FROM checkpoint WHERE number > 1")
        fields = [first.parts[name] for name in checkpoint.LOGS]
        await connection.execute(
            checkpoint.sql.add_checkpoint,
            *(2, b"x" * 32, first.at, first.key, other),
            *(value for part in fields for value in (part.after, part.to, part.leaves)),
        )
    assert await checkpointed.broken() == ["checkpoint 2 does not follow the one before it"]


async def test_a_head_that_was_noted_is_still_on_the_chain(checkpointed: Logs) -> None:
    noted = (await checkpointed.verify()).head
    await checkpointed.happen("more")
    await checkpointed.checkpoint()
    assert await checkpointed.broken(str(noted)) == []


async def test_checkpoints_that_were_taken_away_are_missed_by_whoever_noted_a_head(checkpointed: Logs) -> None:
    noted = (await checkpointed.verify()).head
    await checkpointed.tamper(
        "DELETE FROM checkpoint WHERE number = 3",
        "DELETE FROM logged_event WHERE id = 7",
        "DELETE FROM audit_event WHERE id = 7",
    )
    assert await checkpointed.broken() == [], "without a head nobody knows that there was more"
    assert await checkpointed.broken(str(noted)) == ["checkpoint 3 was noted, and the chain ends at checkpoint 2"]
    await checkpointed.happen("another")
    await checkpointed.checkpoint()
    (said,) = await checkpointed.broken(str(noted))
    assert said.startswith("checkpoint 3 is ")


async def test_rows_under_checkpoints_that_were_verified_before_can_be_left_out(checkpointed: Logs) -> None:
    await checkpointed.tamper("DELETE FROM logged_event WHERE id = 2")
    assert (await checkpointed.verify(rows_after=0)).broken
    found = await checkpointed.verify(rows_after=1)
    assert (found.broken, found.rows) == ([], {"event": 4, "audit_event": 4})


@pytest.mark.parametrize("text", ["", "abc:1", "00" * 32, "00" * 32 + ":", "00" * 32 + ":-1", "zz" * 32 + ":1"])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        verify.read_head(text)
