-- api_keys_by_hash
-- What keys may do, of those that there are; see schema/04_identity.sql.
SELECT hash, id, handle, address, custody, guarded, key_id, origin, scopes, networks, capped, approved, last_used_at
FROM api_keys_of($1, $2);

-- used_api_keys
-- When they were last used, written now and then; one that somebody else is at is left to them.
UPDATE api_key AS key SET last_used_at = greatest(key.last_used_at, used.at)
FROM unnest($1::bytea[], $2::timestamptz[]) AS used (hash, at)
WHERE key.hash = used.hash
    AND key.hash IN (SELECT hash FROM api_key WHERE hash = ANY ($1) ORDER BY hash FOR NO KEY UPDATE SKIP LOCKED);

-- make_api_key
-- A key that its owner has made, by its hash alone.
INSERT INTO api_key (hash, wallet_id, id, origin, name, scopes, networks, capped, created_at, expires_at, approved)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- api_keys
-- Those of a wallet that are good.
SELECT id AS key_id, origin, name, scopes, networks, capped, created_at, expires_at, last_used_at, approved
FROM api_key
WHERE wallet_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
ORDER BY created_at DESC, id DESC;

-- revoke_api_key
-- It is none from now on.
UPDATE api_key SET revoked_at = $3
WHERE id = $1 AND wallet_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
RETURNING id AS key_id, origin, name, scopes, networks, capped, created_at, expires_at, last_used_at, approved;

-- approve_api_key
-- A passkey stands behind it from now on.
UPDATE api_key SET approved = true
WHERE id = $1 AND wallet_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
RETURNING id AS key_id, origin, name, scopes, networks, capped, created_at, expires_at, last_used_at, approved;

-- acts_as_owner
-- Whether something else than a passkey acts as the wallet's owner, or need not: a key with that scope, the address that
-- it is bound to, or its passkeys, once it has one.
SELECT guarded OR custody <> 'gateway' OR EXISTS (
    SELECT FROM api_key WHERE wallet_id = $1 AND 'owner' = ANY (scopes)
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
) FROM wallet WHERE id = $1;

-- end_api_key_later
-- It is good for a while more, and never for longer than it was to be.
UPDATE api_key AS key SET expires_at = least(before.expires_at, $3)
FROM (SELECT id, expires_at FROM api_key WHERE id = $1 AND wallet_id = $2 FOR NO KEY UPDATE) AS before
WHERE key.id = before.id AND key.revoked_at IS NULL AND (before.expires_at IS NULL OR before.expires_at > $4)
RETURNING key.id AS key_id, origin, name, scopes, networks, capped, created_at, key.expires_at, last_used_at, approved,
    before.expires_at AS expired_at;
