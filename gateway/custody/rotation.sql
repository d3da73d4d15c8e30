-- lock_rotation
-- Let one rotation begin at a time. Transactions that encrypt a key do not wait for this lock.
LOCK TABLE master_key IN SHARE ROW EXCLUSIVE MODE;

-- old_keys
-- A batch of wallets' keys that are encrypted under an older master key and that nobody else is re-encrypting.
SELECT encrypted_key.wallet_id AS id, encrypted_key.ciphertext, master_key.check_value AS under
FROM encrypted_key JOIN master_key ON master_key.number = encrypted_key.master
WHERE encrypted_key.wallet_id > $1 AND encrypted_key.master < $2
ORDER BY encrypted_key.wallet_id LIMIT $3
FOR UPDATE OF encrypted_key SKIP LOCKED;

-- reencrypt
-- Store the re-encrypted keys.
UPDATE encrypted_key SET ciphertext = new.ciphertext, master = $3
FROM unnest($1::uuid[], $2::bytea[]) AS new (id, ciphertext) WHERE encrypted_key.wallet_id = new.id;

-- old_checkpoint_keys
-- The checkpoint keys that are under an older master key. There are few, so they are not read in batches.
SELECT checkpoint_key.id, checkpoint_key.ciphertext, master_key.check_value AS under
FROM checkpoint_key JOIN master_key ON master_key.number = checkpoint_key.master WHERE checkpoint_key.master < $1
FOR UPDATE OF checkpoint_key;

-- reencrypt_checkpoint_keys
-- Store the re-encrypted checkpoint keys.
UPDATE checkpoint_key SET ciphertext = new.ciphertext, master = $3
FROM unnest($1::uuid[], $2::bytea[]) AS new (id, ciphertext) WHERE checkpoint_key.id = new.id;

-- old_webhook_secrets
-- A batch of the webhook signing secrets that are under an older master key.
SELECT webhook_secret.id, webhook_secret.ciphertext, master_key.check_value AS under
FROM webhook_secret JOIN master_key ON master_key.number = webhook_secret.master
WHERE webhook_secret.id > $1 AND webhook_secret.master < $2
ORDER BY webhook_secret.id LIMIT $3
FOR UPDATE OF webhook_secret SKIP LOCKED;

-- reencrypt_webhook_secrets
-- Store the re-encrypted webhook secrets.
UPDATE webhook_secret SET ciphertext = new.ciphertext, master = $3
FROM unnest($1::uuid[], $2::bytea[]) AS new (id, ciphertext) WHERE webhook_secret.id = new.id;

-- old_notification_addresses
-- A batch of the notification addresses that are under an older master key.
SELECT notification_address.id, notification_address.ciphertext, master_key.check_value AS under
FROM notification_address JOIN master_key ON master_key.number = notification_address.master
WHERE notification_address.id > $1 AND notification_address.master < $2
ORDER BY notification_address.id LIMIT $3
FOR NO KEY UPDATE OF notification_address SKIP LOCKED;

-- reencrypt_notification_addresses
-- Store the re-encrypted notification addresses.
UPDATE notification_address SET ciphertext = new.ciphertext, master = $3
FROM unnest($1::uuid[], $2::bytea[]) AS new (id, ciphertext) WHERE notification_address.id = new.id;

-- old_master_keys
-- The master keys to retire, locked: waits for transactions that are encrypting under one of them.
SELECT number, check_value FROM master_key WHERE retired_at IS NULL AND number < $1 ORDER BY number FOR UPDATE;

-- retire_master_keys
-- Retire those that no key is encrypted under.
UPDATE master_key SET retired_at = $2
WHERE number = ANY ($1)
    AND NOT EXISTS (SELECT FROM encrypted_key WHERE master = number)
    AND NOT EXISTS (SELECT FROM checkpoint_key WHERE master = number)
    AND NOT EXISTS (SELECT FROM webhook_secret WHERE master = number)
    AND NOT EXISTS (SELECT FROM notification_address WHERE master = number)
RETURNING number, check_value;

-- add_master_key
-- Add a master key, under which new keys are encrypted; nothing if there is one of that number.
INSERT INTO master_key (number, check_value, made_at) VALUES ($1, $2, $3)
ON CONFLICT (number) DO NOTHING;

-- master_keys
-- All master keys, newest first, and whether any key is encrypted under each.
SELECT number, check_value, made_at, retired_at,
    retired_at IS NULL AND (
        EXISTS (SELECT FROM encrypted_key WHERE master = number)
        OR EXISTS (SELECT FROM checkpoint_key WHERE master = number)
        OR EXISTS (SELECT FROM webhook_secret WHERE master = number)
        OR EXISTS (SELECT FROM notification_address WHERE master = number)
    ) AS in_use
FROM master_key ORDER BY number DESC;
