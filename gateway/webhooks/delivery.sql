-- position
-- The number up to which the log was searched.
SELECT reached FROM webhook_position;

-- lock_position
-- The number up to which the log was searched, whether there are endpoints, and whether enabled ones are behind. No row while
-- another worker has it locked.
SELECT reached, EXISTS (SELECT FROM webhook_endpoint WHERE deleted_at IS NULL) AS has_endpoints,
    EXISTS (SELECT FROM webhook_endpoint WHERE has_news AND disabled_by IS NULL AND deleted_at IS NULL) AS has_behind
FROM webhook_position FOR UPDATE SKIP LOCKED;

-- news
-- Events of wallets that have endpoints, numbered above $1 and up to $2, in order. If there are more such wallets than numbers,
-- the events of all wallets are searched.
SELECT told, number, kind, subject, at
FROM events_told((
    SELECT CASE WHEN count(*) <= $2::bigint - $1::bigint THEN coalesce(array_agg(wallet_id), ARRAY[]::uuid[]) END
    FROM (SELECT DISTINCT wallet_id FROM webhook_endpoint WHERE deleted_at IS NULL LIMIT $2::bigint - $1::bigint + 1) AS few
), $1, $2)
WHERE EXISTS (SELECT FROM webhook_endpoint WHERE wallet_id = told AND deleted_at IS NULL)
ORDER BY number;

-- endpoints_of
-- The endpoints of some wallets, each with its number of pending deliveries, counted up to $2.
SELECT endpoint.*, pending.count AS pending
FROM webhook_endpoint AS endpoint, LATERAL (
    SELECT count(*) FROM (
        SELECT FROM webhook_delivery WHERE endpoint_id = endpoint.id AND state = 'pending' LIMIT $2
    ) AS few
) AS pending
WHERE wallet_id = ANY ($1) AND deleted_at IS NULL;

-- mark
-- Mark endpoints as behind: there are events after their cursors.
UPDATE webhook_endpoint SET has_news = true
WHERE id IN (SELECT id FROM webhook_endpoint WHERE id = ANY ($1) AND NOT has_news ORDER BY id FOR NO KEY UPDATE);

-- backlog
-- The number of enabled endpoints, how many of them are failing, and the number of disabled ones; since when the oldest due
-- delivery of one that is not failing waits; and the number up to which the log was searched.
SELECT count(*) FILTER (WHERE disabled_by IS NULL AND failing_since IS NULL) AS ok,
    count(*) FILTER (WHERE disabled_by IS NULL AND failing_since IS NOT NULL) AS failing,
    count(disabled_by) AS disabled,
    min(due.next_at) AS due_since,
    (SELECT reached FROM webhook_position) AS reached
FROM webhook_endpoint AS endpoint LEFT JOIN LATERAL (
    SELECT next_at FROM webhook_delivery
    WHERE endpoint_id = endpoint.id AND state = 'pending'
    ORDER BY next_at LIMIT 1
) AS due ON disabled_by IS NULL AND failing_since IS NULL
WHERE deleted_at IS NULL;

-- with_news
-- Some enabled endpoints that are behind and have room for at least $2 more of $1 pending deliveries, with that room. Skips those
-- that another worker has locked. The longest waiting come first.
SELECT endpoint.*, $1 - waiting.count AS room
FROM webhook_endpoint AS endpoint, LATERAL (
    SELECT count(*) FROM (
        SELECT FROM webhook_delivery WHERE endpoint_id = endpoint.id AND state = 'pending' LIMIT $1
    ) AS pending
) AS waiting
WHERE has_news AND disabled_by IS NULL AND deleted_at IS NULL AND waiting.count <= $1 - $2
ORDER BY served_at LIMIT $3
FOR NO KEY UPDATE OF endpoint SKIP LOCKED;

-- queue
-- Queue events for endpoints, again if they were queued before. If the log was searched up to $8, record it, and move the cursors of
-- the endpoints $7, which have been queued everything up to there, unless somebody moved them back in between.
WITH moved AS (
    UPDATE webhook_endpoint SET reached = greatest(reached, $8)
    WHERE id IN (SELECT id FROM webhook_endpoint WHERE id = ANY ($7) AND NOT has_news ORDER BY id FOR NO KEY UPDATE)
), searched AS (
    UPDATE webhook_position SET reached = $8 WHERE $8::bigint IS NOT NULL
)
INSERT INTO webhook_delivery (endpoint_id, event, kind, object, event_at, queued_at, next_at)
SELECT endpoint_id, event, kind, object, at, $6, $6
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::uuid[], $5::timestamptz[]) AS e (endpoint_id, event, kind, object, at)
ON CONFLICT (endpoint_id, event) DO UPDATE
    SET state = 'pending', tries = 0, queued_at = EXCLUDED.queued_at, next_at = EXCLUDED.next_at
    WHERE webhook_delivery.state <> 'pending';

-- retry_at_once
-- Make a pending delivery due now, with all of its attempts.
UPDATE webhook_delivery SET tries = 0, next_at = $3 WHERE endpoint_id = $1 AND event = $2 AND state = 'pending';

-- advance
-- Move an endpoint's cursor, and record whether it is still behind.
UPDATE webhook_endpoint SET reached = $2, has_news = $3 WHERE id = $1;

-- due_endpoints
-- Endpoints with a due delivery and room for another, the longest waiting first, without those that another worker has locked: at
-- most $5, first those that are not failing, which may have $3 deliveries in progress; the failing ones ($4: if any) may have one. A
-- loose index scan finds the endpoints with pending deliveries, so the others cost nothing.
WITH RECURSIVE waiting (endpoint_id) AS (
    (SELECT endpoint_id FROM webhook_delivery WHERE state = 'pending' ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT webhook_delivery.endpoint_id FROM webhook_delivery
        WHERE state = 'pending' AND webhook_delivery.endpoint_id > waiting.endpoint_id
        ORDER BY webhook_delivery.endpoint_id LIMIT 1
    ) FROM waiting WHERE waiting.endpoint_id IS NOT NULL
)
SELECT endpoint.id, endpoint.wallet_id, endpoint.url, failures >= $2 AS failing
FROM webhook_endpoint AS endpoint
WHERE endpoint.id IN (SELECT endpoint_id FROM waiting)
    AND disabled_by IS NULL AND deleted_at IS NULL AND (resumes_at IS NULL OR resumes_at <= $1)
    AND (failures < $2 OR $4)
    AND CASE WHEN failures < $2 THEN $3 ELSE 1 END > (
        SELECT count(*) FROM webhook_delivery
        WHERE endpoint_id = endpoint.id AND lease IS NOT NULL AND leased_until > $1
    )
    AND EXISTS (
        SELECT FROM webhook_delivery AS delivery
        WHERE delivery.endpoint_id = endpoint.id AND delivery.state = 'pending' AND delivery.next_at <= $1
            AND (delivery.leased_until IS NULL OR delivery.leased_until <= $1)
            AND NOT EXISTS (
                SELECT FROM webhook_delivery AS earlier
                WHERE earlier.endpoint_id = endpoint.id AND earlier.object = delivery.object
                    AND earlier.event < delivery.event AND earlier.state = 'pending'
            )
    )
ORDER BY failing, served_at LIMIT $5
FOR NO KEY UPDATE OF endpoint SKIP LOCKED;

-- claim
-- Lease due deliveries of some endpoints to this worker, the first of each object: at most $6, and per endpoint so many that $5
-- are in progress over all workers. They are counted here, under the locks of the endpoints: `room` is how many more there may be.
-- The endpoints then go to the end of the queue.
WITH due AS MATERIALIZED (
    SELECT endpoint.id, room, delivery.event
    FROM unnest($1::uuid[]) WITH ORDINALITY AS endpoint (id, place), LATERAL (
        SELECT greatest($5 - count(*), 0) AS room FROM webhook_delivery
        WHERE endpoint_id = endpoint.id AND lease IS NOT NULL AND leased_until > $2
    ) AS under_way, LATERAL (
        SELECT event FROM webhook_delivery AS delivery
        WHERE endpoint_id = endpoint.id AND state = 'pending' AND next_at <= $2
            AND (leased_until IS NULL OR leased_until <= $2)
            AND NOT EXISTS (
                SELECT FROM webhook_delivery AS earlier
                WHERE earlier.endpoint_id = endpoint.id AND earlier.object = delivery.object
                    AND earlier.event < delivery.event AND earlier.state = 'pending'
            )
        ORDER BY next_at, event LIMIT room
    ) AS delivery
    ORDER BY place LIMIT $6
), served AS (
    UPDATE webhook_endpoint SET served_at = $2 WHERE id IN (SELECT id FROM due)
)
UPDATE webhook_delivery AS mine SET lease = $3, leased_until = $4
FROM due
WHERE mine.endpoint_id = due.id AND mine.event = due.event
RETURNING mine.endpoint_id, mine.event, due.room;

-- release
-- End the lease of a delivery that was not tried, so that any worker can take it.
UPDATE webhook_delivery SET lease = NULL, leased_until = NULL WHERE endpoint_id = $1 AND event = $2 AND lease = $3;

-- deliveries
-- Deliveries of an endpoint for events numbered below one, the newest event first.
SELECT * FROM webhook_delivery
WHERE endpoint_id = $1 AND event < $2 AND ($3::text IS NULL OR state = $3)
ORDER BY event DESC LIMIT $4;

-- attempts
-- The newest attempts of some deliveries, oldest first.
SELECT event, at, milliseconds, outcome, status FROM (
    SELECT *, row_number() OVER (PARTITION BY event ORDER BY id DESC) AS back
    FROM webhook_attempt WHERE endpoint_id = $1 AND event = ANY ($2)
) AS numbered
WHERE back <= $3 ORDER BY event, back DESC;

-- forget_deliveries
-- Delete deliveries that ended long ago and those of deleted endpoints, a limited number at a time.
WITH old AS (
    (SELECT endpoint_id, event FROM webhook_delivery WHERE state <> 'pending' AND queued_at < $1 LIMIT $2)
    UNION
    (SELECT webhook_delivery.endpoint_id, event
     FROM webhook_delivery JOIN webhook_endpoint ON webhook_endpoint.id = endpoint_id AND deleted_at IS NOT NULL LIMIT $2)
)
DELETE FROM webhook_delivery USING old
WHERE webhook_delivery.endpoint_id = old.endpoint_id AND webhook_delivery.event = old.event
RETURNING 1;

-- forget_endpoints
-- Remove deleted endpoints that have no deliveries left.
DELETE FROM webhook_endpoint
WHERE deleted_at IS NOT NULL AND NOT EXISTS (SELECT FROM webhook_delivery WHERE endpoint_id = webhook_endpoint.id);

-- forget_secrets
-- Delete expired secrets.
DELETE FROM webhook_secret WHERE expires_at <= $1;
