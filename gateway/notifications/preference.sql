-- preferences
-- The preferences of these wallets.
SELECT wallet_id, kind, channel, mode FROM notification_preference WHERE wallet_id = ANY ($1);

-- set_modes
-- Set the modes of some kinds and channels.
INSERT INTO notification_preference (wallet_id, kind, channel, mode)
SELECT $1, kind, channel, mode FROM unnest($2::text[], $3::text[], $4::text[]) AS said (kind, channel, mode)
ON CONFLICT (wallet_id, kind, channel) DO UPDATE SET mode = EXCLUDED.mode;
