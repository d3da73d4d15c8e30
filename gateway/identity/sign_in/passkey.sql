-- ask
-- Store a challenge that can be used once, until it expires.
INSERT INTO passkey_challenge (challenge, wallet_id, purpose, nonce, rp_id, origin, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- forget_challenges
-- Delete some challenges that expired long ago, whenever a new one is made: a limited number, and none that is locked.
DELETE FROM passkey_challenge WHERE challenge IN (
    SELECT challenge FROM passkey_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);

-- use_challenge
-- Use a challenge; no row if it was used, has expired, or is for another wallet or purpose.
UPDATE passkey_challenge SET used_at = $4
WHERE challenge = $1 AND wallet_id IS NOT DISTINCT FROM $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $4
RETURNING nonce, rp_id, origin;

-- add_passkey
-- Add a passkey, unless one has this credential.
INSERT INTO passkey (id, wallet_id, credential_id, public_key, sign_count, backed_up, name, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT ON CONSTRAINT passkey_credential_unique DO NOTHING
RETURNING id;

-- passkey_of_credential
-- The passkey of a credential, locked until the transaction ends, so that its count is raised by one transaction at a
-- time.
SELECT id, wallet_id, name, backed_up, created_at, last_used_at, public_key, sign_count, ended_at
FROM passkey WHERE credential_id = $1 FOR UPDATE;

-- passkey
-- A passkey, by its id.
SELECT id, wallet_id, name FROM passkey WHERE id = $1;

-- used_passkey
-- Store the signature count.
UPDATE passkey SET sign_count = $2, last_used_at = $3 WHERE id = $1;

-- end_passkey
-- End a passkey, with the reason; no row if it has ended before.
UPDATE passkey SET ended_at = $3, ended_by = $4 WHERE id = $1 AND wallet_id = $2 AND ended_at IS NULL RETURNING name;

-- passkeys
-- The valid passkeys of a wallet, newest first.
SELECT id, wallet_id, name, backed_up, created_at, last_used_at, credential_id
FROM passkey WHERE wallet_id = $1 AND ended_at IS NULL ORDER BY created_at DESC, id DESC;
