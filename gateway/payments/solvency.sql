-- sum_of_wallets
-- What all handles together have of an asset.
SELECT coalesce(sum(credits_posted - debits_posted), 0) FROM account
WHERE asset = $1 AND code LIKE 'wallet:%';

-- wallets_holding
-- What the book says that these wallets have of a token, and the addresses where it should lie; one without an account
-- has nothing.
SELECT 'wallet:' || wallet.handle || ':' || $1 AS code,
    (SELECT array_agg(address ORDER BY address) FROM counted_address WHERE wallet_id = wallet.id) AS addresses,
    coalesce(account.credits_posted - account.debits_posted, 0) AS posted
FROM wallet LEFT JOIN account ON account.code = 'wallet:' || wallet.handle || ':' || $1
WHERE wallet.id = ANY ($2)
ORDER BY wallet.id;

-- wallets_after
-- The next wallets of all, in order.
SELECT id FROM wallet WHERE id > $1 ORDER BY id LIMIT $2;

-- wallets_moved
-- The wallets whose addresses tokens moved from or to in the final blocks after one, up to another.
SELECT DISTINCT wallet_address.wallet_id AS id
FROM observation, LATERAL (VALUES (from_address), (to_address)) AS side (address)
JOIN wallet_address ON wallet_address.address = side.address
WHERE chain_id = $1 AND block_number > $2 AND block_number <= $3 AND observation.asset = $4;

-- observed
-- The movements in these blocks that are in the book.
SELECT block_hash, log_index FROM observation WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3;

-- addresses_of_handle
-- The addresses where what a wallet has should lie.
SELECT counted.address FROM counted_address AS counted JOIN wallet ON wallet.id = counted.wallet_id
WHERE wallet.handle = $1 ORDER BY counted.address;

-- wallets_of_handles
-- The wallets of accounts that are suspected.
SELECT id FROM wallet WHERE handle = ANY ($1);

-- begin_looks
-- A row for every chain that has something in the book.
INSERT INTO solvency_look (chain_id) SELECT chain_id FROM chain_cursor ON CONFLICT DO NOTHING;

-- take_turn
-- The turn to look at a chain, unless somebody is looking who took it less than $2 ago: where blocks are in the book that
-- were not looked at, where every wallet is to be looked at, or where a suspicion is old enough to be looked at again.
WITH due AS (
    SELECT look.chain_id, coalesce(look.all_at <= clock_timestamp() - $3::interval, true) AS every
    FROM solvency_look AS look JOIN chain_cursor AS cursor USING (chain_id)
    WHERE look.chain_id = $1 AND coalesce(look.taken_at <= clock_timestamp() - $2::interval, true)
        AND (cursor.number > look.number OR coalesce(look.all_at <= clock_timestamp() - $3::interval, true) OR EXISTS (
            SELECT FROM difference WHERE confirmed_at IS NULL AND seen_at <= clock_timestamp() - $4::interval
        ))
    FOR UPDATE OF look SKIP LOCKED
)
UPDATE solvency_look AS look SET turn = turn + 1, taken_at = clock_timestamp()
FROM due WHERE look.chain_id = due.chain_id
RETURNING look.turn, look.number, due.every;

-- suspicions
-- What a look has found that no second one has been made for.
SELECT id, account FROM difference WHERE confirmed_at IS NULL;

-- keep_turn
-- Who looks for long says that they still do; no row when the turn is somebody else's by now.
UPDATE solvency_look SET taken_at = clock_timestamp() WHERE chain_id = $1 AND turn = $2 RETURNING turn;

-- give_turn_back
-- A look that came to nothing: somebody may begin another at once.
UPDATE solvency_look SET taken_at = NULL WHERE chain_id = $1 AND turn = $2;

-- end_turn
-- A look that is done: up to where, and whether at every wallet. No row when the turn is somebody else's by now.
UPDATE solvency_look SET taken_at = NULL, number = $3,
    all_at = CASE WHEN $4 THEN clock_timestamp() ELSE all_at END
WHERE chain_id = $1 AND turn = $2
RETURNING turn;

-- confirm
-- What was suspected long enough ago and is found again, as it is now.
UPDATE difference SET confirmed_at = clock_timestamp(), block = found.block, book = found.book, other = found.other
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::numeric[], $5::numeric[])
    AS found (account, against, block, book, other)
WHERE difference.account = found.account AND difference.against = found.against
    AND confirmed_at IS NULL AND seen_at <= clock_timestamp() - $6::interval
RETURNING difference.account, difference.against;

-- suspect
-- What is found and was not before.
INSERT INTO difference (account, asset, against, block, book, other, seen_at)
SELECT account, asset, against, block, book, other, clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::numeric[], $6::numeric[])
    AS found (account, asset, against, block, book, other)
ON CONFLICT (account, against) WHERE ended_at IS NULL DO NOTHING;

-- forget
-- Suspicions that another look has not found again.
DELETE FROM difference WHERE id = ANY ($1) AND confirmed_at IS NULL AND (account, against) NOT IN (
    SELECT account, against FROM unnest($2::text[], $3::text[]) AS found (account, against)
);

-- frozen
-- The assets whose withdrawals are stopped, and since when.
SELECT asset, frozen_at FROM withdrawal_freeze WHERE lifted_at IS NULL ORDER BY asset;

-- nothing_leaves
-- The same, and a row without an asset while the gateway is in recovery.
SELECT asset, frozen_at AS since FROM withdrawal_freeze WHERE lifted_at IS NULL
UNION ALL SELECT NULL, entered_at FROM recovery WHERE ended_at IS NULL;

-- freeze
-- Stop the withdrawals of these assets; a row for each that were not stopped yet.
INSERT INTO withdrawal_freeze (asset, frozen_at)
SELECT DISTINCT asset, $2::timestamptz FROM unnest($1::text[]) AS asset ORDER BY asset
ON CONFLICT (asset) WHERE lifted_at IS NULL DO NOTHING
RETURNING asset;

-- open_withdrawals
-- Authorizations of these tokens that are on their way out of the house, locked in id order.
SELECT a.id FROM token_authorization AS a
WHERE a.asset = ANY ($1) AND a.state IN ('queued', 'submitted') AND (
    a.kind = 'redemption' OR EXISTS (SELECT FROM staged_payment WHERE authorization_id = a.id AND payee IS NULL)
)
ORDER BY a.id FOR UPDATE;

-- lock_looks
-- Nobody ends a look meanwhile.
SELECT chain_id FROM solvency_look ORDER BY chain_id FOR UPDATE;

-- open_differences
-- What was confirmed and not lifted yet.
SELECT id, account, asset, against, block, book, other, confirmed_at FROM difference
WHERE confirmed_at IS NOT NULL AND ended_at IS NULL
ORDER BY id;

-- lift
-- Withdrawals of the asset go on; no row when they were not stopped.
UPDATE withdrawal_freeze SET lifted_at = $2 WHERE asset = $1 AND lifted_at IS NULL RETURNING frozen_at;

-- end_differences
-- They are there no more.
UPDATE difference SET ended_at = clock_timestamp() WHERE id = ANY ($1);

-- looked_to
-- Up to which final block a chain was looked at.
SELECT number FROM solvency_look WHERE chain_id = $1 AND number >= 0;
