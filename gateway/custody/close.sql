-- lock_keys
-- Payments by the wallet's keys lock them before all else.
SELECT FROM api_key WHERE wallet_id = $1 AND revoked_at IS NULL ORDER BY id FOR NO KEY UPDATE;

-- lock_policy
-- Payments of a guarded wallet are decided one by one.
SELECT FROM policy WHERE wallet_id = $1 FOR NO KEY UPDATE;

-- lock_mandates
-- Draws of both sides lock them before accounts.
SELECT FROM mandate WHERE (payer = $1 OR payee = $1) AND ended_at IS NULL ORDER BY id FOR NO KEY UPDATE;

-- accounts
-- A wallet's accounts, locked in the order that every writer keeps to.
SELECT code, asset, abs(credits_posted - debits_posted) AS posted, debits_pending + credits_pending AS pending
FROM account WHERE owner = $1 ORDER BY id FOR NO KEY UPDATE;

-- close_accounts
-- Nobody pays into them any more.
UPDATE account SET closed = true WHERE owner = $1;

-- end_keys
-- No program acts for the wallet any more.
UPDATE api_key SET revoked_at = $2 WHERE wallet_id = $1 AND revoked_at IS NULL;

-- end_mandates
-- Neither does it draw, nor is it drawn from.
UPDATE mandate SET ended_at = $2 WHERE (payer = $1 OR payee = $1) AND ended_at IS NULL;

-- end_webhooks
-- Nothing is sent for it any more; a worker deletes what was.
UPDATE webhook_endpoint SET deleted_at = $2 WHERE wallet_id = $1 AND deleted_at IS NULL;

-- end_passkeys
-- Nobody signs in with them, and what their owner called them is forgotten.
UPDATE passkey SET ended_at = coalesce(ended_at, $2), ended_by = coalesce(ended_by, 'closed'), name = 'closed'
WHERE wallet_id = $1;

-- end_sessions
-- Nobody is signed in, and on what they were is forgotten.
UPDATE session SET ended_at = coalesce(ended_at, $2), ended_by = coalesce(ended_by, 'closed'), device = ''
WHERE wallet_id = $1;

-- forget_tokens
-- They open nothing.
DELETE FROM session_token USING session WHERE session.id = session_token.session_id AND session.wallet_id = $1;

-- forget_codes
-- They let nobody in.
DELETE FROM recovery_code WHERE wallet_id = $1;

-- skip_notices
-- Nobody is told of anything more.
UPDATE notification_delivery SET state = 'skipped', reason = 'the wallet was closed', ended_at = $2, lease = NULL,
    leased_until = NULL
WHERE wallet_id = $1 AND state = 'pending';

-- forget_addresses
-- Where its owner was told.
DELETE FROM notification_address WHERE wallet_id = $1;

-- forget_preferences
-- Of what.
DELETE FROM notification_preference WHERE wallet_id = $1;
