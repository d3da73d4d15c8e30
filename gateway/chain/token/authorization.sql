-- begin_nonces
-- Start the nonces of an owner's address at a place of its own, where its owner has used none.
INSERT INTO authorization_nonce (asset, address, next)
SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[])
ORDER BY 1, 2
ON CONFLICT DO NOTHING;

-- skip_nonces
-- Skip nonces that their owner has used without the gateway, if they are near the next one.
INSERT INTO authorization_nonce AS kept (asset, address, next)
SELECT used.asset, used.address, max(used.nonce) + 1
FROM unnest($1::text[], $2::text[], $3::numeric[]) AS used (asset, address, nonce)
LEFT JOIN authorization_nonce AS n USING (asset, address)
WHERE used.nonce >= coalesce(n.next, 0) AND used.nonce < coalesce(n.next, 0) + 2::numeric ^ 32
GROUP BY used.asset, used.address
ORDER BY used.asset, used.address
ON CONFLICT (asset, address) DO UPDATE SET next = greatest(kept.next, excluded.next);

-- close_nonces
-- Close an address: no nonces are assigned any more. Waits for transactions that are assigning them.
INSERT INTO authorization_nonce (asset, address, next, closed)
SELECT asset, $2, 0, true FROM unnest($1::text[]) AS asset
ORDER BY asset
ON CONFLICT (asset, address) DO UPDATE SET closed = true;

-- reopen_nonces
-- Open an address again.
UPDATE authorization_nonce SET closed = false WHERE asset = ANY ($1) AND address = $2;

-- count_open
-- How many authorizations from these addresses, and mints to them, have not ended.
SELECT count(*) FROM token_authorization
WHERE asset = ANY ($1) AND state IN ('unsigned', 'queued', 'submitted')
    AND (from_address = ANY ($2) OR (kind = 'mint' AND to_address = ANY ($2)));

-- enqueue
-- Queue authorizations with their nonces; see schema/06_chain.sql.
SELECT queue_authorizations($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- enqueue_signed
-- Store an authorization that its owner has signed, with a nonce of theirs. No row if that nonce is used already.
INSERT INTO token_authorization
    (id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, created_at, signed_by, state,
    signature)
VALUES ($1, $2, $3, $4, $5, $6::numeric, $7::numeric, $8, $9, $10, $11, 'queued', $12)
ON CONFLICT ON CONSTRAINT token_authorization_used_once DO NOTHING
RETURNING id;

-- lock_nonces
-- The next nonce of an address, locked until the transaction ends. No row if it is closed.
INSERT INTO authorization_nonce AS n (asset, address, next) VALUES ($1, $2, 0)
ON CONFLICT (asset, address) DO UPDATE SET next = n.next WHERE NOT n.closed
RETURNING next;

-- by_id
-- One authorization.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by, state,
    transaction_id
FROM token_authorization WHERE id = $1;

-- by_id_for_update
-- One authorization, locked.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by, state,
    transaction_id
FROM token_authorization WHERE id = $1 FOR UPDATE;

-- sign
-- Queue an authorization with its signature.
UPDATE token_authorization SET state = 'queued', signature = $2 WHERE id = $1 AND state = 'unsigned';

-- find
-- Authorizations by the key that the contract knows them by.
SELECT a.id, a.kind, a.asset, a.from_address, a.to_address, a.value, a.nonce, a.valid_after, a.valid_before,
    a.signature, a.signed_by, a.state, a.transaction_id
FROM unnest($1::text[], $2::text[], $3::numeric[]) AS wanted (asset, from_address, nonce)
JOIN token_authorization AS a USING (asset, from_address, nonce);

-- find_for_update
-- Authorizations by the key that the contract knows them by, locked in id order.
SELECT a.id, a.kind, a.asset, a.from_address, a.to_address, a.value, a.nonce, a.valid_after, a.valid_before,
    a.signature, a.signed_by, a.state, a.transaction_id
FROM unnest($1::text[], $2::text[], $3::numeric[]) AS wanted (asset, from_address, nonce)
JOIN token_authorization AS a USING (asset, from_address, nonce)
ORDER BY a.id
FOR UPDATE OF a;

-- sent_as
-- The hash of the chain transaction that carries, or last carried, each of these authorizations; no row for one that was never sent.
SELECT authorization_id, tx_hash FROM submission WHERE authorization_id = ANY ($1);

-- settle
-- Settle the open ones of these authorizations, and clear their flags.
UPDATE token_authorization SET state = 'settled', reason = NULL
WHERE id = ANY ($1) AND state IN ('unsigned', 'queued', 'submitted');

-- finish
-- End the open ones of these authorizations.
UPDATE token_authorization AS a SET state = $2, reason = given.reason
FROM unnest($1::uuid[], $3::text[]) AS given (id, reason)
WHERE a.id = given.id AND a.state IN ('unsigned', 'queued', 'submitted')
RETURNING a.id;

-- overdue
-- Authorizations that no block after one of this time can settle, the earliest expiry first. The contract knows no
-- expiry of a mint: while a transaction may still carry it into a block, it has not expired.
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
-- Those of these that are still overdue and that nobody else has locked. One that is batched while this waits is
-- submitted by then, and in no transaction that has ended.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by
FROM token_authorization AS a
WHERE id = ANY ($1) AND state IN ('queued', 'submitted') AND reason IS NULL AND NOT frozen
    AND valid_before <= $2
    AND (kind <> 'mint' OR state = 'queued' OR EXISTS (
        SELECT FROM chain_transaction AS t WHERE t.id = a.transaction_id AND t.state <> 'stored'
    ))
ORDER BY id
FOR UPDATE OF a SKIP LOCKED;

-- flag
-- Flag open authorizations that an operator has to look at.
UPDATE token_authorization SET reason = $2 WHERE id = ANY ($1) AND state IN ('queued', 'submitted');

-- freeze
-- Freeze authorizations: they are put into no batch, also after they come back to the queue.
UPDATE token_authorization SET frozen = true WHERE id = ANY ($1) AND state IN ('queued', 'submitted');

-- release
-- Release frozen authorizations, locked in id order, except those of frozen wallets; an unsigned one may get more time.
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
-- Queue what reverted transactions carried again. Few ever revert, so the open authorizations are searched without an
-- index.
UPDATE token_authorization SET state = 'queued'
WHERE asset = ANY (ARRAY(SELECT asset FROM chain_transaction WHERE id = ANY ($1)))
    AND transaction_id = ANY ($1) AND state = 'submitted'
RETURNING id;
