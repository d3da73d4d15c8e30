-- api_key
-- The wallet that an API key speaks for, and what the key may do; no row where it is none, or is none any more.
SELECT wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded,
    api_key.id AS key_id, api_key.origin, api_key.scopes, api_key.networks, api_key.capped, api_key.approved,
    api_key.last_used_at
FROM api_key JOIN wallet ON wallet.id = api_key.wallet_id
WHERE api_key.hash = $1 AND api_key.revoked_at IS NULL AND (api_key.expires_at IS NULL OR api_key.expires_at > $2);

-- api_keys_by_hash
-- The same of many, those that there are.
SELECT wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded,
    api_key.id AS key_id, api_key.origin, api_key.scopes, api_key.networks, api_key.capped, api_key.approved,
    api_key.hash
FROM api_key JOIN wallet ON wallet.id = api_key.wallet_id
WHERE api_key.hash = ANY ($1) AND api_key.revoked_at IS NULL
    AND (api_key.expires_at IS NULL OR api_key.expires_at > $2);

-- used_api_key
-- When it was last used, written now and then; whoever else does so at this moment does it for all.
UPDATE api_key SET last_used_at = $2
WHERE id = (
    SELECT id FROM api_key WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3) FOR NO KEY UPDATE SKIP LOCKED
);

-- used_api_keys
-- The same of many, each with when; one that somebody else is at is left to them.
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
