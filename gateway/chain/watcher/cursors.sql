-- read_cursor
-- How far the chain was read.
SELECT number, hash, timestamp FROM chain_cursor WHERE chain_id = $1;

-- begin_cursor
-- Where reading begins, once. Either way the cursor stays locked: no block range is written until the caller has ended.
INSERT INTO chain_cursor (chain_id, number, hash, timestamp) VALUES ($1, $2, $3, $4)
ON CONFLICT (chain_id) DO UPDATE SET chain_id = excluded.chain_id;

-- lock_cursor
-- One block range at a time is written, and no contract is recorded meanwhile.
SELECT FROM chain_cursor WHERE chain_id = $1 FOR UPDATE;

-- advance_cursor
-- Go on from where the block range began, if nobody else did and the block range was read with every contract that there is.
UPDATE chain_cursor SET number = $4, hash = $5, timestamp = $6
WHERE chain_id = $1 AND number = $2 AND hash = $3
    AND NOT EXISTS (SELECT FROM contract WHERE contract.chain_id = $1 AND asset <> ALL ($7::text[]));
