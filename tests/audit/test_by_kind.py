"""Audit events by their kind: those that fit, and without reading the rest of the log."""

from itertools import pairwise

import pytest

from gateway.audit import log
from gateway.audit.log import WORKER, AuditEvent
from gateway.postgres.pool import Connection, Database
from tests.factory import NOW

pytestmark = pytest.mark.anyio

KINDS = ("wallet.created", "wallet.frozen", "walletx.created", "wallet", "api_key.created", "operator.signed_in")

_READ = """
SELECT sum(pg_stat_get_xact_tuples_returned(oid))::bigint FROM pg_class
WHERE oid = 'audit_event'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'audit_event'::regclass)
"""


async def fill(connection: Connection, times: int) -> None:
    await log.append(connection, [AuditEvent(kind, None, WORKER, None, {}) for kind in KINDS] * times, NOW)


@pytest.mark.parametrize("kind", ["wallet", "wallet.frozen", "walletx", "api_key", "operator.signed_in", "wal", "none"])
async def test_a_kind_or_the_beginning_of_one_finds_what_fits_newest_first(database: Database, kind: str) -> None:
    async with database.transaction() as connection:
        await fill(connection, 5)
    async with database.reading() as connection:
        every = await log.read(connection)
        fitting = [one for one in every if one.kind == kind or one.kind.startswith(f"{kind}.")]
        assert await log.read(connection, kind=kind) == fitting
        assert await log.read(connection, kind=kind, limit=4) == fitting[:4]
        for one, _ in pairwise(fitting):
            after = fitting[fitting.index(one) + 1 :]
            assert await log.read(connection, kind=kind, before=one.number) == after


async def test_a_kind_that_there_is_not_reads_a_few_rows_of_a_long_log(database: Database) -> None:
    async with database.transaction() as connection:
        await fill(connection, 2_000)
        await connection.execute("ANALYZE audit_event")
    async with database.transaction() as connection:
        before = await connection.fetchval(_READ)
        assert await log.read(connection, kind="payment.declined") == []
        assert await log.read(connection, kind="wallet.froz") == []
        read = await connection.fetchval(_READ) - before
        assert read <= 10 * len(KINDS)
