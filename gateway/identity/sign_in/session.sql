-- start_session
-- Somebody has signed in.
INSERT INTO session (id, wallet_id, begun_by, passkey_id, device, created_at, last_used_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7);

-- add_token
-- The token that opens a session from now on, by its hash alone.
INSERT INTO session_token (hash, session_id, made_at) VALUES ($1, $2, $3);

-- replace_token
-- It was replaced; no row where it was before.
UPDATE session_token SET replaced_at = $2 WHERE hash = $1 AND replaced_at IS NULL RETURNING session_id;

-- used_session
-- When it was last used, as often as its token is replaced.
UPDATE session SET last_used_at = $2 WHERE id = $1;

-- sessions_of_tokens
-- What tokens open, or opened once, and whose it is; see schema/04_identity.sql.
SELECT hash, id, wallet_id, begun_by, passkey_id, device, created_at, last_used_at, expires_at, ended_at, made_at,
    replaced_at, handle, address, custody, guarded
FROM sessions_of($1);

-- sessions
-- Those of a wallet that last.
SELECT id, wallet_id, begun_by, passkey_id, device, created_at, last_used_at, expires_at
FROM session WHERE wallet_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_used_at > $3
ORDER BY created_at DESC, id DESC;

-- end_session
-- It ends, and why; no row where it had.
UPDATE session SET ended_at = $3, ended_by = $4 WHERE id = $1 AND wallet_id = $2 AND ended_at IS NULL
RETURNING id, wallet_id, begun_by, passkey_id, device, created_at, last_used_at, expires_at;

-- end_session_of_token
-- The browser has signed in anew.
UPDATE session SET ended_at = $2, ended_by = 'signed_in_again'
WHERE id = (SELECT session_id FROM session_token WHERE hash = $1) AND ended_at IS NULL;

-- end_sessions_of_passkey
-- What was begun with a passkey that has ended.
UPDATE session SET ended_at = $2, ended_by = 'passkey_ended' WHERE passkey_id = $1 AND ended_at IS NULL
RETURNING id, wallet_id;

-- forget_tokens
-- Tokens of a wallet's sessions that are over open nothing, and nothing is learnt from them.
DELETE FROM session_token USING session
WHERE session.id = session_token.session_id AND session.wallet_id = $1
    AND (session.ended_at IS NOT NULL OR session.expires_at <= $2);
