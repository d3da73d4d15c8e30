-- place_freeze
-- Add a reason why a wallet is frozen.
INSERT INTO wallet_freeze (id, wallet_id, reason, placed_at, expires_at) VALUES ($1, $2, $3, $4, $5);

-- remove_expiry
-- Remove the expiry of a reason; no row if it has ended.
UPDATE wallet_freeze SET expires_at = NULL WHERE id = $1 AND ended_at IS NULL RETURNING id;

-- end_freezes
UPDATE wallet_freeze SET ended_at = $2 WHERE wallet_id = $1 AND ended_at IS NULL RETURNING id;

-- expired
-- The reasons that have expired.
SELECT id, wallet_id FROM wallet_freeze WHERE ended_at IS NULL AND expires_at <= $1 ORDER BY wallet_id, id LIMIT 100;

-- end_freeze
UPDATE wallet_freeze SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL AND expires_at <= $2 RETURNING id;

-- set_frozen
-- Set since when the wallet is frozen: NULL once no reason is in force.
UPDATE wallet SET frozen_at = (SELECT min(placed_at) FROM wallet_freeze WHERE wallet_id = $1 AND ended_at IS NULL)
WHERE id = $1;

-- freeze_of_payment
-- Link a reason to the payment that its owner reported as unauthorized.
UPDATE wallet_freeze SET payment_id = $2 WHERE id = $1;

-- is_frozen_over
-- Whether the payment has been reported, and the reason is in force.
SELECT EXISTS (SELECT FROM wallet_freeze WHERE payment_id = $1 AND ended_at IS NULL);

-- end_own_freezes
-- End the reasons that the owner placed early enough; never an operator's.
UPDATE wallet_freeze SET ended_at = $2
WHERE wallet_id = $1 AND ended_at IS NULL AND payment_id IS NOT NULL AND placed_at <= $3 RETURNING id;

-- freezes_in_force
-- The reasons in force, of all wallets.
SELECT handle, reason, placed_at, expires_at, ended_at, payment_id
FROM wallet_freeze JOIN wallet ON wallet.id = wallet_id WHERE ended_at IS NULL ORDER BY placed_at DESC LIMIT 200;

-- freezes_in_force_of
-- The reasons in force, of one wallet.
SELECT handle, reason, placed_at, expires_at, ended_at, payment_id
FROM wallet_freeze JOIN wallet ON wallet.id = wallet_id WHERE wallet_id = $1 AND ended_at IS NULL
ORDER BY placed_at DESC LIMIT 200;

-- freezes_of_wallet
-- The last reasons of a wallet, those in force first.
SELECT handle, reason, placed_at, expires_at, ended_at, payment_id
FROM wallet_freeze JOIN wallet ON wallet.id = wallet_id WHERE wallet_id = $1
ORDER BY ended_at IS NULL DESC, placed_at DESC LIMIT 20;
