"""The audit log: part of the transaction of the act, kept as it was written."""

from uuid import uuid4

import pytest

from gateway.audit import log
from gateway.audit.log import ANYONE, WORKER, Act, By
from gateway.ids import WalletId
from gateway.postgres.pool import Database
from tests.factory import NOW

pytestmark = pytest.mark.anyio

ALICE, BOB = WalletId(uuid4()), WalletId(uuid4())


async def append(database: Database, *acts: Act) -> None:
    async with database.transaction() as connection:
        await log.append(connection, acts, NOW)


async def test_acts_are_listed_newest_first_by_wallet_and_by_kind(database: Database) -> None:
    subject = uuid4()
    exported = Act("wallet.key_exported", ALICE, By("passkey", "psk_1"), subject, {"address": "0x", "n": [1, None]})
    await append(database, Act("wallet.created", ALICE, ANYONE, ALICE, {}), Act("wallet.created", BOB, ANYONE, BOB, {}))
    await append(database, exported, Act("relayer.resumed", None, By("command", "root"), None, {}))
    async with database.reading() as connection:
        everything = await log.read(connection)
        of_alice = await log.read(connection, wallet=ALICE)
        created = await log.read(connection, kind="wallet.created")
        of_wallets = await log.read(connection, kind="wallet", before=created[0].number, limit=1)
    assert [act.kind for act in everything] == [
        "relayer.resumed",
        "wallet.key_exported",
        "wallet.created",
        "wallet.created",
    ]
    newest = of_alice[0]
    assert (newest.kind, newest.wallet, newest.by, newest.subject, newest.facts, newest.at) == (
        *("wallet.key_exported", ALICE, By("passkey", "psk_1"), subject),
        *({"address": "0x", "n": [1, None]}, NOW),
    )
    assert [act.wallet for act in created] == [BOB, ALICE]
    assert [act.wallet for act in of_wallets] == [ALICE]


async def test_an_act_is_undone_with_its_transaction(database: Database) -> None:
    async def crash() -> None:
        async with database.transaction() as connection:
            await log.append(connection, [Act("never", None, WORKER, None, {})], NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await crash()
    async with database.reading() as connection:
        assert await log.read(connection) == []


@pytest.mark.parametrize("statement", ["UPDATE act SET kind = 'other'", "DELETE FROM act", "TRUNCATE act"])
async def test_an_act_is_never_changed_or_removed(database: Database, statement: str) -> None:
    await append(database, Act("wallet.created", ALICE, ANYONE, ALICE, {}))
    with pytest.raises(Exception, match="append-only"):
        async with database.transaction() as connection:
            await connection.execute(statement)


async def test_two_who_append_at_once_do_not_wait_for_each_other(database: Database) -> None:
    async with database.transaction() as slow:
        await log.append(slow, [Act("slow", None, WORKER, None, {})], NOW)
        async with database.transaction() as quick:
            await quick.execute("SET LOCAL lock_timeout = '1ms'")
            await log.append(quick, [Act("quick", None, WORKER, None, {})], NOW)
        async with database.reading() as connection:
            assert [act.kind for act in await log.read(connection)] == ["quick"]
    async with database.reading() as connection:
        assert [act.kind for act in await log.read(connection)] == ["quick", "slow"]
