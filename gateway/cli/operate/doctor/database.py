"""Diagnostics of PostgreSQL: whether it answers and accepts writes, durability, the schema, and the clock."""

from gateway import assembly
from gateway.cli.operate.doctor.installation import Installation
from gateway.postgres import migration
from gateway.postgres.errors import DatabaseNotWritable, DatabaseUnavailable
from gateway.reconciliation import diagnosis
from gateway.reconciliation.diagnosis import Result, failed, ok


async def server(one: Installation) -> Result:
    try:
        database = await one.connect()
        async with database.reading(answers=False) as connection:
            row = await diagnosis.server(connection)
    except DatabaseUnavailable as away:
        return failed(f"{away}: start it, or correct GATEWAY_DATABASE_URL")
    if row["standby"]:
        return failed(
            f"PostgreSQL {row['version']} answers and is a standby in recovery, which takes no writes: name the "
            "primary in GATEWAY_DATABASE_URL, or all hosts of the cluster"
        )
    try:
        await database.prove_writable()
    except DatabaseNotWritable as refused:
        return failed(
            f"PostgreSQL {row['version']} answers, but {refused}: see its default_transaction_read_only and disk"
        )
    return ok(f"PostgreSQL {row['version']} answers and takes writes")


async def durability(one: Installation) -> Result:
    return await diagnosis.durability(one.connected)


async def schema(one: Installation) -> Result:
    await migration.check_migrated(one.connected)
    one.has_schema(await assembly.settings_of(one.config, one.connected, one.places))
    return ok("the schema is that of this version of the gateway")


async def clock(one: Installation) -> Result:
    return await diagnosis.clock(one.connected)
