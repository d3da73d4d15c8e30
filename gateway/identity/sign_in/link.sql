-- add_link
-- Store a link that signs in once, replacing the wallet's previous one.
WITH before AS (DELETE FROM sign_in_link WHERE wallet_id = $2)
INSERT INTO sign_in_link (hash, wallet_id, expires_at) VALUES ($1, $2, $3);

-- use_link
-- Use a link, while the wallet has no passkey and is open.
UPDATE sign_in_link SET used_at = $2 FROM wallet
WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 AND wallet.id = sign_in_link.wallet_id AND NOT wallet.guarded
    AND wallet.closed_at IS NULL
RETURNING wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded;
