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

-- overdue
-- What can be settled by no block after one of this time, the longest over first. The contract knows no such time of a
-- mint: while a transaction may still carry it into a block, it is not over.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by
FROM token_authorization AS a
WHERE asset = ANY ($1) AND state IN ('queued', 'submitted') AND reason IS NULL AND NOT frozen
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
WHERE id = ANY ($1) AND state IN ('queued', 'submitted') AND reason IS NULL AND NOT frozen
    AND valid_before <= $2
    AND (kind <> 'mint' OR state = 'queued' OR EXISTS (
        SELECT FROM chain_transaction AS t WHERE t.id = a.transaction_id AND t.state <> 'stored'
    ))
ORDER BY id
FOR UPDATE OF a SKIP LOCKED;

-- doubt
-- What has no end and that somebody has to look at.
UPDATE token_authorization SET reason = $2 WHERE id = ANY ($1) AND state IN ('queued', 'submitted');

-- freeze
-- Authorizations that are put into no batch for now, those too that come back to the queue.
UPDATE token_authorization SET frozen = true WHERE id = ANY ($1) AND state IN ('queued', 'submitted');

-- release
-- They are again, in id order as everybody locks them, but for those of wallets that are frozen themselves; an unsigned
-- one may still be given more time.
WITH held AS (
    SELECT id FROM token_authorization AS waiting
    WHERE asset = $1 AND frozen AND state IN ('queued', 'submitted') AND NOT EXISTS (
        SELECT FROM wallet_address JOIN wallet ON wallet.id = wallet_address.wallet_id
        WHERE wallet_address.address = waiting.from_address AND wallet.frozen_at IS NOT NULL)
    ORDER BY id FOR UPDATE
)
UPDATE token_authorization AS a SET frozen = false,
    valid_before = CASE WHEN signature IS NULL THEN greatest(valid_before, $2) ELSE valid_before END
FROM held WHERE a.id = held.id
RETURNING a.id;

-- requeue
-- What reverted transactions carried goes back to the queue. Few ever revert: it is looked for among all that is open.
UPDATE token_authorization SET state = 'queued', transaction_id = NULL
WHERE asset = ANY (ARRAY(SELECT asset FROM chain_transaction WHERE id = ANY ($1)))
    AND transaction_id = ANY ($1) AND state = 'submitted'
RETURNING id;
