"""The cost of authentication: the part of a payment's processor time that its API key takes.

In the gateway this is the key's hash and the rate limit; in PostgreSQL, the lookup of the key's row. The payments'
statement looks it up together with everything else. Here a separate statement does, with as many keys as such a call
has, compared with one that only receives the keys. That is somewhat more than the lookup costs there.
"""

import time
from datetime import UTC, datetime
from typing import Any

from benchmarks import machine
from benchmarks.rig import Ledger, Rig
from gateway.identity.api_key import LastUsed
from gateway.identity.rate_limits import Limits
from gateway.postgres.pool import Connection
from gateway.secret import hash_of

#: Keys in a call: what 64 connections have in one, in the median.
_AT_ONCE = 32

#: As settle_payments looks a key up, and the same without looking.
_FOUND = """
SELECT count(key.wallet_id), bool_and(key.plain) FROM (
    SELECT payer.wallet_id, payer.plain FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (hash, n)
    LEFT JOIN api_key AS payer ON payer.hash = asked.hash AND payer.revoked_at IS NULL ORDER BY asked.n
) AS key
"""
_READ = """
SELECT count(key.hash), bool_and(key.hash IS NOT NULL) FROM (
    SELECT asked.hash FROM unnest($1::bytea[]) WITH ORDINALITY AS asked (hash, n) ORDER BY asked.n
) AS key
"""


async def in_postgres(rig: Rig, ledger: Ledger, seconds: float) -> float:
    """Microseconds of PostgreSQL's processor a key."""
    async with rig.connected(ledger.name) as connection:
        await connection.execute("SET enable_seqscan = off")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        found = await _microseconds(connection, _FOUND, ledger, seconds)
        return found - await _microseconds(connection, _READ, ledger, seconds)


async def _microseconds(connection: Connection, statement: str, ledger: Ledger, seconds: float) -> float:
    prepared = await connection.prepare(statement)
    pid, calls = connection.get_server_pid(), 0
    keys = [hash_of(f"gw_{n:043}") for n in range(ledger.handles)]
    before, until = machine.cpu_seconds(pid), time.monotonic() + seconds
    while time.monotonic() < until:
        first = calls * _AT_ONCE % (ledger.handles - _AT_ONCE)
        row = await prepared.fetchrow(keys[first : first + _AT_ONCE])
        assert row is not None
        assert tuple(row) == (_AT_ONCE, True)
        calls += 1
    return (machine.cpu_seconds(pid) - before) / (calls * _AT_ONCE) * 1e6


def in_gateway(count: int) -> float:
    """Microseconds of the gateway's processor a key."""
    limits, last_used, now = Limits(), LastUsed(), datetime.now(UTC)
    nobody: Any = None  # no caller sends enough here for the counts to be written to the database
    headers = [f"Bearer gw_{n:043}".encode() for n in range(1_000)]
    started = time.process_time()
    for n in range(count):
        key = hash_of(headers[n % 1_000][7:].strip().decode("latin-1"))
        assert not limits.is_over("requests", key.hex(), now)
        limits.note(nobody, "requests", key.hex(), now)
        last_used.note(key, now)
    return (time.process_time() - started) / count * 1e6
