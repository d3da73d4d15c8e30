-- version
-- The server's version, such as 150004.
SELECT current_setting('server_version_num')::integer;

-- session
-- What settings of a session cannot change, and the server's process id. A role that may not create tables cannot
-- migrate an empty database; the tables are those of the owner of `migration`.
SELECT
    current_database() AS database,
    current_user AS role,
    current_setting('server_encoding') AS encoding,
    current_setting('search_path') AS search_path,
    current_schema() AS schema,
    current_setting('session_replication_role') AS replication_role,
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    pg_backend_pid() AS process,
    to_regclass('migration') IS NOT NULL OR has_schema_privilege(current_schema(), 'CREATE') AS may_migrate,
    (
        SELECT min(one.relname)
        FROM pg_class AS one
        WHERE one.relnamespace = to_regnamespace(current_schema()) AND one.relkind IN ('r', 'p')
            AND one.relowner = (SELECT relowner FROM pg_class WHERE oid = to_regclass('migration'))
            AND NOT (
                has_table_privilege(one.oid, 'SELECT') AND has_table_privilege(one.oid, 'INSERT')
                AND has_table_privilege(one.oid, 'UPDATE') AND has_table_privilege(one.oid, 'DELETE')
            )
    ) AS forbidden;
