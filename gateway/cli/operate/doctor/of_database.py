"""PostgreSQL: whether it answers and takes writes, what a commit is worth, its schema, and the time."""

from gateway import assembly
from gateway.cli.operate.doctor.installation import Installation, Result, failed, ok, sql
from gateway.postgres import migration
from gateway.postgres.errors import DatabaseNotWritable, DatabaseUnavailable


async def server(one: Installation) -> Result:
    try:
        database = await one.connect()
        async with database.reading(answers=False) as connection:
            row = await connection.fetchrow(sql.server)
    except DatabaseUnavailable as away:
        return failed(f"{away}: start it, or correct GATEWAY_DATABASE_URL")
    assert row is not None
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
    async with one.connected.reading(answers=False) as connection:
        row = await connection.fetchrow(sql.server)
    assert row is not None
    off = [name for name in ("fsync", "full_page_writes") if not row[name]]
    if off:
        return failed(
            f"the server has {' and '.join(off)} off, so a crash of its machine may lose payments that were answered: "
            "turn it on in postgresql.conf"
        )
    waits = f"; commits wait for {row['standbys']}" if row["standbys"] else ""
    return ok(f"fsync and full_page_writes are on, synchronous_commit is {row['synchronous_commit']}{waits}")


async def schema(one: Installation) -> Result:
    await migration.check_migrated(one.connected)
    one.has_schema(await assembly.settings_of(one.config, one.connected, one.places))
    return ok("the schema is that of this version of the gateway")


async def clock(one: Installation) -> Result:
    off = one.connected.clock.off_seconds()
    if off:
        way = "ahead of" if off > 0 else "behind"
        return failed(
            f"this machine's clock is {abs(off):.1f} s {way} the database's, which is what counts: set it right (NTP)"
        )
    return ok("this machine's clock agrees with the database's within a second")
