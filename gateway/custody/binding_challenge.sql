-- write_challenge
-- Store the challenge of a wallet, replacing the previous one.
INSERT INTO address_challenge (wallet_id, nonce, address, domain, uri, chain_id, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (wallet_id) DO UPDATE SET nonce = excluded.nonce, address = excluded.address, domain = excluded.domain,
    uri = excluded.uri, chain_id = excluded.chain_id, issued_at = excluded.issued_at,
    expires_at = excluded.expires_at, used_at = NULL
RETURNING nonce, address, domain, uri, chain_id, issued_at, expires_at, used_at;

-- challenge
-- A wallet's current challenge.
SELECT nonce, address, domain, uri, chain_id, issued_at, expires_at, used_at FROM address_challenge WHERE wallet_id = $1;

-- use_challenge
-- Mark a challenge as used; no row if it was used or replaced before.
UPDATE address_challenge SET used_at = $3 WHERE wallet_id = $1 AND nonce = $2 AND used_at IS NULL RETURNING nonce;
