-- open_differences
-- The differences that are confirmed and have not ended.
SELECT id, account, asset, against, block, ledger, other, confirmed_at FROM difference
WHERE confirmed_at IS NOT NULL AND ended_at IS NULL
ORDER BY id;

-- lock_runs
-- Lock the runs, so that none ends in the meantime.
SELECT chain_id FROM reconciliation_run ORDER BY chain_id FOR UPDATE;

-- unfreeze
-- Unfreeze withdrawals of an asset; no row if they are not frozen.
UPDATE withdrawal_freeze SET unfrozen_at = $2 WHERE asset = $1 AND unfrozen_at IS NULL RETURNING frozen_at;

-- end_differences
-- End the differences.
UPDATE difference SET ended_at = clock_timestamp() WHERE id = ANY ($1);
