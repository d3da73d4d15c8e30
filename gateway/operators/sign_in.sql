-- ask_operator
-- A challenge that may be answered once, until it expires.
INSERT INTO operator_challenge (challenge, operator_id, purpose, nonce, rp_id, origin, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- forget_operator_challenges
-- Some that expired long ago go, whenever a new one comes.
DELETE FROM operator_challenge WHERE challenge IN (
    SELECT challenge FROM operator_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);

-- use_operator_challenge
-- It is used now, and never again.
UPDATE operator_challenge SET used_at = $4
WHERE challenge = $1 AND operator_id IS NOT DISTINCT FROM $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $4
RETURNING nonce, rp_id, origin;

-- operator_to_enrol
-- Find and lock an operator whose enrolment code is still valid.
SELECT id, role, enrolment FROM operator
WHERE name = $1 AND enrolment_until > $2 AND enrolment IS NOT NULL AND revoked_at IS NULL FOR UPDATE;

-- enrol_operator
-- Their passkey, in the place of the code; no row where the passkey is another's.
UPDATE operator SET credential_id = $2, public_key = $3, sign_count = $4, enrolment = NULL, link = NULL
WHERE id = $1 AND NOT EXISTS (SELECT FROM operator WHERE credential_id = $2) RETURNING id;

-- operator_of_credential
-- Who has the passkey, kept to ourselves until the transaction ends: its count is raised one by one.
SELECT id, name, role, public_key, sign_count FROM operator
WHERE credential_id = $1 AND revoked_at IS NULL FOR NO KEY UPDATE;

-- used_operator_passkey
-- Store the sign count of an operator's passkey.
UPDATE operator SET sign_count = $2 WHERE id = $1;

-- start_operator_session
-- Start an operator's session.
INSERT INTO operator_session (hash, operator_id, started_at, expires_at) VALUES ($1, $2, $3, $4);

-- operator_of_session
-- Find the operator of a session that has not ended or expired.
SELECT operator.id, operator.name, operator.role, expires_at FROM operator_session JOIN operator ON operator.id = operator_id
WHERE hash = $1 AND ended_at IS NULL AND expires_at > $2 AND revoked_at IS NULL;

-- end_operator_session
-- End a session.
UPDATE operator_session SET ended_at = $2 WHERE hash = $1 AND ended_at IS NULL;
