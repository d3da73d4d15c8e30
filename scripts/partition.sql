-- Partitions the two tables that grow with every payment: `entry` by account, `idempotency_key` by wallet.
--
--     psql -v ON_ERROR_STOP=1 --single-transaction -f scripts/partition.sql "$GATEWAY_DATABASE_URL"
--
-- Say it once, as the owner of the tables, with every gateway stopped and a backup made: it copies both tables, so it
-- wants their room once more. What was granted on them to other roles has to be granted again.
--
-- The gateway knows nothing of it: tables, columns, checks and triggers keep their names. The triggers stand on the
-- partitions as well, since a statement that names a partition passes those of its parent by.

ALTER TABLE entry RENAME TO entry_whole;
ALTER TABLE entry_whole RENAME CONSTRAINT entry_number_unique TO entry_whole_number_unique;
CREATE TABLE entry (
    LIKE entry_whole INCLUDING ALL EXCLUDING INDEXES,
    CONSTRAINT entry_number_unique PRIMARY KEY (account_id, number)
) PARTITION BY HASH (account_id);

ALTER TABLE idempotency_key RENAME TO idempotency_key_whole;
ALTER TABLE idempotency_key_whole RENAME CONSTRAINT idempotency_key_pkey TO idempotency_key_whole_pkey;
CREATE TABLE idempotency_key (
    LIKE idempotency_key_whole INCLUDING ALL EXCLUDING INDEXES,
    PRIMARY KEY (wallet_id, key)
) PARTITION BY HASH (wallet_id);

DO $$
DECLARE
    partitions integer := 4;
    part text;
BEGIN
    FOR i IN 0 .. partitions - 1 LOOP
        EXECUTE format('CREATE TABLE entry_%s PARTITION OF entry FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
            i, partitions, i);
        EXECUTE format('CREATE TABLE idempotency_key_%s PARTITION OF idempotency_key'
            ' FOR VALUES WITH (MODULUS %s, REMAINDER %s)', i, partitions, i);
    END LOOP;

    INSERT INTO entry SELECT * FROM entry_whole;
    INSERT INTO idempotency_key SELECT * FROM idempotency_key_whole;

    FOR part IN SELECT 'entry' UNION ALL SELECT 'entry_' || i FROM generate_series(0, partitions - 1) AS i LOOP
        EXECUTE format('CREATE TRIGGER entry_checked AFTER INSERT ON %I REFERENCING NEW TABLE AS fresh'
            ' FOR EACH STATEMENT EXECUTE FUNCTION entry_checked()', part);
        EXECUTE format('CREATE TRIGGER entry_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION append_only()', part);
    END LOOP;
END $$;

DROP TABLE entry_whole, idempotency_key_whole;
ANALYZE entry, idempotency_key;
