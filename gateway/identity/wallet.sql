-- claim
-- Create a wallet under a free handle, with an address whose key the gateway keeps. No row if the handle is taken, or
-- looks like a taken one or a reserved word.
WITH claimed AS (
    INSERT INTO wallet (id, handle, address, custody, created_at)
    SELECT $1, $2, $3, 'gateway', $4 WHERE NOT EXISTS (SELECT FROM reserved_handle WHERE skeleton = confusable_skeleton($2))
    ON CONFLICT DO NOTHING
    RETURNING *
)
INSERT INTO wallet_address (address, wallet_id, custody, since) SELECT address, id, custody, created_at FROM claimed
RETURNING wallet_id;

-- look_alike
-- The handle that looks like this one, or is this one; or a reserved word.
SELECT name, reserved FROM (
    SELECT handle, false FROM wallet WHERE skeleton = confusable_skeleton($1) OR handle = $1
    UNION ALL
    SELECT word, true FROM reserved_handle WHERE skeleton = confusable_skeleton($1)
) AS there (name, reserved)
ORDER BY reserved, name <> $1 LIMIT 1;

-- keep_key
-- Store the encrypted private key of a wallet's first address.
INSERT INTO encrypted_key (wallet_id, ciphertext, master) VALUES ($1, $2, $3);

-- add_api_key
-- Store a wallet's API key by its hash; no row if that hash exists.
INSERT INTO api_key (hash, wallet_id, created_at) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING RETURNING id;

-- by_api_key
-- The wallet that was claimed with a key, for a claim that is repeated.
SELECT wallet.id, handle, address, custody, guarded FROM api_key JOIN wallet ON wallet.id = wallet_id
WHERE hash = $1;

-- guard
-- Make a wallet guarded: its policy applies, and its API keys no longer act as its owner.
UPDATE wallet SET guarded = true WHERE id = $1 AND NOT guarded;

-- is_guarded
-- Whether the wallet is guarded, locked until the transaction ends.
SELECT guarded FROM wallet WHERE id = $1 FOR NO KEY UPDATE;

-- by_handle
-- The wallet of a handle.
SELECT id, handle, address, custody, guarded FROM wallet WHERE handle = $1;

-- by_id
-- A wallet, by its id.
SELECT id, handle, address, custody, guarded FROM wallet WHERE id = $1;

-- have_moved
-- Whether the address of any of these wallets differs from the given one.
SELECT EXISTS (
    SELECT FROM unnest($1::uuid[], $2::text[]) AS said (id, address) JOIN wallet USING (id)
    WHERE wallet.address <> said.address
);

-- handles
-- The handles of many wallets.
SELECT id, handle FROM wallet WHERE id = ANY ($1);

-- by_handles
-- The wallets of many handles.
SELECT id, handle, address, custody, guarded FROM wallet WHERE handle = ANY ($1);

-- by_addresses
-- The wallets that own the tokens at these addresses, which are those of a block's logs.
SELECT counted.address AS at, wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded
FROM counted_address AS counted JOIN wallet ON wallet.id = counted.wallet_id
WHERE counted.address = ANY ($1);

-- by_addresses_at
-- The same for a block that is read again. Left out are addresses whose balance, with what the block moved, was posted
-- when the address was bound, or when the handle of an address that a restore had lost was claimed again.
SELECT counted.address AS at, wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded
FROM counted_address AS counted
JOIN wallet ON wallet.id = counted.wallet_id
JOIN wallet_address AS bound ON bound.address = counted.address
WHERE counted.address = ANY ($1) AND (bound.custody = 'gateway' OR bound.read_to < $2)
    AND NOT EXISTS (
        SELECT FROM lost_address AS lost WHERE lost.address = counted.address AND lost.taken_block >= $2);

-- master_key
-- The master key that encrypts keys, locked so that it is not retired in the meantime.
SELECT number, check_value FROM master_key ORDER BY number DESC LIMIT 1 FOR SHARE;

-- add_address
-- Give an address to a wallet for ever, unless it has a wallet.
INSERT INTO wallet_address (address, wallet_id, custody, since, read_to) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING;

-- address
-- The wallet of an address, and who keeps its key.
SELECT wallet_id, custody FROM wallet_address WHERE address = $1;

-- change_address
-- Set a wallet's current address.
UPDATE wallet SET address = $2, custody = $3 WHERE id = $1;

-- addresses
-- All addresses of a wallet.
SELECT address FROM wallet_address WHERE wallet_id = $1 ORDER BY since;

-- lock_wallets
-- Lock wallets in id order, so that decisions about each are made one at a time.
SELECT FROM wallet WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE;

-- lock_keys_of_wallets
-- Lock the API keys of wallets: a payment locks its key before the wallet.
SELECT FROM api_key WHERE wallet_id = ANY ($1) AND revoked_at IS NULL ORDER BY id FOR NO KEY UPDATE;

-- share
-- Lock wallets for sharing, in id order.
SELECT id FROM wallet WHERE id = ANY ($1) ORDER BY id FOR SHARE;

-- close
-- Close a wallet; no row if it was closed.
UPDATE wallet SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL RETURNING closed_at;

-- closed_at
-- When a locked wallet was closed.
SELECT closed_at FROM wallet WHERE id = $1;

-- closed
-- Which of these wallets are closed.
SELECT id FROM wallet WHERE id = ANY ($1) AND closed_at IS NOT NULL;
