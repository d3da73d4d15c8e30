-- keep_codes
-- The hashes of a wallet's recovery codes.
INSERT INTO recovery_code (wallet_id, hash, salt, made_at) SELECT $1, hash, $3, $4 FROM unnest($2::bytea[]) AS hash;

-- forget_codes
-- Those before are replaced.
DELETE FROM recovery_code WHERE wallet_id = $1;

-- codes
-- What was not used yet.
SELECT hash, salt FROM recovery_code WHERE wallet_id = $1 AND used_at IS NULL;

-- use_code
-- It is used once.
UPDATE recovery_code SET used_at = $3 WHERE wallet_id = $1 AND hash = $2 AND used_at IS NULL RETURNING hash;

-- recovered
-- Its owner has come in by a code: whoever pays it is asked for a while.
UPDATE wallet SET recovered_at = $2 WHERE id = $1;

-- count_try
-- One try more, of those since a time; an older count begins anew.
INSERT INTO recovery_try (wallet_id, began_at, tries) VALUES ($1, $2, 1)
ON CONFLICT (wallet_id) DO UPDATE SET
    tries = CASE WHEN recovery_try.began_at <= $3 THEN 1 ELSE recovery_try.tries + 1 END,
    began_at = CASE WHEN recovery_try.began_at <= $3 THEN $2 ELSE recovery_try.began_at END
RETURNING tries;

-- forget_tries
-- Whoever got in begins anew.
DELETE FROM recovery_try WHERE wallet_id = $1;

-- kept
-- How many were not used yet, and when one of them was last typed by its owner.
SELECT count(*) FILTER (WHERE used_at IS NULL) AS left, max(coalesce(used_at, proved_at)) AS proved_at
FROM recovery_code WHERE wallet_id = $1;

-- prove_code
-- Its owner has it; no row where it was used or replaced.
UPDATE recovery_code SET proved_at = $3 WHERE wallet_id = $1 AND used_at IS NULL AND hash = $2 RETURNING hash;
