-- Partitions `idempotency_key`, which grows with every call but payments that settle at once, by wallet.
--
--     psql -v ON_ERROR_STOP=1 --single-transaction -f scripts/partition.sql "$GATEWAY_DATABASE_URL"
--
-- Run it once, as the owner of the table, with every gateway stopped and a backup made: it copies the table, so it needs
-- as much room again. What was granted on it to other roles has to be granted again.
--
-- The gateway does not depend on it: the table, its columns and checks keep their names. `ledger_payment` and `transfer`
-- cannot be partitioned this way: they are unique by two accounts, and a partitioned table is unique only by what contains its partition key.

ALTER TABLE idempotency_key RENAME TO idempotency_key_whole;
ALTER TABLE idempotency_key_whole RENAME CONSTRAINT idempotency_key_pkey TO idempotency_key_whole_pkey;
CREATE TABLE idempotency_key (
    LIKE idempotency_key_whole INCLUDING ALL EXCLUDING INDEXES,
    PRIMARY KEY (wallet_id, key)
) PARTITION BY HASH (wallet_id);

DO $$
DECLARE
    partitions integer := 4;
BEGIN
    FOR i IN 0 .. partitions - 1 LOOP
        EXECUTE format('CREATE TABLE idempotency_key_%s PARTITION OF idempotency_key'
            ' FOR VALUES WITH (MODULUS %s, REMAINDER %s)', i, partitions, i);
    END LOOP;

    INSERT INTO idempotency_key SELECT * FROM idempotency_key_whole;
END $$;

DROP TABLE idempotency_key_whole;
ANALYZE idempotency_key;
