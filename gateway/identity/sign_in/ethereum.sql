-- write_sign_in
-- Store a text for signing in (EIP-4361), by its parts.
INSERT INTO sign_in_challenge (nonce, wallet_id, address, domain, uri, chain_id, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING nonce, wallet_id, address, domain, uri, chain_id, issued_at, expires_at, used_at;

-- sign_in
-- The text with this nonce, and its wallet.
SELECT nonce, wallet_id, sign_in_challenge.address, domain, uri, chain_id, issued_at, expires_at, used_at, wallet.handle
FROM sign_in_challenge JOIN wallet ON wallet.id = wallet_id WHERE nonce = $1;

-- use_sign_in
-- Mark the text as used; no row if it was before.
UPDATE sign_in_challenge SET used_at = $2 WHERE nonce = $1 AND used_at IS NULL RETURNING nonce;

-- forget_sign_ins
-- Delete some that expired long ago, as forget_challenges does.
DELETE FROM sign_in_challenge WHERE nonce IN (
    SELECT nonce FROM sign_in_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);
