-- write_sign_in
-- A text to sign in with (EIP-4361), by its parts.
INSERT INTO sign_in_challenge (nonce, wallet_id, address, domain, uri, chain_id, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING nonce, wallet_id, address, domain, uri, chain_id, issued_at, expires_at, used_at;

-- sign_in
-- The text with this nonce, and whose it is.
SELECT nonce, wallet_id, sign_in_challenge.address, domain, uri, chain_id, issued_at, expires_at, used_at, wallet.handle
FROM sign_in_challenge JOIN wallet ON wallet.id = wallet_id WHERE nonce = $1;

-- use_sign_in
-- It is used once.
UPDATE sign_in_challenge SET used_at = $2 WHERE nonce = $1 AND used_at IS NULL RETURNING nonce;

-- forget_sign_ins
-- As forget_challenges.
DELETE FROM sign_in_challenge WHERE nonce IN (
    SELECT nonce FROM sign_in_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);
