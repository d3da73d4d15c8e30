"""Payments by the gateway's own statement, without HTTP: their cost in PostgreSQL's processor time, WAL and disk.

One connection, one group of payments to a commit, as the gateway groups them. Processor time is that of the
connection's own process. WAL is what `pg_waldump --stats` says of the records without their full-page images, which
depend on when the last checkpoint was, and without the padding between records. Disk is by how much
`pg_total_relation_size` grew, of those tables that grew. peer.py's minimal ledger is measured in the same way.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, peer
from benchmarks.revision import NotMeasured
from benchmarks.rig import Connection, Ledger, Rig
from gateway import assembly
from gateway.money import Money, fiat
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.ledger import LedgerPayment, Settled
from gateway.secret import hash_of

_EUR = fiat("EUR")
_WARM_GROUPS = 10  #: By then PostgreSQL has settled on a plan.

_SIZES = """
SELECT oid::regclass::text AS name, pg_total_relation_size(oid) AS size FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_PEER_GROUP = """
SELECT count(pay(gen_random_uuid(), payer, payee, amount))
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS asked (payer, payee, amount)
"""


@dataclass(frozen=True)
class Direct:
    """The cost of this many `payments` to PostgreSQL, in all."""

    payments: int
    cpu_seconds: float
    wal_bytes: int
    wal_image_bytes: int
    disk_bytes: int

    @property
    def cpu_us(self) -> float:
        return self.cpu_seconds * 1e6 / self.payments

    @property
    def wal_each(self) -> float:
        """Bytes of WAL a payment, without full-page images."""
        return self.wal_bytes / self.payments

    @property
    def disk_each(self) -> float:
        return self.disk_bytes / self.payments


async def pay(rig: Rig, ledger: Ledger, group: int, seconds: float) -> Direct:
    """Payments between random handles of the ledger, in groups of so many, for so long."""
    draw = random.Random(ledger.loaded)  # nosec B311 # noqa: S311 - the same payments in every run
    async with assembly.services(rig.config(ledger.name), connections=1) as services:
        async with services.database.one_statement() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")

        async def one_group() -> None:
            now = services.clock()
            asked = [_payment(draw, ledger, number) for number in range(group)]
            outcomes = await ledger_rail.pay_all(services.database, services.settings, asked, now)
            assert all(isinstance(outcome, Settled) for outcome in outcomes)
            ledger.loaded += group

        return await _measured(rig, ledger.name, pid, group, seconds, one_group)


async def pay_peer(rig: Rig, group: int, seconds: float) -> Direct:
    """The same for the minimal ledger, whose database exists already."""
    draw = random.Random(1)  # nosec B311 # noqa: S311 - the same payments in every run
    async with rig.connected(peer.DATABASE) as connection:
        prepared = await connection.prepare(_PEER_GROUP)

        async def one_group() -> None:
            pairs = [draw.sample(range(1, peer.ACCOUNTS + 1), 2) for _ in range(group)]
            payers, payees = zip(*pairs, strict=True)
            assert await prepared.fetchval(payers, payees, [draw.randint(1, 20) for _ in pairs]) == group

        return await _measured(rig, peer.DATABASE, connection.get_server_pid(), group, seconds, one_group)


def _payment(draw: random.Random, ledger: Ledger, number: int) -> LedgerPayment:
    payer, payee = draw.sample(range(ledger.handles), 2)
    return LedgerPayment(
        token_hash=hash_of(f"gw_{payer:043}"),
        idempotency_key=f"direct-{ledger.loaded}-{number}",
        fingerprint=bytes(32),
        payee_handle=f"h{payee:07}",
        money=Money(draw.randint(1, 20), _EUR),
        memo=None,
    )


async def _measured(
    rig: Rig, database: str, pid: int, group: int, seconds: float, one_group: Callable[[], Awaitable[None]]
) -> Direct:
    for _ in range(_WARM_GROUPS):
        await one_group()
    async with rig.connected(database) as connection:
        sizes, since = await _sizes(connection), await _lsn(connection)
        before, groups, until = machine.cpu_seconds(pid), 0, time.monotonic() + seconds
        while time.monotonic() < until:
            await one_group()
            groups += 1
        spent = machine.cpu_seconds(pid) - before
        records, images = await _wal(connection, since, await _lsn(connection))
        disk = grown(sizes, await _sizes(connection))
    return Direct(groups * group, spent, records, images, disk)


def grown(before: dict[str, int], after: dict[str, int]) -> int:
    """The growth of the tables that grew, in bytes."""
    return sum(max(0, size - before.get(table, 0)) for table, size in after.items())


async def _sizes(connection: Connection) -> dict[str, int]:
    return {row["name"]: row["size"] for row in await connection.fetch(_SIZES)}


async def _lsn(connection: Connection) -> str:
    return str(await connection.fetchval("SELECT pg_current_wal_flush_lsn()::text"))


async def _wal(connection: Connection, since: str, until: str) -> tuple[int, int]:
    """Bytes of the records between these places in the log, and of the full-page images in them."""
    log = Path(await connection.fetchval("SHOW data_directory")) / "pg_wal"
    waldump = await asyncio.create_subprocess_exec(
        *(machine.program_of_postgres("pg_waldump"), "-p", str(log), "-s", since, "-e", until, "--stats"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await waldump.communicate())[0].decode()
    if waldump.returncode:
        raise NotMeasured(f"pg_waldump failed: {said[-500:]}")
    return wal_of(said)


def wal_of(said: str) -> tuple[int, int]:
    """Bytes of records and of full-page images, from what `pg_waldump --stats` prints: its line `Total`."""
    total = re.search(r"^Total\s+\d+\s+(\d+) \[[^]]*\]\s+(\d+) \[[^]]*\]", said, re.MULTILINE)
    if total is None:
        raise NotMeasured(f"pg_waldump says something else than it used to: {said[-500:]}")
    return int(total[1]), int(total[2])
