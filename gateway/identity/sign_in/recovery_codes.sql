-- keep_codes
-- Store the hashes of a wallet's recovery codes.
INSERT INTO recovery_code (wallet_id, hash, salt, made_at) SELECT $1, hash, $3, $4 FROM unnest($2::bytea[]) AS hash;

-- forget_codes
-- Delete the previous codes.
DELETE FROM recovery_code WHERE wallet_id = $1;

-- codes
-- The unused codes.
SELECT hash, salt FROM recovery_code WHERE wallet_id = $1 AND used_at IS NULL;

-- use_code
-- Use a code; no row if it was used.
UPDATE recovery_code SET used_at = $3 WHERE wallet_id = $1 AND hash = $2 AND used_at IS NULL RETURNING hash;

-- recovered
-- Record that the owner has used a code: payers of this wallet are warned for a while.
UPDATE wallet SET recovered_at = $2 WHERE id = $1;

-- count_try
-- Count a try; a count that began before a time starts again.
INSERT INTO recovery_try (wallet_id, began_at, tries) VALUES ($1, $2, 1)
ON CONFLICT (wallet_id) DO UPDATE SET
    tries = CASE WHEN recovery_try.began_at <= $3 THEN 1 ELSE recovery_try.tries + 1 END,
    began_at = CASE WHEN recovery_try.began_at <= $3 THEN $2 ELSE recovery_try.began_at END
RETURNING tries;

-- forget_tries
-- Reset the count after a success.
DELETE FROM recovery_try WHERE wallet_id = $1;

-- kept
-- How many codes are unused, and when the owner last typed one of them.
SELECT count(*) FILTER (WHERE used_at IS NULL) AS left, max(coalesce(used_at, confirmed_at)) AS confirmed_at
FROM recovery_code WHERE wallet_id = $1;

-- confirm_code
-- Record that the owner has the codes; no row if this one was used or replaced.
UPDATE recovery_code SET confirmed_at = $3 WHERE wallet_id = $1 AND used_at IS NULL AND hash = $2 RETURNING hash;
