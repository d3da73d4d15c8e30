-- add_endpoint
-- Add an endpoint, which gets events from now on.
INSERT INTO webhook_endpoint (id, wallet_id, url, types, description, disabled_by, created_at, reached, served_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7);

-- endpoints
-- A wallet's endpoints, newest first.
SELECT * FROM webhook_endpoint WHERE wallet_id = $1 AND deleted_at IS NULL ORDER BY id DESC;

-- endpoint
-- One of them.
SELECT * FROM webhook_endpoint WHERE id = $1 AND wallet_id = $2 AND deleted_at IS NULL;

-- lock_endpoint
-- Lock one of a wallet's endpoints, so that changes to it are serialized.
SELECT * FROM webhook_endpoint WHERE id = $1 AND wallet_id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- change_endpoint
-- Replace an endpoint's settings. Enabling a disabled endpoint resets its failures.
UPDATE webhook_endpoint SET url = $2, types = $3, description = $4, disabled_by = $5, has_news = true,
    failures = CASE WHEN $6 THEN 0 ELSE failures END,
    failing_since = CASE WHEN $6 THEN NULL ELSE failing_since END,
    resumes_at = CASE WHEN $6 THEN NULL ELSE resumes_at END
WHERE id = $1
RETURNING *;

-- try_pending_now
-- Make all pending deliveries of an endpoint due now, with all of their attempts.
UPDATE webhook_delivery SET next_at = $2, tries = 0 WHERE endpoint_id = $1 AND state = 'pending';

-- disable_endpoint
-- Disable an endpoint until its owner enables it.
UPDATE webhook_endpoint SET disabled_by = $2 WHERE id = $1 AND disabled_by IS NULL AND deleted_at IS NULL RETURNING *;

-- delete_endpoint
-- Mark an endpoint as deleted: nothing more is sent to it.
UPDATE webhook_endpoint SET deleted_at = $2 WHERE id = $1;

-- read_from
-- Set an endpoint's cursor back: events after this one are delivered again.
UPDATE webhook_endpoint SET reached = least(reached, $2), has_news = true WHERE id = $1;

-- add_secret
-- Add an endpoint's newest secret.
INSERT INTO webhook_secret (id, endpoint_id, ciphertext, master, made_at) VALUES ($1, $2, $3, $4, $5);

-- end_secrets
-- Let the newest secret expire after a while and an older one now, so that at most two sign.
WITH older AS (
    DELETE FROM webhook_secret WHERE endpoint_id = $1 AND expires_at IS NOT NULL
)
UPDATE webhook_secret SET expires_at = $2 WHERE endpoint_id = $1 AND expires_at IS NULL;

-- delete_secrets
-- Delete the secrets of a deleted endpoint.
DELETE FROM webhook_secret WHERE endpoint_id = $1;

-- secrets
-- The valid secrets of endpoints, the newest of each first.
SELECT webhook_secret.endpoint_id, webhook_secret.id, webhook_secret.ciphertext, master_key.check_value AS under
FROM webhook_secret LEFT JOIN master_key ON master_key.number = webhook_secret.master
WHERE webhook_secret.endpoint_id = ANY ($1) AND (webhook_secret.expires_at IS NULL OR webhook_secret.expires_at > $2)
ORDER BY webhook_secret.endpoint_id, webhook_secret.expires_at DESC NULLS FIRST;

-- old_secret
-- The secret of an endpoint that expires, while it still signs.
SELECT expires_at FROM webhook_secret WHERE endpoint_id = $1 AND expires_at > $2;
