-- seen
-- Up to which event the owner has seen the notices.
SELECT event FROM notification_seen WHERE wallet_id = $1;

-- see
-- They have seen them up to this one; an earlier one changes nothing.
INSERT INTO notification_seen (wallet_id, event) VALUES ($1, $2)
ON CONFLICT (wallet_id) DO UPDATE SET event = EXCLUDED.event WHERE notification_seen.event < EXCLUDED.event;
