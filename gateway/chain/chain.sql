-- take_nonces
-- Hand out the next nonces of each payer, as many as it needs, and say the first. Rows are locked in (asset, address)
-- order; the lock is what keeps the nonces of two transactions at once without a gap. An address that its wallet has left
-- gives out none, but to what brings its tokens after it: what is to be paid from it was decided too early.
INSERT INTO authorization_nonce AS handed_out (asset, address, next)
SELECT asset, address, wanted
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS payer (asset, address, wanted)
ORDER BY asset, address
ON CONFLICT (asset, address) DO UPDATE SET next = handed_out.next + excluded.next WHERE NOT handed_out.closed OR $4
RETURNING asset, address, next - (
    SELECT wanted FROM unnest($1::text[], $2::text[], $3::bigint[]) AS payer (asset, address, wanted)
    WHERE payer.asset = handed_out.asset AND payer.address = handed_out.address
) AS first;

-- begin_nonces
-- An address of somebody's own begins at a place of its own, where its owner has used none.
INSERT INTO authorization_nonce (asset, address, next)
SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[])
ORDER BY 1, 2
ON CONFLICT DO NOTHING;

-- pass_over
-- Nonces that their owner has used without us are handed out no more: as far as they lie where ours are next.
INSERT INTO authorization_nonce AS kept (asset, address, next)
SELECT used.asset, used.address, max(used.nonce) + 1
FROM unnest($1::text[], $2::text[], $3::numeric[]) AS used (asset, address, nonce)
LEFT JOIN authorization_nonce AS n USING (asset, address)
WHERE used.nonce >= coalesce(n.next, 0) AND used.nonce < coalesce(n.next, 0) + 2::numeric ^ 32
GROUP BY used.asset, used.address
ORDER BY used.asset, used.address
ON CONFLICT (asset, address) DO UPDATE SET next = greatest(kept.next, excluded.next);

-- close_nonces
-- An address is left: nothing is to be paid from it any more. Who was giving out its nonces has ended by then.
INSERT INTO authorization_nonce (asset, address, next, closed)
SELECT asset, $2, 0, true FROM unnest($1::text[]) AS asset
ORDER BY asset
ON CONFLICT (asset, address) DO UPDATE SET closed = true;

-- open_nonces
-- An address is come back to.
UPDATE authorization_nonce SET closed = false WHERE asset = ANY ($1) AND address = $2;

-- count_open
-- How much of what these addresses give, or of what is minted to them, has no end yet.
SELECT count(*) FROM token_authorization
WHERE asset = ANY ($1) AND state IN ('unsigned', 'queued', 'submitted')
    AND (from_address = ANY ($2) OR (kind = 'mint' AND to_address = ANY ($2)));

-- enqueue
-- Authorizations with their nonces, not signed yet. What the gateway does not sign waits until somebody has.
INSERT INTO token_authorization
    (id, kind, asset, from_address, to_address, value, nonce, valid_before, created_at, signed_by, state)
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_before, $9, signed_by,
    CASE signed_by WHEN 'gateway' THEN 'queued' ELSE 'unsigned' END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::numeric[], $8::bigint[],
        $10::text[])
    AS fresh (id, kind, asset, from_address, to_address, value, nonce, valid_before, signed_by);

-- present
-- One that was signed before we knew of it, with a nonce of its owner's. No row: that nonce is used already.
INSERT INTO token_authorization
    (id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, created_at, signed_by, state,
    signature)
VALUES ($1, $2, $3, $4, $5, $6::numeric, $7::numeric, $8, $9, $10, $11, 'queued', $12)
ON CONFLICT ON CONSTRAINT token_authorization_used_once DO NOTHING
RETURNING id;

-- hold_nonces
-- Where an address's nonces stand, held until the transaction ends. No row: it was left.
INSERT INTO authorization_nonce AS n (asset, address, next) VALUES ($1, $2, 0)
ON CONFLICT (asset, address) DO UPDATE SET next = n.next WHERE NOT n.closed
RETURNING next;

-- by_id
-- One authorization.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by, state,
    transaction_id
FROM token_authorization WHERE id = $1;

-- by_id_for_update
-- The same, locked.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by, state,
    transaction_id
FROM token_authorization WHERE id = $1 FOR UPDATE;

-- sign
-- Somebody has signed it: it is queued like any other.
UPDATE token_authorization SET state = 'queued', signature = $2 WHERE id = $1 AND state = 'unsigned';

-- ripe
-- The batches to form now, by token and kind of batch, with how many authorizations wait for each, as far as one batch
-- goes, and how many of these contracts have signed: as many wait as make a full one, or the oldest has waited for long
-- enough. None of a token of which a batch was seen to have reverted since $4; few ever do, and they have an index of
-- their own. (The kinds are not a parameter: PostgreSQL would plan this anew each time that anybody looks.)
SELECT contract.asset, batch.kind, waiting.count, waiting.by_contracts
FROM contract CROSS JOIN (VALUES ('settle'), ('mint')) AS batch (kind), LATERAL (
    SELECT count(*) AS count, count(*) FILTER (WHERE signed_by = 'contract') AS by_contracts, min(created_at) AS oldest
    FROM (
        SELECT created_at, signed_by FROM token_authorization
        WHERE asset = contract.asset AND batch_of(kind) = batch.kind AND state = 'queued'
            AND NOT withheld AND valid_before > $1
        ORDER BY id
        LIMIT $2
    ) AS next
) AS waiting
WHERE (waiting.count >= $2 OR waiting.oldest <= $3) AND NOT EXISTS (
    SELECT FROM chain_transaction WHERE state = 'reverted' AND asset = contract.asset AND concluded_at > $4
);

-- find
-- Authorizations by what the contract knows them by.
SELECT a.id, a.kind, a.asset, a.from_address, a.to_address, a.value, a.nonce, a.valid_after, a.valid_before,
    a.signature, a.signed_by, a.state, a.transaction_id
FROM unnest($1::text[], $2::text[], $3::numeric[]) AS wanted (asset, from_address, nonce)
JOIN token_authorization AS a USING (asset, from_address, nonce);

-- find_for_update
-- The same, locked in id order.
SELECT a.id, a.kind, a.asset, a.from_address, a.to_address, a.value, a.nonce, a.valid_after, a.valid_before,
    a.signature, a.signed_by, a.state, a.transaction_id
FROM unnest($1::text[], $2::text[], $3::numeric[]) AS wanted (asset, from_address, nonce)
JOIN token_authorization AS a USING (asset, from_address, nonce)
ORDER BY a.id
FOR UPDATE OF a;

-- settle
-- Authorizations that a final log has settled, those that have no end yet; whatever was in doubt is not any more.
UPDATE token_authorization SET state = 'settled', reason = NULL
WHERE id = ANY ($1) AND state IN ('unsigned', 'queued', 'submitted');

-- finish
-- Give authorizations their end, those that have none.
UPDATE token_authorization AS a SET state = $2, reason = given.reason
FROM unnest($1::uuid[], $3::text[]) AS given (id, reason)
WHERE a.id = given.id AND a.state IN ('unsigned', 'queued', 'submitted')
RETURNING a.id;

-- requeue
-- What reverted transactions carried goes back to the queue. Few ever revert: it is looked for among all that is open.
UPDATE token_authorization SET state = 'queued', transaction_id = NULL
WHERE asset = ANY (ARRAY(SELECT asset FROM chain_transaction WHERE id = ANY ($1)))
    AND transaction_id = ANY ($1) AND state = 'submitted'
RETURNING id;

-- overdue
-- What can be settled by no block after one of this time, the longest over first. The contract knows no such time of a
-- mint: while a transaction may still carry it into a block, it is not over.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by
FROM token_authorization AS a
WHERE asset = ANY ($1) AND state IN ('queued', 'submitted') AND reason IS NULL AND NOT withheld
    AND valid_before <= $2
    AND (kind <> 'mint' OR state = 'queued' OR EXISTS (
        SELECT FROM chain_transaction AS t WHERE t.id = a.transaction_id AND t.state <> 'stored'
    ))
ORDER BY valid_before
LIMIT $3;

-- lock_overdue
-- Of these, the ones that are still so and that nobody else is busy with. What is batched while this waits is seen to be
-- submitted, and in no transaction that has ended.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by
FROM token_authorization AS a
WHERE id = ANY ($1) AND state IN ('queued', 'submitted') AND reason IS NULL AND NOT withheld
    AND valid_before <= $2
    AND (kind <> 'mint' OR state = 'queued' OR EXISTS (
        SELECT FROM chain_transaction AS t WHERE t.id = a.transaction_id AND t.state <> 'stored'
    ))
ORDER BY id
FOR UPDATE OF a SKIP LOCKED;

-- doubt
-- What has no end and that somebody has to look at.
UPDATE token_authorization SET reason = $2 WHERE id = ANY ($1) AND state IN ('queued', 'submitted');

-- claim
-- The oldest queued authorizations for a kind of batch that nobody else is busy with and that are still in time.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by
FROM token_authorization
WHERE asset = $1 AND batch_of(kind) = $2 AND state = 'queued' AND NOT withheld AND valid_before > $3
ORDER BY id
LIMIT $4
FOR UPDATE SKIP LOCKED;

-- withhold
-- Authorizations that are put into no batch for now, those too that come back to the queue.
UPDATE token_authorization SET withheld = true WHERE id = ANY ($1) AND state IN ('queued', 'submitted');

-- release
-- They are again, in id order as everybody locks them, but for those of wallets that are frozen themselves; an unsigned
-- one may still be given more time.
WITH held AS (
    SELECT id FROM token_authorization AS waiting
    WHERE asset = $1 AND withheld AND state IN ('queued', 'submitted') AND NOT EXISTS (
        SELECT FROM wallet_address JOIN wallet ON wallet.id = wallet_address.wallet_id
        WHERE wallet_address.address = waiting.from_address AND wallet.frozen_at IS NOT NULL)
    ORDER BY id FOR UPDATE
)
UPDATE token_authorization AS a SET withheld = false,
    valid_before = CASE WHEN signature IS NULL THEN greatest(valid_before, $2) ELSE valid_before END
FROM held WHERE a.id = held.id
RETURNING a.id;

-- register_lane
-- A lane's first nonce, once; then the chain it is of.
WITH fresh AS (
    INSERT INTO lane (address, chain_id, next_nonce) VALUES ($1, $2, $3) ON CONFLICT (address) DO NOTHING
)
SELECT chain_id FROM lane WHERE address = $1;

-- lock_lane
-- One at a time takes a lane's nonce.
SELECT next_nonce, stopped FROM lane WHERE address = $1 FOR UPDATE;

-- read_lane
-- A lane as it is at the moment.
SELECT next_nonce, stopped FROM lane WHERE address = $1;

-- read_lanes
-- Lanes as they stand, given how many of their nonces are in blocks: what is in none, since when, and what that may
-- cost at most; and what no final block has.
SELECT lane.address, lane.next_nonce, lane.stopped, lane.low, lane.refused, lane.refused_nonce,
    count(*) FILTER (WHERE t.nonce >= seen.mined) AS open,
    count(t.id) AS unfinished,
    min(t.created_at) AS oldest_at,
    coalesce(sum(t.gas_limit * offered.fee_wei) FILTER (WHERE t.nonce >= seen.mined), 0)::numeric AS promised_wei
FROM unnest($1::text[], $2::bigint[]) AS seen (address, mined)
JOIN lane USING (address)
LEFT JOIN chain_transaction AS t ON t.lane = lane.address AND t.state = 'stored'
LEFT JOIN LATERAL (
    SELECT max(fee_wei_max) AS fee_wei FROM attempt WHERE attempt.transaction_id = t.id
) AS offered ON true
GROUP BY lane.address
ORDER BY lane.address;

-- lane_addresses
-- Every lane of a chain.
SELECT address FROM lane WHERE chain_id = $1 ORDER BY address;

-- lanes_among
-- Which of these addresses send our transactions.
SELECT address FROM lane WHERE address = ANY ($1);

-- take_lane
-- The first of these lanes that goes on, has room, and that nobody else is taking a nonce of; it is locked.
SELECT lane.address
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS wanted (address, below, place)
JOIN lane USING (address)
WHERE lane.stopped IS NULL AND lane.next_nonce < wanted.below
ORDER BY wanted.place
LIMIT 1
FOR UPDATE OF lane SKIP LOCKED;

-- turn_to_resend
-- Whose turn it is to be looked after: one worker at a time takes it, and nobody waits.
UPDATE lane SET resent_at = clock_timestamp() WHERE address IN (
    SELECT address FROM lane
    WHERE address = ANY ($1) AND stopped IS NULL
        AND coalesce(resent_at + $2::interval <= clock_timestamp(), true)
    FOR UPDATE SKIP LOCKED
)
RETURNING address;

-- turn_to_weigh
-- Whose gas money is to be looked at, in the same way.
UPDATE lane SET weighed_at = clock_timestamp() WHERE address IN (
    SELECT address FROM lane
    WHERE address = ANY ($1) AND coalesce(weighed_at + $2::interval <= clock_timestamp(), true)
    FOR UPDATE SKIP LOCKED
)
RETURNING address;

-- looked_after_within
-- Whether some lane was looked after within a time; NULL: none ever was.
SELECT bool_or(greatest(resent_at, weighed_at) > clock_timestamp() - $1::interval) FROM lane;

-- unfinished_after
-- Whether a transaction that no final block has is older than this.
SELECT EXISTS (
    SELECT FROM lane JOIN chain_transaction AS t ON t.lane = lane.address AND t.state = 'stored'
    WHERE t.created_at < clock_timestamp() - $1::interval
);

-- note_low
-- That a lane's gas money runs out, or does no more; a row where that is new.
UPDATE lane SET low = $2 WHERE address = $1 AND low <> $2 RETURNING address;

-- unsent
-- What no node was handed yet, in the order in which it has to be.
SELECT chain_transaction.id AS transaction_id, chain_transaction.nonce, attempt.hash, attempt.raw
FROM lane
JOIN chain_transaction ON chain_transaction.lane = lane.address
    AND chain_transaction.nonce >= lane.sent_nonce AND chain_transaction.state = 'stored'
JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE lane.address = $1 AND lane.stopped IS NULL
ORDER BY chain_transaction.nonce, attempt.fee_wei_max;

-- sent
-- Everything below this nonce was handed to a node.
UPDATE lane SET sent_nonce = $2 WHERE address = $1 AND sent_nonce < $2;

-- note_refused
-- What a node answers to the first transaction of a lane that it does not take; a row where it did not say that before,
-- in the same words but for numbers.
WITH known AS (
    SELECT address, regexp_replace(refused, '0x[0-9a-fA-F]+|[0-9]+', '#', 'g') AS words FROM lane
    WHERE address = (SELECT lane FROM chain_transaction WHERE id = $1) FOR UPDATE
)
UPDATE lane SET refused = $3, refused_nonce = $2,
    refused_at = CASE WHEN known.words IS DISTINCT FROM $4 THEN clock_timestamp() ELSE refused_at END
FROM known WHERE lane.address = known.address
RETURNING lane.address, known.words IS DISTINCT FROM $4 AS fresh;

-- note_taken
-- A node takes what the lane sends; a row where it did not before.
UPDATE lane SET refused = NULL, refused_nonce = NULL, refused_at = NULL
WHERE address = $1 AND refused IS NOT NULL
RETURNING address;

-- refused_anywhere
-- A lane whose transactions a node does not take, the longest first.
SELECT address, refused, refused_nonce FROM lane WHERE refused IS NOT NULL ORDER BY refused_at LIMIT 1;

-- open_raws
-- The raw bytes of a lane's open transactions of one kind, for one asset.
SELECT attempt.raw
FROM chain_transaction JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE chain_transaction.lane = $1 AND chain_transaction.kind = $2 AND chain_transaction.asset = $3
    AND chain_transaction.state = 'stored';

-- store_transaction
-- What the lane, which is locked, will send, with its first raw bytes, before anybody sees them: its nonce is taken, and
-- the authorizations that it carries, which were claimed, are submitted.
WITH taken AS (
    UPDATE lane SET next_nonce = $3::bigint + 1 WHERE address = $2
), stored AS (
    INSERT INTO chain_transaction (id, lane, nonce, kind, asset, gas_limit, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
), first_attempt AS (
    INSERT INTO attempt (hash, transaction_id, raw, fee_wei_max, tip_wei_max, created_at)
    VALUES ($8, $1, $9, $10, $11, $7)
)
UPDATE token_authorization AS a SET state = 'submitted', transaction_id = $1, signature = signed.signature
FROM unnest($12::uuid[], $13::bytea[]) AS signed (id, signature)
WHERE a.id = signed.id;

-- store_attempt
-- Raw bytes, before anybody sees them. The same bytes again are the same attempt.
INSERT INTO attempt (hash, transaction_id, raw, fee_wei_max, tip_wei_max, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (hash) DO NOTHING;

-- open_attempts
-- What a lane has sent, or should have, that no final block has.
SELECT attempt.hash, attempt.transaction_id, chain_transaction.nonce, attempt.fee_wei_max, attempt.tip_wei_max,
    attempt.created_at
FROM chain_transaction JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE chain_transaction.lane = $1 AND chain_transaction.state = 'stored'
ORDER BY chain_transaction.nonce, attempt.fee_wei_max;

-- open_hashes
-- The same of every lane of a chain, by hash alone, and whether they are of before a time.
SELECT attempt.hash, attempt.created_at < $2 AS late
FROM lane
JOIN chain_transaction ON chain_transaction.lane = lane.address AND chain_transaction.state = 'stored'
JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE lane.chain_id = $1;

-- raws
-- Attempts as they are sent.
SELECT hash, raw FROM attempt WHERE hash = ANY ($1);

-- conclude
-- The end of transactions, of which one attempt is in a final block.
UPDATE chain_transaction
SET state = CASE WHEN seen.succeeded THEN 'succeeded' ELSE 'reverted' END, final_hash = seen.hash, concluded_at = $3
FROM unnest($1::bytea[], $2::boolean[]) AS seen (hash, succeeded)
JOIN attempt ON attempt.hash = seen.hash
WHERE chain_transaction.id = attempt.transaction_id AND chain_transaction.state = 'stored'
RETURNING chain_transaction.id, kind, asset, state, final_hash;

-- last_attempt
-- The highest offer made for an open transaction of this lane.
SELECT attempt.raw
FROM chain_transaction JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE chain_transaction.id = $1 AND chain_transaction.lane = $2 AND chain_transaction.state = 'stored'
ORDER BY attempt.fee_wei_max DESC
LIMIT 1;

-- read_cursor
-- How far the chain was read.
SELECT number, hash, timestamp FROM chain_cursor WHERE chain_id = $1;

-- begin_cursor
-- Where reading begins, once. Either way the cursor stays locked: no span is written until the caller has ended.
INSERT INTO chain_cursor (chain_id, number, hash, timestamp) VALUES ($1, $2, $3, $4)
ON CONFLICT (chain_id) DO UPDATE SET chain_id = excluded.chain_id;

-- lock_cursor
-- One span at a time is written, and no contract is recorded meanwhile.
SELECT FROM chain_cursor WHERE chain_id = $1 FOR UPDATE;

-- advance_cursor
-- Go on from where the span began, if nobody else did and the span was read with every contract that there is.
UPDATE chain_cursor SET number = $4, hash = $5, timestamp = $6
WHERE chain_id = $1 AND number = $2 AND hash = $3
    AND NOT EXISTS (SELECT FROM contract WHERE contract.chain_id = $1 AND asset <> ALL ($7::text[]));

-- contracts
-- The tokens' contracts.
SELECT asset, chain_id, address, deployed_block, genesis_hash FROM contract;

-- chain
-- The same, each with how far its chain was read and every lane that sends to it.
SELECT contract.*, number, hash, timestamp,
    ARRAY(SELECT address FROM lane WHERE lane.chain_id = contract.chain_id ORDER BY address) AS lanes
FROM contract LEFT JOIN chain_cursor USING (chain_id);

-- record_contract
-- Where a token's contract stands, once and for all.
INSERT INTO contract (asset, chain_id, address, deployed_block, genesis_hash) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (asset) DO NOTHING;

-- deployment
-- The deployment of a token that is on its way or done, if any; one that came to nothing is not counted.
SELECT id, nonce FROM chain_transaction
WHERE asset = $1 AND kind = 'deploy' AND state NOT IN ('reverted', 'overtaken')
ORDER BY nonce
LIMIT 1;

-- attempts_of
-- A transaction's attempts, whatever became of it.
SELECT attempt.hash, attempt.transaction_id, chain_transaction.nonce, attempt.fee_wei_max, attempt.tip_wei_max,
    attempt.created_at
FROM chain_transaction JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE chain_transaction.id = $1
ORDER BY attempt.fee_wei_max;

-- last_concluded
-- The hash of a lane's last transaction that a final block has.
SELECT final_hash FROM chain_transaction WHERE lane = $1 AND final_hash IS NOT NULL ORDER BY nonce DESC LIMIT 1;

-- suspect
-- A nonce that seems to be used by others, and since when it has seemed so.
UPDATE lane
SET suspected_at = CASE WHEN suspect_nonce = $2 THEN suspected_at ELSE $3 END, suspect_nonce = $2
WHERE address = $1
RETURNING suspected_at;

-- trust
-- It does not seem so any more.
UPDATE lane SET suspect_nonce = NULL, suspected_at = NULL WHERE address = $1 AND suspect_nonce IS NOT NULL;

-- stop_lane
-- Why a lane takes nothing more; the first reason stays.
UPDATE lane SET stopped = $2 WHERE address = $1 AND stopped IS NULL RETURNING chain_id;

-- resume_lane
-- A lane goes on, from no earlier a nonce than this.
UPDATE lane SET stopped = NULL, next_nonce = greatest(next_nonce, $2), suspect_nonce = NULL, suspected_at = NULL
WHERE address = $1;

-- any_running
-- Whether some lane of the chain goes on.
SELECT EXISTS (SELECT FROM lane WHERE chain_id = $1 AND stopped IS NULL);

-- open_below
-- A lane's open transactions whose nonces are below this one.
SELECT id FROM chain_transaction WHERE lane = $1 AND state = 'stored' AND nonce < $2;

-- lock_carried
-- What these transactions carry, locked in id order as everywhere.
SELECT id FROM token_authorization
WHERE asset = ANY (ARRAY(SELECT asset FROM chain_transaction WHERE id = ANY ($1)))
    AND transaction_id = ANY ($1) AND state = 'submitted'
ORDER BY id FOR UPDATE;

-- end_overtaken
-- Transactions whose nonces others have taken for good.
UPDATE chain_transaction SET state = 'overtaken' WHERE id = ANY ($1) AND state = 'stored'
RETURNING id;

-- requeue_signed
-- What open transactions carry that its payers have signed goes back to the queue. No mint does.
UPDATE token_authorization SET state = 'queued', transaction_id = NULL
WHERE asset = ANY (ARRAY(SELECT asset FROM chain_transaction WHERE id = ANY ($1)))
    AND transaction_id = ANY ($1) AND state = 'submitted' AND kind <> 'mint'
RETURNING id;
