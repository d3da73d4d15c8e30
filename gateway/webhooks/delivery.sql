-- position
-- How far the log was searched.
SELECT reached FROM webhook_position;

-- lock_position
-- How far the log was searched, and whether anybody is to be sent anything; no row while another worker takes events in.
SELECT reached, EXISTS (SELECT FROM webhook_endpoint WHERE deleted_at IS NULL) AS has_endpoints
FROM webhook_position FOR UPDATE SKIP LOCKED;

-- move_position
-- The log was searched up to here.
UPDATE webhook_position SET reached = $1;

-- news
-- What wallets with endpoints are told of, numbered above $1 and up to $2, in order. Where there are more such wallets than
-- numbers, what all wallets are told of is searched.
SELECT told, number, kind, subject, at
FROM events_told((
    SELECT CASE WHEN count(*) <= $2::bigint - $1::bigint THEN coalesce(array_agg(wallet_id), ARRAY[]::uuid[]) END
    FROM (SELECT DISTINCT wallet_id FROM webhook_endpoint WHERE deleted_at IS NULL LIMIT $2::bigint - $1::bigint + 1) AS few
), $1, $2)
WHERE EXISTS (SELECT FROM webhook_endpoint WHERE wallet_id = told AND deleted_at IS NULL)
ORDER BY number;

-- endpoints_of
-- The endpoints of some wallets, and how many deliveries of each are pending, of $2.
SELECT endpoint.*, pending.count AS pending
FROM webhook_endpoint AS endpoint, LATERAL (
    SELECT count(*) FROM (
        SELECT FROM webhook_delivery WHERE endpoint_id = endpoint.id AND state = 'pending' LIMIT $2
    ) AS few
) AS pending
WHERE wallet_id = ANY ($1) AND deleted_at IS NULL;

-- mark
-- Endpoints that are behind: there are events after their cursors.
UPDATE webhook_endpoint SET has_news = true
WHERE id IN (SELECT id FROM webhook_endpoint WHERE id = ANY ($1) AND NOT has_news ORDER BY id FOR NO KEY UPDATE);

-- move_cursors
-- The cursors of endpoints that have had everything up to here, unless they were moved back meanwhile.
UPDATE webhook_endpoint SET reached = greatest(reached, $2)
WHERE id IN (SELECT id FROM webhook_endpoint WHERE id = ANY ($1) AND NOT has_news ORDER BY id FOR NO KEY UPDATE);

-- backlog
-- How many endpoints there are that are sent to, of those how many have only failed lately, and how many are disabled; since
-- when what is due for one that does not fail waits, and how far the log was looked through.
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
-- Some enabled endpoints that have news, and room for $2 deliveries at least beside those that are pending, of $1, of which
-- no other worker is at, and how much room. Those that waited longest come first.
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
-- Events are to be delivered to endpoints, also those that were before.
INSERT INTO webhook_delivery (endpoint_id, event, kind, object, event_at, queued_at, next_at)
SELECT endpoint_id, event, kind, object, at, $6, $6
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::uuid[], $5::timestamptz[]) AS e (endpoint_id, event, kind, object, at)
ON CONFLICT (endpoint_id, event) DO UPDATE
    SET state = 'pending', tries = 0, queued_at = EXCLUDED.queued_at, next_at = EXCLUDED.next_at
    WHERE webhook_delivery.state <> 'pending';

-- retry_at_once
-- A delivery that is pending already is due, with all of its tries.
UPDATE webhook_delivery SET tries = 0, next_at = $3 WHERE endpoint_id = $1 AND event = $2 AND state = 'pending';

-- advance
-- The cursor of an endpoint, and whether there is more to read.
UPDATE webhook_endpoint SET reached = $2, has_news = $3 WHERE id = $1;

-- due_endpoints
-- Endpoints that have something to send and may be sent more, of which no other worker is at, those that waited longest
-- first: those that fail ($4), or all others, which may have $3 deliveries under way. Those that have something pending are
-- found by skipping along the index, so that all others cost nothing.
WITH RECURSIVE waiting (endpoint_id) AS (
    (SELECT endpoint_id FROM webhook_delivery WHERE state = 'pending' ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT webhook_delivery.endpoint_id FROM webhook_delivery
        WHERE state = 'pending' AND webhook_delivery.endpoint_id > waiting.endpoint_id
        ORDER BY webhook_delivery.endpoint_id LIMIT 1
    ) FROM waiting WHERE waiting.endpoint_id IS NOT NULL
)
SELECT endpoint.id, endpoint.wallet_id, endpoint.url
FROM webhook_endpoint AS endpoint
WHERE endpoint.id IN (SELECT endpoint_id FROM waiting)
    AND disabled_by IS NULL AND deleted_at IS NULL AND (resumes_at IS NULL OR resumes_at <= $1)
    AND (failures >= $2) = $4
    AND $3 > (
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
ORDER BY served_at LIMIT $5
FOR NO KEY UPDATE OF endpoint SKIP LOCKED;

-- claim
-- Deliveries of some endpoints that are due, the first of each object, are this worker's until the lease runs out: $6 at the
-- most, and so many of each endpoint that $5 are under way at all workers. They are counted here, where the endpoints are
-- locked: `room` is how many there may be. Then it is other endpoints' turn.
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
-- Leave a delivery, which was not tried, to any worker.
UPDATE webhook_delivery SET lease = NULL, leased_until = NULL WHERE endpoint_id = $1 AND event = $2 AND lease = $3;

-- deliveries
-- Deliveries of an endpoint, the newest event first, below an event.
SELECT * FROM webhook_delivery
WHERE endpoint_id = $1 AND event < $2 AND ($3::text IS NULL OR state = $3)
ORDER BY event DESC LIMIT $4;

-- attempts
-- The newest tries of some deliveries, the latest last.
SELECT event, at, milliseconds, outcome, status FROM (
    SELECT *, row_number() OVER (PARTITION BY event ORDER BY id DESC) AS back
    FROM webhook_attempt WHERE endpoint_id = $1 AND event = ANY ($2)
) AS numbered
WHERE back <= $3 ORDER BY event, back DESC;

-- forget_deliveries
-- What ended long ago, and what was of endpoints that are deleted, a part at a time.
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
-- Deleted endpoints that have no deliveries any more.
DELETE FROM webhook_endpoint
WHERE deleted_at IS NOT NULL AND NOT EXISTS (SELECT FROM webhook_delivery WHERE endpoint_id = webhook_endpoint.id);

-- forget_secrets
-- Secrets that sign nothing any more.
DELETE FROM webhook_secret WHERE expires_at <= $1;
