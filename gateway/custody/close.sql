-- lock_policy
-- Lock the policy: payments of a guarded wallet are decided one at a time.
SELECT FROM policy WHERE wallet_id = $1 FOR NO KEY UPDATE;

-- lock_mandates
-- Lock the mandates of both sides: draws lock them before accounts.
SELECT FROM mandate WHERE (payer = $1 OR payee = $1) AND ended_at IS NULL ORDER BY id FOR NO KEY UPDATE;

-- accounts
-- A wallet's accounts, locked in id order as every writer does.
SELECT code, asset, abs(credits_posted - debits_posted) AS posted, debits_pending + credits_pending AS pending
FROM account WHERE owner = $1 ORDER BY id FOR NO KEY UPDATE;

-- close_accounts
-- Close the accounts, so that nobody can pay into them.
UPDATE account SET closed = true WHERE owner = $1;

-- end_keys
-- Revoke the wallet's API keys.
UPDATE api_key SET revoked_at = $2 WHERE wallet_id = $1 AND revoked_at IS NULL;

-- end_mandates
-- End the mandates that the wallet gave or received.
UPDATE mandate SET ended_at = $2 WHERE (payer = $1 OR payee = $1) AND ended_at IS NULL;

-- end_webhooks
-- Delete its webhook endpoints; a worker removes what is queued for them.
UPDATE webhook_endpoint SET deleted_at = $2 WHERE wallet_id = $1 AND deleted_at IS NULL;

-- end_passkeys
-- End its passkeys and erase the names that the owner gave them.
UPDATE passkey SET ended_at = coalesce(ended_at, $2), ended_by = coalesce(ended_by, 'closed'), name = 'closed'
WHERE wallet_id = $1;

-- end_sessions
-- End its sessions and erase the names of their devices.
UPDATE session SET ended_at = coalesce(ended_at, $2), ended_by = coalesce(ended_by, 'closed'), device = ''
WHERE wallet_id = $1;

-- forget_tokens
-- Delete the tokens of its sessions.
DELETE FROM session_token USING session WHERE session.id = session_token.session_id AND session.wallet_id = $1;

-- forget_codes
-- Delete its recovery codes.
DELETE FROM recovery_code WHERE wallet_id = $1;

-- skip_notices
-- Skip the notifications that are still pending.
UPDATE notification_delivery SET state = 'skipped', reason = 'the wallet was closed', ended_at = $2, lease = NULL,
    leased_until = NULL
WHERE wallet_id = $1 AND state = 'pending';

-- forget_addresses
-- Delete its notification addresses.
DELETE FROM notification_address WHERE wallet_id = $1;

-- forget_preferences
-- Delete its notification preferences.
DELETE FROM notification_preference WHERE wallet_id = $1;
