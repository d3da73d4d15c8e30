-- claim
-- A wallet under a handle nobody has, with an address whose key we keep; no row when somebody has it, or one like it, or
-- it is like a reserved word.
WITH claimed AS (
    INSERT INTO wallet (id, handle, address, custody, created_at)
    SELECT $1, $2, $3, 'gateway', $4 WHERE NOT EXISTS (SELECT FROM reserved_handle WHERE skeleton = confusable_skeleton($2))
    ON CONFLICT DO NOTHING
    RETURNING *
)
INSERT INTO wallet_address (address, wallet_id, custody, since) SELECT address, id, custody, created_at FROM claimed
RETURNING wallet_id;

-- look_alike
-- Whoever has the handle that this one would be taken for; itself, where that is taken; or a word that is reserved.
SELECT name, reserved FROM (
    SELECT handle, false FROM wallet WHERE skeleton = confusable_skeleton($1) OR handle = $1
    UNION ALL
    SELECT word, true FROM reserved_handle WHERE skeleton = confusable_skeleton($1)
) AS there (name, reserved)
ORDER BY reserved, name <> $1 LIMIT 1;

-- keep_key
-- The encrypted private key of a wallet's first address.
INSERT INTO encrypted_key (wallet_id, ciphertext, master) VALUES ($1, $2, $3);

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

-- handles
-- The handles of many wallets.
SELECT id, handle FROM wallet WHERE id = ANY ($1);

-- by_handles
-- The wallets that many handles point at.
SELECT id, handle, address, custody, guarded FROM wallet WHERE handle = ANY ($1);

-- by_addresses
-- The wallets whose tokens lie at these addresses, of a block's logs.
SELECT counted.address AS at, wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded
FROM counted_address AS counted JOIN wallet ON wallet.id = counted.wallet_id
WHERE counted.address = ANY ($1);

-- by_addresses_at
-- The same of a block that is read again: not where what the block moved came into the ledger when the address was bound,
-- or when the handle of an address that a restore had lost was claimed again.
SELECT counted.address AS at, wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded
FROM counted_address AS counted
JOIN wallet ON wallet.id = counted.wallet_id
JOIN wallet_address AS bound ON bound.address = counted.address
WHERE counted.address = ANY ($1) AND (bound.custody = 'gateway' OR bound.read_to < $2)
    AND NOT EXISTS (
        SELECT FROM lost_address AS lost WHERE lost.address = counted.address AND lost.taken_block >= $2);

-- master_key
-- The one that keys are encrypted under; it is not retired before we are done.
SELECT number, check_value FROM master_key ORDER BY number DESC LIMIT 1 FOR SHARE;

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

-- lock_wallets
-- What is decided about one wallet is decided by one after the other.
SELECT FROM wallet WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE;

-- lock_keys_of_wallets
-- Payments lock the key that they are paid with before its wallet.
SELECT FROM api_key WHERE wallet_id = ANY ($1) AND revoked_at IS NULL ORDER BY id FOR NO KEY UPDATE;

-- share
-- Wallets that stay as they are, in id order.
SELECT id FROM wallet WHERE id = ANY ($1) ORDER BY id FOR SHARE;

-- close
-- It is closed for ever; no row where it was.
UPDATE wallet SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL RETURNING closed_at;

-- closed_at
-- When it was closed, of one that is locked.
SELECT closed_at FROM wallet WHERE id = $1;

-- closed
-- Which of these wallets were closed.
SELECT id FROM wallet WHERE id = ANY ($1) AND closed_at IS NOT NULL;
