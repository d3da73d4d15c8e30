-- meet
-- A request has met what it repeats; no row when another has.
UPDATE restored_payment SET met_at = $2, met_by = $3, met_key = $4 WHERE id = $1 AND met_at IS NULL RETURNING id;

-- met
-- What a request has met before.
SELECT id, transaction_hash FROM restored_payment WHERE met_by = $1 AND met_key = $2;
