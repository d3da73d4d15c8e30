-- sum_of_wallets
-- The sum of all wallets' balances of an asset.
SELECT coalesce(sum(credits_posted - debits_posted), 0) FROM account
WHERE asset = $1 AND code LIKE 'wallet:%';

-- wallets_holding
-- The balance of a token that the ledger has for these wallets, and the addresses that should hold it. A wallet without
-- an account has 0.
SELECT 'wallet:' || wallet.handle || ':' || $1 AS code,
    (SELECT array_agg(address ORDER BY address) FROM counted_address WHERE wallet_id = wallet.id) AS addresses,
    coalesce(account.credits_posted - account.debits_posted, 0) AS posted
FROM wallet LEFT JOIN account ON account.code = 'wallet:' || wallet.handle || ':' || $1
WHERE wallet.id = ANY ($2)
ORDER BY wallet.id;

-- wallets_after
-- The next batch of all wallets, in id order.
SELECT id FROM wallet WHERE id > $1 ORDER BY id LIMIT $2;

-- wallets_moved
-- The wallets whose addresses sent or received tokens in the final blocks after one, up to another.
SELECT DISTINCT wallet_address.wallet_id AS id
FROM observation, LATERAL (VALUES (from_address), (to_address)) AS side (address)
JOIN wallet_address ON wallet_address.address = side.address
WHERE chain_id = $1 AND block_number > $2 AND block_number <= $3 AND observation.asset = $4;
