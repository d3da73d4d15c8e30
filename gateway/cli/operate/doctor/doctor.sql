-- server
-- The server, and what a commit is worth on the connection that asks. Where its files are is shown to few roles.
SELECT
    current_setting('server_version') AS version,
    pg_is_in_recovery() AS standby,
    current_setting('fsync') = 'on' AS fsync,
    current_setting('full_page_writes') = 'on' AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS standbys;

-- space
-- What the database takes, and its folder where this role may know it and the server is on this machine.
SELECT
    pg_database_size(current_database()) AS bytes,
    CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE')
        AND (inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr())
        THEN current_setting('data_directory') END AS folder;
