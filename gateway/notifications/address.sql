-- put_address
-- Add an address, or make it wait for a new code.
INSERT INTO notification_address
    (id, wallet_id, channel, ciphertext, master, locale, time_zone, created_at, code_expires_at, unsubscribe, lookup)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (id) DO UPDATE SET ciphertext = EXCLUDED.ciphertext, master = EXCLUDED.master, locale = EXCLUDED.locale,
    time_zone = EXCLUDED.time_zone, confirmed_at = NULL, failure = NULL, failed_at = NULL,
    code_expires_at = EXCLUDED.code_expires_at, code_tries = 0;

-- handles_of_lookup
-- The handles of the wallets with confirmed addresses of this hash.
SELECT DISTINCT wallet.handle FROM notification_address JOIN wallet ON wallet.id = wallet_id
WHERE lookup = $1 AND confirmed_at IS NOT NULL AND removed_at IS NULL LIMIT 20;

-- queue_code
-- Queue the code, also if one was queued before.
INSERT INTO notification_delivery (id, wallet_id, address_id, channel, queued_at, next_at)
VALUES ($1, $2, $3, $4, $5, $5)
ON CONFLICT (address_id, event) DO UPDATE SET id = EXCLUDED.id, state = 'pending', reason = NULL, tries = 0,
    queued_at = EXCLUDED.queued_at, next_at = EXCLUDED.next_at, ended_at = NULL, lease = NULL, leased_until = NULL;

-- set_locale
-- Set an address's locale and time zone.
UPDATE notification_address SET locale = $2, time_zone = $3 WHERE id = $1;

-- set_readers
-- Set the locale and time zone of all addresses of a wallet.
UPDATE notification_address SET locale = $2, time_zone = $3 WHERE wallet_id = $1 AND removed_at IS NULL;

-- try_code
-- Count a try of the code.
UPDATE notification_address SET code_tries = code_tries + 1 WHERE id = $1 RETURNING code_tries, code_expires_at;

-- reencrypt_address
-- Store the address, encrypted again.
UPDATE notification_address SET ciphertext = $2, master = $3 WHERE id = $1;

-- confirm_address
-- Mark an address as confirmed.
UPDATE notification_address SET confirmed_at = $2, code_expires_at = NULL, code_tries = 0 WHERE id = $1;

-- remove_address
-- Mark an address as removed.
UPDATE notification_address SET removed_at = $2 WHERE id = $1;

-- delete_address
-- Delete an address.
DELETE FROM notification_address WHERE id = $1;

-- end_pending
-- Skip the pending deliveries to an address.
UPDATE notification_delivery SET state = 'skipped', reason = $2, ended_at = $3, lease = NULL, leased_until = NULL
WHERE address_id = $1 AND state = 'pending';

-- fail_address
-- Mark an address as failed; no row if it is already.
UPDATE notification_address SET failure = $2, failed_at = $3 WHERE id = $1 AND failure IS NULL
RETURNING channel, confirmed_at, removed_at;

-- addresses
-- The addresses of a wallet, newest first.
SELECT notification_address.*, master_key.check_value AS under
FROM notification_address LEFT JOIN master_key ON master_key.number = notification_address.master
WHERE wallet_id = $1 AND removed_at IS NULL ORDER BY id DESC;

-- address
-- An address of a wallet.
SELECT notification_address.*, master_key.check_value AS under
FROM notification_address LEFT JOIN master_key ON master_key.number = notification_address.master
WHERE id = $1 AND wallet_id = $2 AND removed_at IS NULL;

-- address_to_send
-- An address that something is to be sent to.
SELECT notification_address.*, master_key.check_value AS under
FROM notification_address LEFT JOIN master_key ON master_key.number = notification_address.master
WHERE id = $1;

-- of_unsubscribe
-- The wallet of the address that a link was sent to.
SELECT wallet_id, channel FROM notification_address WHERE unsubscribe = $1;

-- usable
-- The addresses of these wallets that notifications may go to; none is deleted until the transaction ends.
SELECT id, wallet_id, channel, confirmed_at, removed_at FROM notification_address
WHERE wallet_id = ANY ($1) AND confirmed_at IS NOT NULL AND failure IS NULL
ORDER BY id FOR KEY SHARE;

-- forget_unconfirmed
-- Delete addresses that were never confirmed.
DELETE FROM notification_address WHERE confirmed_at IS NULL AND code_expires_at < $1;
