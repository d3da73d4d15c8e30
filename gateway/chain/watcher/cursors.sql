-- read_cursor
-- How far the chain was read.
SELECT number, hash, timestamp FROM chain_cursor WHERE chain_id = $1;

-- begin_cursor
-- Start reading, once. The cursor is locked in any case: no block range is written until the caller's transaction ends.
INSERT INTO chain_cursor (chain_id, number, hash, timestamp) VALUES ($1, $2, $3, $4)
ON CONFLICT (chain_id) DO UPDATE SET chain_id = excluded.chain_id;

-- lock_cursor
-- Lock the cursor: one block range at a time is written, and no contract is recorded in the meantime.
SELECT FROM chain_cursor WHERE chain_id = $1 FOR UPDATE;

-- advance_cursor
-- Move the cursor from where the block range began, if nobody else did and the range was read with every recorded
-- contract.
UPDATE chain_cursor SET number = $4, hash = $5, timestamp = $6
WHERE chain_id = $1 AND number = $2 AND hash = $3
    AND NOT EXISTS (SELECT FROM contract WHERE contract.chain_id = $1 AND asset <> ALL ($7::text[]));
