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

-- looked_to
-- Up to which final block a chain was looked at.
SELECT number FROM solvency_look WHERE chain_id = $1 AND number >= 0;
