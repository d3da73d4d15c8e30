-- space
-- What the database takes, and its folder where this role may know it and the server is on this machine.
SELECT
    pg_database_size(current_database()) AS bytes,
    CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE')
        AND (inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr())
        THEN current_setting('data_directory') END AS folder;
