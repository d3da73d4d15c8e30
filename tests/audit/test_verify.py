"""Verification: whatever was done to either log or to the chain is found, and where it begins is named."""

from collections.abc import Sequence

import pytest

from gateway.audit import seal, verify
from gateway.audit.seal import Part, hash_of
from gateway.errors import InvalidRequest
from gateway.money import Assets
from tests.audit.conftest import Logs
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

NAMES = [f"n{n}" for n in range(1, 8)]


@pytest.fixture
async def sealed(logs: Logs) -> Logs:
    """Seven events and seven audit events under three seals: numbers 1 to 3, 4 to 6 and 7."""
    for names in (NAMES[:3], NAMES[3:6], NAMES[6:]):
        await logs.happen(*names)
        assert await logs.seal() is not None
    return logs


ALTERED = [
    "kind = 'other'",
    'facts = \'{"of": "other"}\'',
    "at = at + interval '1 microsecond'",
    "wallet_id = gen_random_uuid()",
    "subject = gen_random_uuid()",
]


#: Which table has the rows of each log.
TABLES = {"event": "logged_event", "audit_event": "audit_event"}

#: What a row of each is called in a sentence.
ROWS = {"event": "event", "audit_event": "audit event"}


async def test_logs_as_they_were_written_are_verified_to_the_head(sealed: Logs) -> None:
    found = await sealed.verify()
    assert (found.seals, found.rows, found.unsealed, found.broken) == (
        *(3, {"event": 7, "audit_event": 7}, {"event": 0, "audit_event": 0}, []),
    )
    assert found.head.number == 3


async def test_rows_that_no_seal_covers_yet_are_counted_and_vouched_for_by_nobody(sealed: Logs) -> None:
    await sealed.happen("late", "later")
    found = await sealed.verify()
    assert (found.rows, found.unsealed, found.broken) == (dict.fromkeys(seal.LOGS, 7), dict.fromkeys(seal.LOGS, 2), [])
    await sealed.tamper("UPDATE logged_event SET kind = 'other' WHERE kind = 'late'")
    assert await sealed.broken() == []


@pytest.mark.parametrize("name", seal.LOGS)
@pytest.mark.parametrize("change", ALTERED)
async def test_an_altered_row_is_named(sealed: Logs, name: str, change: str) -> None:
    await sealed.tamper(f"UPDATE {TABLES[name]} SET {change} WHERE id IN (5, 6)")
    assert await sealed.broken() == [f"{ROWS[name]} 5 was altered"]


@pytest.mark.parametrize(
    "change", ["amount = 3", "fee = 1", "memo = 'tea'", "debit_id = 0", "credit_id = 0", "posted_at = now()", "id = id"]
)
async def test_the_event_that_a_ledger_payment_is_cannot_be_altered(logs: Logs, assets: Assets, change: str) -> None:
    town = LedgerTown(logs.database, assets)
    alice, _ = await town.person("alice", "9 EUR"), await town.person("bob")
    await town.pay(alice, "@bob", "2 EUR")
    await logs.seal()
    async with logs.database.reading() as connection:
        number = await connection.fetchval("SELECT event FROM ledger_payment")

    await logs.tamper(f"UPDATE ledger_payment SET {change}")

    assert await logs.broken() == ([] if change == "id = id" else [f"event {number} was altered"])
    await logs.tamper("DELETE FROM ledger_payment")
    assert await logs.broken() == [f"event {number} was removed"]


async def test_who_did_it_cannot_be_altered(sealed: Logs) -> None:
    await sealed.tamper("UPDATE audit_event SET by_id = 'somebody else' WHERE id = 2")
    assert await sealed.broken() == ["audit event 2 was altered"]


@pytest.mark.parametrize("name", seal.LOGS)
@pytest.mark.parametrize("number", [1, 3, 4, 7])
async def test_a_removed_row_is_named(sealed: Logs, name: str, number: int) -> None:
    await sealed.tamper(f"DELETE FROM {TABLES[name]} WHERE id = {number}")
    assert await sealed.broken() == [f"{ROWS[name]} {number} was removed"]


@pytest.mark.parametrize("number", [-3, 0, 5])
async def test_an_inserted_row_is_named(sealed: Logs, number: int) -> None:
    await sealed.tamper(
        "DELETE FROM logged_event WHERE id = 5",
        "INSERT INTO logged_event (id, kind, facts, at) OVERRIDING SYSTEM VALUE"
        f" VALUES ({number}, 'new', '{{}}', now())",
    )
    expected = {5: "event 5 was altered"}.get(number, f"event {number} was inserted")
    assert await sealed.broken() == [expected]


async def test_a_row_in_the_place_of_one_that_was_rolled_back_is_an_inserted_one(logs: Logs) -> None:
    await logs.roll_back("never")
    await logs.happen("two")
    await logs.seal()
    await logs.tamper(
        "INSERT INTO audit_event (id, kind, by_kind, by_id, facts, at) OVERRIDING SYSTEM VALUE"
        " VALUES (1, 'new', 'worker', '', '{}', now())"
    )
    assert await logs.broken() == ["audit event 1 was inserted"]


async def test_the_first_difference_of_each_log_is_named_however_many_there_are(sealed: Logs) -> None:
    await sealed.tamper(
        "UPDATE logged_event SET kind = 'other' WHERE id IN (6, 7)",
        "DELETE FROM logged_event WHERE id = 4",
        "UPDATE audit_event SET kind = 'other' WHERE id = 2",
    )
    assert await sealed.broken() == ["event 4 was removed", "audit event 2 was altered"]


async def test_rows_whose_numbers_were_sealed_before_they_came_are_named_and_hide_nothing(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await logs.happen("one", "two")
    await logs.seal_ahead(monkeypatch, 10)
    await logs.happen("three", "four", "five")  # before anything was passed over
    assert await logs.seal() is None
    await logs.happen("six", "seven")
    await logs.seal()

    assert await logs.broken() == [
        f"{name}s 3 to 5 (3) were written after seal 1 had covered their numbers without a row, as an earlier version "
        "did before a database server took over from another: no seal vouches for them, so see that they are right, "
        "and verify with --rows-after 1 from now on"
        for name in ROWS.values()
    ]
    assert (await logs.verify(rows_after=1)).broken == []

    await logs.tamper(
        "UPDATE logged_event SET kind = 'other' WHERE id = 2", "UPDATE audit_event SET kind = 'other' WHERE id = 12"
    )
    assert [one for one in await logs.broken() if "earlier version" not in one] == [
        *("event 2 was altered", "audit event 12 was altered")
    ]


SEALS: Sequence[tuple[str, str]] = [
    ("UPDATE seal SET hash = sha256(hash) WHERE number = 2", "seal 2 was altered"),
    ("UPDATE seal SET at = at + interval '1 second' WHERE number = 2", "seal 2 was altered"),
    ("UPDATE seal SET previous = sha256(previous) WHERE number = 2", "seal 2 was altered"),
    ("UPDATE seal SET events = substr(events, 1, 40) WHERE number = 2", "seal 2 was altered"),
    ("UPDATE seal SET audit_events_to = audit_events_to + 1 WHERE number = 2", "seal 2 was altered"),
    ("DELETE FROM seal WHERE number = 1", "seal 1 was removed"),
    ("DELETE FROM seal WHERE number = 2", "seal 2 was removed"),
    ("UPDATE seal SET key_id = gen_random_uuid() WHERE number = 2", "seal 2 is under a key that is not ours"),
]


@pytest.mark.parametrize(("statement", "named"), SEALS)
async def test_a_broken_seal_is_named(sealed: Logs, statement: str, named: str) -> None:
    await sealed.tamper(statement)
    assert await sealed.broken() == [named]


async def test_who_has_the_database_alone_can_make_no_seal(sealed: Logs) -> None:
    """They alter a row, and make its seal and all later ones anew; but with what key?"""
    async with sealed.database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE logged_event SET kind = 'other' WHERE id = 5")
        previous = None
        for row in await connection.fetch(seal.sql.seals, 1, 100):
            one = seal.seal_of(row)
            leaves = await seal.leaves_of(connection, "event", one.parts["event"].after, one.parts["event"].to)
            parts = {**one.parts, "event": Part(one.parts["event"].after, one.parts["event"].to, leaves)}
            previous = previous or one.previous
            forged = hash_of(bytes(32), one.number, previous, one.at, one.key, parts)
            await connection.execute(
                "UPDATE seal SET events = $1, previous = $2, hash = $3 WHERE number = $4",
                *(leaves, previous, forged, one.number),
            )
            previous = forged
    assert await sealed.broken() == ["seal 2 was altered"]


async def test_a_seal_from_elsewhere_under_the_same_key_does_not_follow(sealed: Logs) -> None:
    """Whoever has an old copy of the database has seals that were good there."""
    async with sealed.database.transaction() as connection:
        rows = await connection.fetch(seal.sql.seals, 0, 1)
        first = seal.seal_of(rows[0])
        other = hash_of(sealed.key.secret, 2, b"x" * 32, first.at, first.key, first.parts)
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("DELETE FROM seal WHERE number > 1")
        fields = [first.parts[name] for name in seal.LOGS]
        await connection.execute(
            seal.sql.add_seal,
            *(2, b"x" * 32, first.at, first.key, other),
            *(value for part in fields for value in (part.after, part.to, part.leaves)),
        )
    assert await sealed.broken() == ["seal 2 does not follow the one before it"]


async def test_a_head_that_was_noted_is_still_on_the_chain(sealed: Logs) -> None:
    noted = (await sealed.verify()).head
    await sealed.happen("more")
    await sealed.seal()
    assert await sealed.broken(str(noted)) == []


async def test_seals_that_were_taken_away_are_missed_by_whoever_noted_a_head(sealed: Logs) -> None:
    noted = (await sealed.verify()).head
    await sealed.tamper(
        "DELETE FROM seal WHERE number = 3",
        "DELETE FROM logged_event WHERE id = 7",
        "DELETE FROM audit_event WHERE id = 7",
    )
    assert await sealed.broken() == [], "without a head nobody knows that there was more"
    assert await sealed.broken(str(noted)) == ["seal 3 was noted, and the chain ends at seal 2"]
    await sealed.happen("another")
    await sealed.seal()
    (said,) = await sealed.broken(str(noted))
    assert said.startswith("seal 3 is ")


async def test_rows_under_seals_that_were_verified_before_can_be_left_out(sealed: Logs) -> None:
    await sealed.tamper("DELETE FROM logged_event WHERE id = 2")
    assert (await sealed.verify(rows_after=0)).broken
    found = await sealed.verify(rows_after=1)
    assert (found.broken, found.rows) == ([], {"event": 4, "audit_event": 4})


@pytest.mark.parametrize("text", ["", "abc:1", "00" * 32, "00" * 32 + ":", "00" * 32 + ":-1", "zz" * 32 + ":1"])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        verify.read_head(text)
