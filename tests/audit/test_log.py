"""The audit log: part of the transaction that does what it says, kept as it was written."""

from uuid import uuid4

import pytest

from gateway.audit import log
from gateway.audit.log import ANYONE, WORKER, AuditEvent, By
from gateway.ids import WalletId
from gateway.postgres.pool import Database
from tests.factory import NOW

pytestmark = pytest.mark.anyio

ALICE, BOB = WalletId(uuid4()), WalletId(uuid4())


async def append(database: Database, *audit_events: AuditEvent) -> None:
    async with database.transaction() as connection:
        await log.append(connection, audit_events, NOW)


async def test_audit_events_are_listed_newest_first_by_wallet_and_by_kind(database: Database) -> None:
    subject = uuid4()
    exported = AuditEvent(
        "wallet.key_exported", ALICE, By("passkey", "psk_1"), subject, {"address": "0x", "n": [1, None]}
    )
    await append(
        database,
        AuditEvent("wallet.created", ALICE, ANYONE, ALICE, {}),
        AuditEvent("wallet.created", BOB, ANYONE, BOB, {}),
    )
    await append(database, exported, AuditEvent("relayer.resumed", None, By("command", "root"), None, {}))
    async with database.reading() as connection:
        everything = await log.read(connection)
        of_alice = await log.read(connection, wallet=ALICE)
        created = await log.read(connection, kind="wallet.created")
        of_wallets = await log.read(connection, kind="wallet", before=created[0].number, limit=1)
    assert [event.kind for event in everything] == [
        "relayer.resumed",
        "wallet.key_exported",
        "wallet.created",
        "wallet.created",
    ]
    newest = of_alice[0]
    assert (newest.kind, newest.wallet, newest.by, newest.subject, newest.details, newest.at) == (
        *("wallet.key_exported", ALICE, By("passkey", "psk_1"), subject),
        *({"address": "0x", "n": [1, None]}, NOW),
    )
    assert [event.wallet for event in created] == [BOB, ALICE]
    assert [event.wallet for event in of_wallets] == [ALICE]


async def test_an_audit_event_is_undone_with_its_transaction(database: Database) -> None:
    async def crash() -> None:
        async with database.transaction() as connection:
            await log.append(connection, [AuditEvent("never", None, WORKER, None, {})], NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await crash()
    async with database.reading() as connection:
        assert await log.read(connection) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_event SET kind = 'other'", "DELETE FROM audit_event", "TRUNCATE audit_event"]
)
async def test_an_audit_event_is_never_changed_or_removed(database: Database, statement: str) -> None:
    await append(database, AuditEvent("wallet.created", ALICE, ANYONE, ALICE, {}))
    with pytest.raises(Exception, match="append-only"):
        async with database.transaction() as connection:
            await connection.execute(statement)


async def test_two_who_append_at_once_do_not_wait_for_each_other(database: Database) -> None:
    async with database.transaction() as slow:
        await log.append(slow, [AuditEvent("slow", None, WORKER, None, {})], NOW)
        async with database.transaction() as quick:
            await quick.execute("SET LOCAL lock_timeout = '1ms'")
            await log.append(quick, [AuditEvent("quick", None, WORKER, None, {})], NOW)
        async with database.reading() as connection:
            assert [event.kind for event in await log.read(connection)] == ["quick"]
    async with database.reading() as connection:
        assert [event.kind for event in await log.read(connection)] == ["quick", "slow"]
