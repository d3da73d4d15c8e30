-- failing
-- Failing endpoints and those disabled for failing, newest first, each with its owner, its last attempt, and its number of
-- pending deliveries, counted up to $3.
SELECT endpoint.*, wallet.handle, waiting.count AS waiting, last.at AS last_at, last.outcome, last.status
FROM webhook_endpoint AS endpoint JOIN wallet ON wallet.id = endpoint.wallet_id, LATERAL (
    SELECT count(*) FROM (
        SELECT FROM webhook_delivery WHERE endpoint_id = endpoint.id AND state = 'pending' LIMIT $3
    ) AS few
) AS waiting LEFT JOIN LATERAL (
    SELECT at, outcome, status FROM webhook_attempt
    WHERE endpoint_id = endpoint.id ORDER BY event DESC, webhook_attempt.id DESC LIMIT 1
) AS last ON true
WHERE endpoint.deleted_at IS NULL
    AND (endpoint.failing_since IS NOT NULL OR endpoint.disabled_by IN ('gone', 'failing'))
    AND endpoint.id < $1
ORDER BY endpoint.id DESC LIMIT $2;

-- lock_any
-- Lock an endpoint of any wallet, so that changes to it are serialized.
SELECT * FROM webhook_endpoint WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE;

-- begin_anew
-- Enable an endpoint and reset its failures.
UPDATE webhook_endpoint SET disabled_by = NULL, failures = 0, failing_since = NULL, resumes_at = NULL, has_news = true
WHERE id = $1
RETURNING *;
