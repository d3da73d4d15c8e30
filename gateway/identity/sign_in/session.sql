-- start_session
-- Start a session.
INSERT INTO session (id, wallet_id, sign_in_method, passkey_id, device, created_at, last_used_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7);

-- add_token
-- Store the hash of a session's new token.
INSERT INTO session_token (hash, session_id, made_at) VALUES ($1, $2, $3);

-- replace_token
-- Mark a token as replaced; no row if it was before.
UPDATE session_token SET replaced_at = $2 WHERE hash = $1 AND replaced_at IS NULL RETURNING session_id;

-- used_session
-- Write when a session was last used, whenever its token is replaced.
UPDATE session SET last_used_at = $2 WHERE id = $1;

-- sessions_of_tokens
-- The sessions of these tokens, including replaced ones, and their wallets; see schema/04_identity.sql.
SELECT hash, id, wallet_id, sign_in_method, passkey_id, device, created_at, last_used_at, expires_at, ended_at, made_at,
    replaced_at, handle, address, custody, guarded
FROM sessions_of($1);

-- sessions
-- The open sessions of a wallet.
SELECT id, wallet_id, sign_in_method, passkey_id, device, created_at, last_used_at, expires_at
FROM session WHERE wallet_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_used_at > $3
ORDER BY created_at DESC, id DESC;

-- end_session
-- End a session, with the reason; no row if it has ended.
UPDATE session SET ended_at = $3, ended_by = $4 WHERE id = $1 AND wallet_id = $2 AND ended_at IS NULL
RETURNING id, wallet_id, sign_in_method, passkey_id, device, created_at, last_used_at, expires_at;

-- end_session_of_token
-- End the session that the browser had before it signed in again.
UPDATE session SET ended_at = $2, ended_by = 'signed_in_again'
WHERE id = (SELECT session_id FROM session_token WHERE hash = $1) AND ended_at IS NULL;

-- end_sessions_of_passkey
-- End the sessions that were started with a passkey.
UPDATE session SET ended_at = $2, ended_by = 'passkey_ended' WHERE passkey_id = $1 AND ended_at IS NULL
RETURNING id, wallet_id;

-- forget_tokens
-- Delete the tokens of a wallet's sessions that have ended: they are of no further use.
DELETE FROM session_token USING session
WHERE session.id = session_token.session_id AND session.wallet_id = $1
    AND (session.ended_at IS NOT NULL OR session.expires_at <= $2);
