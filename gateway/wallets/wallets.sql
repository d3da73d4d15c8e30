-- claim
-- A wallet under a handle nobody has, with an address whose key we keep; no row when somebody has it, or one like it, or
-- it is like a reserved word.
WITH claimed AS (
    INSERT INTO wallet (id, handle, address, custody, created_at)
    SELECT $1, $2, $3, 'gateway', $4 WHERE NOT EXISTS (SELECT FROM reserved_handle WHERE looks = looks_of($2))
    ON CONFLICT DO NOTHING
    RETURNING *
)
INSERT INTO wallet_address (address, wallet_id, custody, since) SELECT address, id, custody, created_at FROM claimed
RETURNING wallet_id;

-- look_alike
-- Whoever has the handle that this one would be taken for; itself, where that is taken; or a word that is reserved.
SELECT name, reserved FROM (
    SELECT handle, false FROM wallet WHERE looks = looks_of($1) OR handle = $1
    UNION ALL
    SELECT word, true FROM reserved_handle WHERE looks = looks_of($1)
) AS there (name, reserved)
ORDER BY reserved, name <> $1 LIMIT 1;

-- keep_key
-- The sealed private key of a wallet's first address.
INSERT INTO sealed_key (wallet_id, sealed, master) VALUES ($1, $2, $3);

-- add_api_key
-- A key that speaks for a wallet, by its hash alone; no row where the key is one already.
INSERT INTO api_key (hash, wallet_id, created_at) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING RETURNING id;

-- by_api_key
-- The wallet that was claimed with a key; a claim that is repeated finds it.
SELECT wallet.id, handle, address, custody, guarded FROM api_key JOIN wallet ON wallet.id = wallet_id
WHERE hash = $1;

-- guard
-- It has a passkey: from now on its policy holds, and its API keys are no owner's.
UPDATE wallet SET guarded = true WHERE id = $1 AND NOT guarded;

-- is_guarded
-- Whether it has one, until the transaction ends.
SELECT guarded FROM wallet WHERE id = $1 FOR NO KEY UPDATE;

-- by_handle
-- The wallet a handle points at.
SELECT id, handle, address, custody, guarded FROM wallet WHERE handle = $1;

-- by_id
-- One of them.
SELECT id, handle, address, custody, guarded FROM wallet WHERE id = $1;

-- have_moved
-- Whether the address of some of these wallets is another by now than the one that is said.
SELECT EXISTS (
    SELECT FROM unnest($1::uuid[], $2::text[]) AS said (id, address) JOIN wallet USING (id)
    WHERE wallet.address <> said.address
);

-- by_handles
-- The wallets that many handles point at.
SELECT id, handle, address, custody, guarded FROM wallet WHERE handle = ANY ($1);

-- by_addresses
-- The wallets whose tokens lie at these addresses, of a block's logs.
SELECT counted.address AS at, wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded
FROM counted_address AS counted JOIN wallet ON wallet.id = counted.wallet_id
WHERE counted.address = ANY ($1);

-- by_addresses_at
-- The same of a block that is read again: not where what the block moved came into the book when the address was bound,
-- or when the handle of an address that a restore had lost was claimed again.
SELECT counted.address AS at, wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded
FROM counted_address AS counted
JOIN wallet ON wallet.id = counted.wallet_id
JOIN wallet_address AS bound ON bound.address = counted.address
WHERE counted.address = ANY ($1) AND (bound.custody = 'gateway' OR bound.read_to < $2)
    AND NOT EXISTS (
        SELECT FROM lost_address AS lost WHERE lost.address = counted.address AND lost.taken_block >= $2);

-- add_master_key
-- Keys are sealed under it from now on; nothing where there is one of that number.
INSERT INTO master_key (number, check_value, made_at) VALUES ($1, $2, $3)
ON CONFLICT (number) DO NOTHING;

-- master_key
-- The one that keys are sealed under; it is not retired before we are done.
SELECT number, check_value FROM master_key ORDER BY number DESC LIMIT 1 FOR SHARE;

-- master_keys
-- All of them, the newest first, and whether any key is sealed under each.
SELECT number, check_value, made_at, retired_at,
    retired_at IS NULL AND (
        EXISTS (SELECT FROM sealed_key WHERE master = number) OR EXISTS (SELECT FROM seal_key WHERE master = number)
    ) AS opens
FROM master_key ORDER BY number DESC;

-- add_root_key
-- New wallets' keys are derived from it from now on; nothing where there is one.
INSERT INTO root_key (number, check_value, made_at) VALUES (1, $1, $2) ON CONFLICT (number) DO NOTHING;

-- root_key
-- The one that they are derived from.
SELECT check_value FROM root_key;

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

-- kept_key
-- The address whose key we keep for a wallet, and that key, sealed.
SELECT wallet_address.address, sealed_key.sealed, master_key.check_value AS under
FROM sealed_key JOIN wallet_address USING (wallet_id) LEFT JOIN master_key ON master_key.number = sealed_key.master
WHERE sealed_key.wallet_id = $1 AND wallet_address.custody = 'gateway';

-- sealed_keys
-- The sealed keys behind addresses that are about to sign.
SELECT wallet_address.address, sealed_key.wallet_id, sealed_key.sealed, master_key.check_value AS under
FROM wallet_address JOIN sealed_key USING (wallet_id) LEFT JOIN master_key ON master_key.number = sealed_key.master
WHERE wallet_address.address = ANY ($1) AND wallet_address.custody = 'gateway';

-- write_challenge
-- What a wallet's owner is to sign; it replaces the one before.
INSERT INTO address_challenge (wallet_id, nonce, address, domain, uri, chain_id, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (wallet_id) DO UPDATE SET nonce = excluded.nonce, address = excluded.address, domain = excluded.domain,
    uri = excluded.uri, chain_id = excluded.chain_id, issued_at = excluded.issued_at,
    expires_at = excluded.expires_at, used_at = NULL
RETURNING nonce, address, domain, uri, chain_id, issued_at, expires_at, used_at;

-- challenge
-- What a wallet's owner was last asked to sign.
SELECT nonce, address, domain, uri, chain_id, issued_at, expires_at, used_at FROM address_challenge WHERE wallet_id = $1;

-- use_challenge
-- It is used once.
UPDATE address_challenge SET used_at = $3 WHERE wallet_id = $1 AND nonce = $2 AND used_at IS NULL RETURNING nonce;

-- add_address
-- An address becomes a wallet's for ever, if it is nobody's.
INSERT INTO wallet_address (address, wallet_id, custody, since, read_to) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING;

-- address
-- Whose an address is, and who keeps its key.
SELECT wallet_id, custody FROM wallet_address WHERE address = $1;

-- change_address
-- A wallet's current address is another.
UPDATE wallet SET address = $2, custody = $3 WHERE id = $1;

-- addresses
-- Every address that is a wallet's.
SELECT address FROM wallet_address WHERE wallet_id = $1 ORDER BY since;

-- seal_key
-- The key that the logs are sealed with from now on.
SELECT seal_key.id, seal_key.sealed, master_key.check_value AS under
FROM seal_key LEFT JOIN master_key ON master_key.number = seal_key.master ORDER BY seal_key.number DESC LIMIT 1;

-- add_seal_key
-- The first key; nothing where somebody was quicker.
INSERT INTO seal_key (id, number, sealed, master, made_at) VALUES ($1, 1, $2, $3, $4)
ON CONFLICT ON CONSTRAINT seal_key_number_unique DO NOTHING;

-- seal_keys
-- All of them, the first first.
SELECT seal_key.id, seal_key.sealed, master_key.check_value AS under
FROM seal_key LEFT JOIN master_key ON master_key.number = seal_key.master ORDER BY seal_key.number;
