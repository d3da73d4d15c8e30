-- lock_rotation
-- Whoever begins a rotation is alone at it; who seals meanwhile does not wait.
LOCK TABLE master_key IN SHARE ROW EXCLUSIVE MODE;

-- old_keys
-- Some wallets' keys that are sealed under an older master key, and that nobody else is sealing anew.
SELECT sealed_key.wallet_id AS id, sealed_key.sealed, master_key.check_value AS under
FROM sealed_key JOIN master_key ON master_key.number = sealed_key.master
WHERE sealed_key.wallet_id > $1 AND sealed_key.master < $2
ORDER BY sealed_key.wallet_id LIMIT $3
FOR UPDATE OF sealed_key SKIP LOCKED;

-- seal_anew
-- Those are under the newest master key now.
UPDATE sealed_key SET sealed = anew.sealed, master = $3
FROM unnest($1::uuid[], $2::bytea[]) AS anew (id, sealed) WHERE sealed_key.wallet_id = anew.id;

-- old_seal_keys
-- As old_keys, of the logs' seals, of which there are few.
SELECT seal_key.id, seal_key.sealed, master_key.check_value AS under
FROM seal_key JOIN master_key ON master_key.number = seal_key.master WHERE seal_key.master < $1
FOR UPDATE OF seal_key;

-- seal_seal_keys_anew
-- The same of them.
UPDATE seal_key SET sealed = anew.sealed, master = $3
FROM unnest($1::uuid[], $2::bytea[]) AS anew (id, sealed) WHERE seal_key.id = anew.id;

-- old_master_keys
-- Those that are to be retired; whoever is sealing under one is waited for.
SELECT number, check_value FROM master_key WHERE retired_at IS NULL AND number < $1 ORDER BY number FOR UPDATE;

-- retire_master_keys
-- Those of them that no key is sealed under.
UPDATE master_key SET retired_at = $2
WHERE number = ANY ($1)
    AND NOT EXISTS (SELECT FROM sealed_key WHERE master = number)
    AND NOT EXISTS (SELECT FROM seal_key WHERE master = number)
RETURNING number, check_value;

-- add_master_key
-- Keys are sealed under it from now on; nothing where there is one of that number.
INSERT INTO master_key (number, check_value, made_at) VALUES ($1, $2, $3)
ON CONFLICT (number) DO NOTHING;

-- master_keys
-- All of them, the newest first, and whether any key is sealed under each.
SELECT number, check_value, made_at, retired_at,
    retired_at IS NULL AND (
        EXISTS (SELECT FROM sealed_key WHERE master = number) OR EXISTS (SELECT FROM seal_key WHERE master = number)
    ) AS opens
FROM master_key ORDER BY number DESC;
