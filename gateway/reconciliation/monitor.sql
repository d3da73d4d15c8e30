-- wallets_of_handles
-- The wallets of accounts that are suspected.
SELECT id FROM wallet WHERE handle = ANY ($1);

-- begin_runs
-- A row for every chain that has something in the ledger.
INSERT INTO reconciliation_run (chain_id) SELECT chain_id FROM chain_cursor ON CONFLICT DO NOTHING;

-- take_lease
-- The lease of the next run over a chain, unless a worker took it less than $2 ago: where blocks are in the ledger that
-- were not compared, where every wallet is due, or where a suspicion is old enough to be compared again.
WITH due AS (
    SELECT last.chain_id, coalesce(last.all_at <= clock_timestamp() - $3::interval, true) AS every
    FROM reconciliation_run AS last JOIN chain_cursor AS cursor USING (chain_id)
    WHERE last.chain_id = $1 AND coalesce(last.taken_at <= clock_timestamp() - $2::interval, true)
        AND (cursor.number > last.number OR coalesce(last.all_at <= clock_timestamp() - $3::interval, true) OR EXISTS (
            SELECT FROM difference WHERE confirmed_at IS NULL AND seen_at <= clock_timestamp() - $4::interval
        ))
    FOR UPDATE OF last SKIP LOCKED
)
UPDATE reconciliation_run AS last SET run = run + 1, taken_at = clock_timestamp()
FROM due WHERE last.chain_id = due.chain_id
RETURNING last.run, last.number, due.every;

-- suspicions
-- What a run has found that no second one has compared again.
SELECT id, account FROM difference WHERE confirmed_at IS NULL;

-- differences
-- What differs and has not ended, by asset.
SELECT asset, count(*) FILTER (WHERE confirmed_at IS NULL) AS suspected, count(confirmed_at) AS confirmed
FROM difference WHERE ended_at IS NULL GROUP BY asset;

-- renew_lease
-- A long run says that it goes on; no row when the lease is another worker's by now.
UPDATE reconciliation_run SET taken_at = clock_timestamp() WHERE chain_id = $1 AND run = $2 RETURNING run;

-- release_lease
-- A run that came to nothing: another may begin at once.
UPDATE reconciliation_run SET taken_at = NULL WHERE chain_id = $1 AND run = $2;

-- end_run
-- A run that is done: up to where, and whether over every wallet. No row when the lease is another worker's by now.
UPDATE reconciliation_run SET taken_at = NULL, number = $3,
    all_at = CASE WHEN $4 THEN clock_timestamp() ELSE all_at END
WHERE chain_id = $1 AND run = $2
RETURNING run;

-- confirm
-- What was suspected long enough ago and is found again, as it is now.
UPDATE difference SET confirmed_at = clock_timestamp(), block = found.block, ledger = found.ledger, other = found.other
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::numeric[], $5::numeric[])
    AS found (account, against, block, ledger, other)
WHERE difference.account = found.account AND difference.against = found.against
    AND confirmed_at IS NULL AND seen_at <= clock_timestamp() - $6::interval
RETURNING difference.account, difference.against;

-- suspect
-- What is found and was not before.
INSERT INTO difference (account, asset, against, block, ledger, other, seen_at)
SELECT account, asset, against, block, ledger, other, clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::numeric[], $6::numeric[])
    AS found (account, asset, against, block, ledger, other)
ON CONFLICT (account, against) WHERE ended_at IS NULL DO NOTHING;

-- forget
-- Suspicions that another run has not found again.
DELETE FROM difference WHERE id = ANY ($1) AND confirmed_at IS NULL AND (account, against) NOT IN (
    SELECT account, against FROM unnest($2::text[], $3::text[]) AS found (account, against)
);

-- reconciled_to
-- Up to which final block a chain was reconciled.
SELECT number FROM reconciliation_run WHERE chain_id = $1 AND number >= 0;
