-- failures
-- The failures of endpoints that are not deleted.
SELECT id, failures, failing_since, resumes_at FROM webhook_endpoint WHERE id = ANY ($1) AND deleted_at IS NULL;

-- lock_failures
-- The same, with the endpoints locked.
SELECT id, failures, failing_since, resumes_at FROM webhook_endpoint WHERE id = ANY ($1) AND deleted_at IS NULL
ORDER BY id FOR NO KEY UPDATE;

-- lock_deliveries
-- Lock deliveries that were tried, and read their current lease.
SELECT delivery.endpoint_id, delivery.event, lease, tries, queued_at
FROM unnest($1::uuid[], $2::bigint[]) AS tried (endpoint_id, event)
JOIN webhook_delivery AS delivery ON delivery.endpoint_id = tried.endpoint_id AND delivery.event = tried.event
ORDER BY delivery.endpoint_id, delivery.event FOR UPDATE OF delivery;

-- add_attempts
-- Add attempts with their outcomes, and set the state of the deliveries $7, or the next attempt of each.
WITH ended AS (
    UPDATE webhook_delivery AS delivery
    SET state = ended.state, tries = ended.tries, next_at = ended.next_at, lease = NULL, leased_until = NULL
    FROM unnest($7::uuid[], $8::bigint[], $9::text[], $10::integer[], $11::timestamptz[])
        AS ended (endpoint_id, event, state, tries, next_at)
    WHERE delivery.endpoint_id = ended.endpoint_id AND delivery.event = ended.event
)
INSERT INTO webhook_attempt (endpoint_id, event, at, milliseconds, outcome, status)
SELECT endpoint_id, event, at, milliseconds, outcome, status
FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::integer[], $5::text[], $6::integer[]) WITH ORDINALITY
    AS tried (endpoint_id, event, at, milliseconds, outcome, status, n)
ORDER BY n;

-- stand
-- Set endpoints' failures in a row, since when none has succeeded, and until when they are paused.
UPDATE webhook_endpoint AS endpoint
SET failures = stands.failures, failing_since = stands.failing_since, resumes_at = stands.resumes_at
FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::timestamptz[])
    AS stands (id, failures, failing_since, resumes_at)
WHERE endpoint.id = stands.id;

-- first_try
-- The time of a delivery's first attempt since it was queued.
SELECT min(at) FROM webhook_attempt WHERE endpoint_id = $1 AND event = $2 AND at >= $3;
