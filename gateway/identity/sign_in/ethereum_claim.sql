-- write_claim
-- Store a text for claiming a handle (EIP-4361), by its parts.
INSERT INTO claim_challenge (nonce, wallet_id, handle, address, domain, uri, chain_id, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING nonce, wallet_id, handle, address, domain, uri, chain_id, issued_at, expires_at, used_at;

-- claim
-- The text with this nonce.
SELECT nonce, wallet_id, handle, address, domain, uri, chain_id, issued_at, expires_at, used_at
FROM claim_challenge WHERE nonce = $1;

-- use_claim
-- Mark the text as used; no row if it was before.
UPDATE claim_challenge SET used_at = $2 WHERE nonce = $1 AND used_at IS NULL RETURNING nonce;

-- forget_claims
-- Delete some that expired long ago, as forget_challenges does.
DELETE FROM claim_challenge WHERE nonce IN (
    SELECT nonce FROM claim_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);
