-- ask
-- A challenge that may be answered once, until it expires.
INSERT INTO passkey_challenge (challenge, wallet_id, purpose, nonce, rp_id, origin, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- forget_challenges
-- Some that expired long ago go, whenever a new one comes: so many at the most, and none that somebody else is at.
DELETE FROM passkey_challenge WHERE challenge IN (
    SELECT challenge FROM passkey_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);

-- use_challenge
-- It is used now, and never again; no row where it was, or is over, or is another wallet's, or for another purpose.
UPDATE passkey_challenge SET used_at = $4
WHERE challenge = $1 AND wallet_id IS NOT DISTINCT FROM $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $4
RETURNING nonce, rp_id, origin;

-- add_passkey
-- A passkey, if nobody has one with this credential.
INSERT INTO passkey (id, wallet_id, credential_id, public_key, sign_count, backed_up, name, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT ON CONSTRAINT passkey_credential_unique DO NOTHING
RETURNING id;

-- passkey_of_credential
-- The passkey behind a credential, kept to ourselves until the transaction ends: its count is raised one by one.
SELECT id, wallet_id, name, backed_up, created_at, last_used_at, public_key, sign_count, ended_at
FROM passkey WHERE credential_id = $1 FOR UPDATE;

-- passkey
-- One of them, by its id.
SELECT id, wallet_id, name FROM passkey WHERE id = $1;

-- used_passkey
-- It has signed so often by now.
UPDATE passkey SET sign_count = $2, last_used_at = $3 WHERE id = $1;

-- end_passkey
-- It signs no more, and why; no row where it has ended before.
UPDATE passkey SET ended_at = $3, ended_by = $4 WHERE id = $1 AND wallet_id = $2 AND ended_at IS NULL RETURNING name;

-- passkeys
-- What signs for a wallet, the newest first.
SELECT id, wallet_id, name, backed_up, created_at, last_used_at, credential_id
FROM passkey WHERE wallet_id = $1 AND ended_at IS NULL ORDER BY created_at DESC, id DESC;
