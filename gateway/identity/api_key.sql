-- api_keys_by_hash
-- The wallets and rights of the valid keys among these; see schema/04_identity.sql.
SELECT hash, id, handle, address, custody, guarded, key_id, origin, scopes, networks, capped, approved, last_used_at
FROM api_keys_of($1, $2);

-- used_api_keys
-- Write when keys were last used; skips those that another transaction has locked.
UPDATE api_key AS key SET last_used_at = greatest(key.last_used_at, used.at)
FROM unnest($1::bytea[], $2::timestamptz[]) AS used (hash, at)
WHERE key.hash = used.hash
    AND key.hash IN (SELECT hash FROM api_key WHERE hash = ANY ($1) ORDER BY hash FOR NO KEY UPDATE SKIP LOCKED);

-- make_api_key
-- Store a new key by its hash.
INSERT INTO api_key (hash, wallet_id, id, origin, name, scopes, networks, capped, created_at, expires_at, approved)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- api_keys
-- The valid keys of a wallet.
SELECT id AS key_id, origin, name, scopes, networks, capped, created_at, expires_at, last_used_at, approved
FROM api_key
WHERE wallet_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
ORDER BY created_at DESC, id DESC;

-- revoke_api_key
-- Revoke a key.
UPDATE api_key SET revoked_at = $3
WHERE id = $1 AND wallet_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
RETURNING id AS key_id, origin, name, scopes, networks, capped, created_at, expires_at, last_used_at, approved;

-- approve_api_key
-- Mark a key as approved by a passkey.
UPDATE api_key SET approved = true
WHERE id = $1 AND wallet_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
RETURNING id AS key_id, origin, name, scopes, networks, capped, created_at, expires_at, last_used_at, approved;

-- acts_as_owner
-- Whether the wallet's owner can act without this key: by another key with that scope, by the address that the wallet
-- is bound to, or by its passkeys.
SELECT guarded OR custody <> 'gateway' OR EXISTS (
    SELECT FROM api_key WHERE wallet_id = $1 AND 'owner' = ANY (scopes)
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
) FROM wallet WHERE id = $1;

-- end_api_key_later
-- Make a key expire after the overlap, but no later than it would.
UPDATE api_key AS key SET expires_at = least(before.expires_at, $3)
FROM (SELECT id, expires_at FROM api_key WHERE id = $1 AND wallet_id = $2 FOR NO KEY UPDATE) AS before
WHERE key.id = before.id AND key.revoked_at IS NULL AND (before.expires_at IS NULL OR before.expires_at > $4)
RETURNING key.id AS key_id, origin, name, scopes, networks, capped, created_at, key.expires_at, last_used_at, approved,
    before.expires_at AS expired_at;
