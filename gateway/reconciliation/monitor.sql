-- wallets_of_handles
-- The wallets of suspected accounts.
SELECT id FROM wallet WHERE handle = ANY ($1);

-- begin_runs
-- Add a row for every chain that the ledger has read.
INSERT INTO reconciliation_run (chain_id) SELECT chain_id FROM chain_cursor ON CONFLICT DO NOTHING;

-- take_lease
-- Take the lease of the next run over a chain, unless a worker took or renewed it less than $2 ago. A run is due if
-- there are blocks that were not compared, if every wallet is due, or if a suspicion is old enough to be compared
-- again.
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
-- The differences that one run has found and no second run has compared again.
SELECT id, account FROM difference WHERE confirmed_at IS NULL;

-- differences
-- The number of open differences, by asset.
SELECT asset, count(*) FILTER (WHERE confirmed_at IS NULL) AS suspected, count(confirmed_at) AS confirmed
FROM difference WHERE ended_at IS NULL GROUP BY asset;

-- renew_lease
-- Renew a lease; no row if another worker has it by now.
UPDATE reconciliation_run SET taken_at = clock_timestamp() WHERE chain_id = $1 AND run = $2 RETURNING run;

-- release_lease
-- Release the lease of a run that was not finished: another may begin at once.
UPDATE reconciliation_run SET taken_at = NULL WHERE chain_id = $1 AND run = $2;

-- end_run
-- Finish a run: up to which block, and whether over every wallet. No row if another worker has the lease by now.
UPDATE reconciliation_run SET taken_at = NULL, number = $3,
    all_at = CASE WHEN $4 THEN clock_timestamp() ELSE all_at END
WHERE chain_id = $1 AND run = $2
RETURNING run;

-- confirm
-- Confirm the suspicions that are old enough and were found again, with the amounts of this run.
UPDATE difference SET confirmed_at = clock_timestamp(), block = found.block, ledger = found.ledger, other = found.other
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::numeric[], $5::numeric[])
    AS found (account, against, block, ledger, other)
WHERE difference.account = found.account AND difference.against = found.against
    AND confirmed_at IS NULL AND seen_at <= clock_timestamp() - $6::interval
RETURNING difference.account, difference.against;

-- suspect
-- Record new suspicions.
INSERT INTO difference (account, asset, against, block, ledger, other, seen_at)
SELECT account, asset, against, block, ledger, other, clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::numeric[], $6::numeric[])
    AS found (account, asset, against, block, ledger, other)
ON CONFLICT (account, against) WHERE ended_at IS NULL DO NOTHING;

-- forget
-- Forget the suspicions that this run has not found again.
DELETE FROM difference WHERE id = ANY ($1) AND confirmed_at IS NULL AND (account, against) NOT IN (
    SELECT account, against FROM unnest($2::text[], $3::text[]) AS found (account, against)
);

-- reconciled_to
-- The final block up to which a chain was reconciled.
SELECT number FROM reconciliation_run WHERE chain_id = $1 AND number >= 0;
