-- server
-- The server, and what a commit is worth on the connection that asks. Where its files are is shown to few roles.
SELECT
    current_setting('server_version') AS version,
    pg_is_in_recovery() AS standby,
    current_setting('fsync') = 'on' AS fsync,
    current_setting('full_page_writes') = 'on' AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS standbys;
