-- due
-- The batches that are due, by token and kind, with how many authorizations are queued for each, up to one batch, and
-- how many of these contracts have signed: there are enough for a full batch, or the oldest has waited long enough.
-- None for a token with a batch that was found to have reverted since $4; few ever do, and they have an index of their
-- own. (The kinds are constants, not a parameter: PostgreSQL would plan the statement again on every call.)
SELECT contract.asset, batch.kind, waiting.count, waiting.by_contracts
FROM contract CROSS JOIN (VALUES ('settle'), ('mint')) AS batch (kind), LATERAL (
    SELECT count(*) AS count, count(*) FILTER (WHERE signed_by = 'contract') AS by_contracts, min(created_at) AS oldest
    FROM (
        SELECT created_at, signed_by FROM token_authorization
        WHERE asset = contract.asset AND batch_of(kind) = batch.kind AND state = 'queued'
            AND NOT frozen AND valid_before > $1
        ORDER BY id
        LIMIT $2
    ) AS next
) AS waiting
WHERE (waiting.count >= $2 OR waiting.oldest <= $3) AND NOT EXISTS (
    SELECT FROM chain_transaction WHERE state = 'reverted' AND asset = contract.asset AND concluded_at > $4
);

-- queue
-- How many authorizations of each token are queued for a batch, counted up to a limit, and since when the oldest is.
SELECT contract.asset, waiting.count, waiting.oldest
FROM contract, LATERAL (
    SELECT count(*) AS count, min(created_at) AS oldest FROM (
        SELECT created_at FROM token_authorization
        WHERE asset = contract.asset AND state = 'queued' AND NOT frozen
        LIMIT $1
    ) AS next
) AS waiting;

-- claim
-- The oldest queued authorizations for a kind of batch that have not expired and that nobody else has locked.
SELECT id, kind, asset, from_address, to_address, value, nonce, valid_after, valid_before, signature, signed_by
FROM token_authorization
WHERE asset = $1 AND batch_of(kind) = $2 AND state = 'queued' AND NOT frozen AND valid_before > $3
ORDER BY id
LIMIT $4
FOR UPDATE SKIP LOCKED;
