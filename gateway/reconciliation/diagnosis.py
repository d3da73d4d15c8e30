"""The diagnostics that a running process can run: each result, and what to do about it.

`gateway doctor` shows them too, with those that need the machine or the node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from gateway.audit import checkpoint
from gateway.clock import rfc3339
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database, Record, Statements
from gateway.reconciliation import readiness
from gateway.settlement.relayer_accounts import Row

sql = Statements(__package__, "diagnosis.sql")

#: A worker writes a checkpoint every second. If checkpoints are this far behind, no worker writes them.
_PENDING_LONG: Final = timedelta(minutes=1)

#: `warning`: it works, but somebody should know. `skipped`: something that it depends on was not found.
State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a diagnostic found, in a sentence. For a warning or a failure, the sentence also says what to do."""

    state: State
    message: str


def ok(message: str) -> Result:
    return Result("ok", message)


def warning(message: str) -> Result:
    return Result("warning", message)


def failed(message: str) -> Result:
    return Result("failed", message)


async def server(connection: Connection) -> Record:
    """Return the server's version, and the settings that decide whether a commit on this connection is durable."""
    row = await connection.fetchrow(sql.server)
    assert row is not None
    return row


async def durability(database: Database) -> Result:
    """Check that a commit survives a crash of the database's machine."""
    async with database.reading(answers=False) as connection:
        row = await server(connection)
    off = [name for name in ("fsync", "full_page_writes") if not row[name]]
    if off:
        return failed(
            f"the server has {' and '.join(off)} off, so a crash of its machine may lose acknowledged payments: "
            "turn it on in postgresql.conf"
        )
    waits = f"; commits wait for {row['standbys']}" if row["standbys"] else ""
    return ok(f"fsync and full_page_writes are on, synchronous_commit is {row['synchronous_commit']}{waits}")


async def clock(database: Database) -> Result:
    """Check that this machine's clock agrees with the database's."""
    off = database.clock.off_seconds()
    if off:
        way = "ahead of" if off > 0 else "behind"
        return failed(
            f"this machine's clock is {abs(off):.1f} s {way} the database's, which is what counts: set it right (NTP)"
        )
    return ok("this machine's clock agrees with the database's within a second")


async def worker(database: Database, settings: PaymentSettings) -> Result:
    """Check that a worker runs, and that the transactions it sends become final."""
    async with database.reading() as connection:
        found, _ = await readiness.token_readiness(connection, settings)
    if found.worker != "ok":
        ever = "has ever run" if found.worker == "none" else "runs"
        return failed(f"no worker {ever}, so token payments wait: start 'gateway work'")
    if found.relayers != "ok":
        return failed(f"a worker runs, but {found.reason}")
    return ok("a worker runs, and its transactions become final")


async def recovery(database: Database, settings: PaymentSettings) -> Result:
    """Check that the database is not older than the chain, as it is after a restore."""
    async with database.reading() as connection:
        found, _ = await readiness.token_readiness(connection, settings)
    if found.recovery is not None:
        return failed(f"{found.recovery}: see 'gateway recovery'")
    return ok("the database is not older than the chain")


async def checkpoints(database: Database) -> Result:
    """Check that checkpoints cover both logs."""
    async with database.reading() as connection:
        newest = await checkpoint.head(connection)
        since = await checkpoint.pending_since(connection)
    last = f"the newest is {newest.number}, of {rfc3339(newest.at)}" if newest is not None else "there is none"
    if since is not None and database.clock() - since > _PENDING_LONG:
        return failed(f"no checkpoint covers what was logged since {rfc3339(since)}, {last}: start 'gateway work'")
    return ok(f"checkpoints cover both logs; {last}. 'gateway audit verify' verifies them")


def relayers(rows: Sequence[Row]) -> Result:
    """Check that the relayers have the gas balance for what is queued. Pure."""
    if not rows:
        return failed("no relayer is known: run 'gateway deploy'")
    wrong = [row for row in rows if row.state in ("dry", "refused", "stopped")]
    low = [row for row in rows if row.state == "low"]
    if wrong or low:
        told = "; ".join(
            f"{row.address} is {row.state}{f' ({row.reason})' if row.reason else ''}" for row in wrong or low
        )
        return (failed if wrong else warning)(f"{told}: send gas money to it, or see 'gateway relayers'")
    minimum = min(row.payments for row in rows)
    return ok(f"{len(rows)} run; the lowest gas balance is good for {minimum:,} payments")
