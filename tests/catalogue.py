"""What a database is made of, as text: everything that a schema says, so that two databases can be compared."""

from typing import Final

from gateway.postgres.pool import Database

#: Everything in the current schema, one statement for each kind of thing; a line of text for each thing.
_STATEMENTS: Final = {
    "tables": """
        SELECT concat_ws(' ', relkind, relname, relpersistence, reloptions::text, relacl::text,
            relrowsecurity, relforcerowsecurity, pg_get_viewdef(CASE relkind WHEN 'v' THEN oid END))
        FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm')""",
    "columns": """
        SELECT concat_ws(' ', relname,
            row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname, format_type(atttypid, atttypmod),
            CASE WHEN attnotnull THEN 'NOT NULL' END, attidentity, attgenerated,
            pg_get_expr(adbin, adrelid), attstorage, attcollation::regcollation, attacl::text)
        FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
            AND attnum > 0 AND NOT attisdropped""",
    "constraints": """
        SELECT concat_ws(' ', coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text), conname,
            pg_get_constraintdef(oid), convalidated)
        FROM pg_constraint WHERE connamespace = current_schema()::regnamespace""",
    "indexes": """
        SELECT pg_get_indexdef(indexrelid)
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = current_schema()::regnamespace""",
    "functions": """
        SELECT concat_ws(' ', pg_get_functiondef(oid), proacl::text)
        FROM pg_proc WHERE pronamespace = current_schema()::regnamespace""",
    "triggers": """
        SELECT concat_ws(' ', pg_get_triggerdef(pg_trigger.oid), tgenabled)
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal""",
    "types": """
        SELECT concat_ws(' ', typname, typtype, nullif(typbasetype, 0)::regtype, typnotnull, typdefault, typacl::text,
            (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = pg_type.oid))
        FROM pg_type WHERE typnamespace = current_schema()::regnamespace AND typtype IN ('d', 'e')""",
    "sequences": """
        SELECT concat_ws(' ', sequencename, data_type, start_value, min_value, max_value, increment_by, cycle,
            cache_size, refobjid::regclass, attname)
        FROM pg_sequences
        JOIN pg_depend ON objid = quote_ident(sequencename)::regclass AND deptype IN ('a', 'i') AND refobjsubid > 0
        JOIN pg_attribute ON (attrelid, attnum) = (refobjid, refobjsubid)
        WHERE schemaname = current_schema()""",
    "grants": """
        SELECT concat_ws(' ', nspname, nspacl::text) FROM pg_namespace WHERE oid = current_schema()::regnamespace
        UNION ALL SELECT concat_ws(' ', defaclobjtype, defaclacl::text) FROM pg_default_acl""",
}


async def catalogue(database: Database) -> dict[str, list[str]]:
    """Every table with its columns, constraints, indexes and triggers, every function, type, sequence and grant, and
    every row, each kind sorted. The times in a row are left out.
    """
    async with database.reading() as connection:
        found = {kind: sorted(row[0] for row in await connection.fetch(sql)) for kind, sql in _STATEMENTS.items()}
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        found["rows"] = [
            f"{name} {row[0]}"
            for (name,) in sorted(tables)
            for row in await connection.fetch(f"SELECT to_jsonb(t) - 'applied_at' FROM {name} AS t ORDER BY 1")
        ]
    return found
