-- recovery_to_confirm
-- The recovery that the gateway is in, whether all of it is read, and what it has found.
SELECT recovery.id, recovery.read_at,
    (SELECT count(*) FROM restored_payment WHERE recovery_id = recovery.id) AS payments,
    (SELECT count(*) FROM lost_address WHERE recovery_id = recovery.id) AS addresses
FROM recovery WHERE ended_at IS NULL;

-- confirm_recovery
-- It ends; no row when it has, or when there is more to read since.
UPDATE recovery SET ended_at = $2, ended_by = $3 WHERE id = $1 AND ended_at IS NULL AND read_at IS NOT NULL
RETURNING id;

-- lost_address
-- An address that was lost, unless it was given back.
SELECT address FROM lost_address WHERE address = $1 AND returned_at IS NULL;

-- return_address
-- Its handle may be claimed; no row when it could be before.
UPDATE lost_address SET returned_at = $2 WHERE address = $1 AND returned_at IS NULL RETURNING address;

-- add_correction
-- Record a correction that was posted.
INSERT INTO correction (id, debit, credit, asset, amount, reason, by, posted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- corrections
-- All there ever were, the newest first.
SELECT id, debit, credit, asset, amount, reason, by, posted_at FROM correction ORDER BY posted_at DESC, id DESC;

-- enrolled
-- How many operators can act.
SELECT count(*) FROM operator WHERE credential_id IS NOT NULL AND revoked_at IS NULL;
