-- open_differences
-- What was confirmed and not ended yet.
SELECT id, account, asset, against, block, ledger, other, confirmed_at FROM difference
WHERE confirmed_at IS NOT NULL AND ended_at IS NULL
ORDER BY id;

-- lock_runs
-- Nobody ends a look meanwhile.
SELECT chain_id FROM reconciliation_run ORDER BY chain_id FOR UPDATE;

-- unfreeze
-- Withdrawals of the asset go on; no row when they were not stopped.
UPDATE withdrawal_freeze SET unfrozen_at = $2 WHERE asset = $1 AND unfrozen_at IS NULL RETURNING frozen_at;

-- end_differences
-- They are there no more.
UPDATE difference SET ended_at = clock_timestamp() WHERE id = ANY ($1);
