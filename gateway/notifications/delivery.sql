-- removed
-- Removed addresses, which are deleted once they have been notified.
SELECT id FROM notification_address WHERE removed_at IS NOT NULL;

-- delete_removed
-- Delete those with no pending delivery.
DELETE FROM notification_address
WHERE id = ANY ($1) AND NOT EXISTS (
    SELECT FROM notification_delivery WHERE address_id = notification_address.id AND state = 'pending'
);

-- position
-- How far the log was read.
SELECT reached FROM notification_position;

-- lock_position
-- How far the log was read; no row while another worker reads it.
SELECT reached FROM notification_position FOR UPDATE SKIP LOCKED;

-- move_position
-- The log was read up to here.
UPDATE notification_position SET reached = $1;

-- any_addresses
-- Whether any address is confirmed.
SELECT EXISTS (SELECT FROM notification_address WHERE confirmed_at IS NOT NULL);

-- concerned
-- The wallets with addresses that have events numbered above $1 and up to $2.
SELECT DISTINCT wallet_id FROM notification_address
WHERE confirmed_at IS NOT NULL AND failure IS NULL AND wallet_id IN (
    SELECT unnest(ARRAY[wallet_id, other_id]) FROM logged_event WHERE id > $1 AND id <= $2
    UNION
    SELECT owner FROM account WHERE id IN (
        SELECT unnest(ARRAY[debit_id, credit_id]) FROM ledger_payment WHERE event > $1 AND event <= $2 AND leg = 1
    )
);

-- add_notifications
-- Add notifications; returns those that are new.
INSERT INTO notification (wallet_id, event, kind, about, event_at, queued_at)
SELECT wallet_id, event, kind, about, at, $6
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::uuid[], $5::timestamptz[]) AS told (wallet_id, event, kind, about, at)
ORDER BY wallet_id, event
ON CONFLICT DO NOTHING
RETURNING wallet_id, event;

-- sent_lately
-- How many notifications of these wallets were sent or are pending, of the last hour.
SELECT wallet_id, count(DISTINCT notification.event) AS count
FROM notification JOIN notification_delivery USING (wallet_id, event)
WHERE wallet_id = ANY ($1) AND notification.queued_at > $2::timestamptz - interval '1 hour' AND state <> 'skipped'
GROUP BY wallet_id;

-- add_deliveries
-- Add a delivery for each of some addresses.
INSERT INTO notification_delivery
    (id, wallet_id, event, address_id, channel, state, reason, falls_back_from, queued_at, next_at, ended_at)
SELECT id, wallet_id, event, address_id, channel, state, reason, $8, $9::timestamptz, $9, CASE WHEN state <> 'pending' THEN $9 END
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[], $7::text[])
    AS told (id, wallet_id, event, address_id, channel, state, reason)
ON CONFLICT (address_id, event) DO NOTHING;

-- claim
-- Claim deliveries by a channel that are due, until the lease expires.
WITH due AS (
    SELECT id FROM notification_delivery
    WHERE channel = $1 AND state = 'pending' AND next_at <= $2 AND (leased_until IS NULL OR leased_until <= $2)
    ORDER BY next_at LIMIT $5
    FOR UPDATE SKIP LOCKED
)
UPDATE notification_delivery AS mine SET lease = $3, leased_until = $4
FROM due WHERE mine.id = due.id
RETURNING mine.*, (
    SELECT kind FROM notification WHERE notification.wallet_id = mine.wallet_id AND notification.event = mine.event
) AS kind;

-- lock_notification
-- Lock a notification: failures of its deliveries are handled one at a time.
SELECT FROM notification WHERE wallet_id = $1 AND event = $2 FOR UPDATE;

-- end_try
-- Record a try; no row if another worker has the lease by now.
UPDATE notification_delivery
SET state = $3, reason = $4, tries = $5, next_at = $6, ended_at = $7, lease = NULL, leased_until = NULL
WHERE id = $1 AND lease = $2
RETURNING id;

-- late
-- Pending deliveries that are too old and not being sent.
SELECT delivery.*, notification.kind
FROM notification_delivery AS delivery LEFT JOIN notification USING (wallet_id, event)
WHERE state = 'pending' AND delivery.queued_at < $1 AND (leased_until IS NULL OR leased_until <= $2)
LIMIT $3;

-- end_late
-- Fail a delivery; no row if a worker is sending it after all.
UPDATE notification_delivery SET state = 'failed', reason = 'too_late', ended_at = $2, lease = NULL, leased_until = NULL
WHERE id = $1 AND state = 'pending' AND (leased_until IS NULL OR leased_until <= $2)
RETURNING id;

-- event_at
-- The time of a notification's event.
SELECT event_at FROM notification WHERE wallet_id = $1 AND event = $2;

-- deliveries
-- The deliveries of some notifications of a wallet.
SELECT event, channel, state, reason, falls_back_from, ended_at FROM notification_delivery
WHERE wallet_id = $1 AND event = ANY ($2)
ORDER BY event, id;

-- waiting
-- Per channel: how many are pending, since when the oldest is, and since when one is due for the first time.
SELECT channel, count(*) AS count, min(queued_at) AS oldest, min(next_at) FILTER (WHERE tries = 0) AS due_since
FROM notification_delivery WHERE state = 'pending'
GROUP BY channel;

-- count_addresses
-- How many addresses there are, by channel and state.
SELECT channel, CASE WHEN failure IS NOT NULL THEN 'failed' WHEN confirmed_at IS NULL THEN 'pending' ELSE 'confirmed' END AS state,
    count(*)
FROM notification_address WHERE removed_at IS NULL
GROUP BY 1, 2;

-- forget
-- Delete notifications that were queued long ago, with their deliveries, a part at a time.
DELETE FROM notification USING (
    SELECT wallet_id, event FROM notification AS old WHERE queued_at < $1
    AND NOT EXISTS (
        SELECT FROM notification_delivery AS one
        WHERE one.wallet_id = old.wallet_id AND one.event = old.event AND state = 'pending'
    )
    LIMIT $2
) AS old
WHERE notification.wallet_id = old.wallet_id AND notification.event = old.event
RETURNING 1;

-- forget_codes
-- Delete the deliveries of codes that ended a day ago.
DELETE FROM notification_delivery WHERE event IS NULL AND ended_at < $1;
