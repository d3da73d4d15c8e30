-- seen
-- Up to which event the owner has seen the notifications.
SELECT event FROM notification_seen WHERE wallet_id = $1;

-- see
-- Mark them as seen up to this event; an earlier one changes nothing.
INSERT INTO notification_seen (wallet_id, event) VALUES ($1, $2)
ON CONFLICT (wallet_id) DO UPDATE SET event = EXCLUDED.event WHERE notification_seen.event < EXCLUDED.event;
