-- register_relayer
-- Register a relayer with its first nonce, once; returns the chain it is registered on.
WITH fresh AS (
    INSERT INTO relayer (address, chain_id, next_nonce) VALUES ($1, $2, $3) ON CONFLICT (address) DO NOTHING
)
SELECT chain_id FROM relayer WHERE address = $1;

-- lock_relayer
-- Lock a relayer: its nonces are assigned one at a time.
SELECT next_nonce, stopped FROM relayer WHERE address = $1 FOR UPDATE;

-- read_relayer
-- A relayer.
SELECT next_nonce, stopped FROM relayer WHERE address = $1;

-- read_relayers
-- Relayers, given how many of their nonces are mined: how many transactions are not, since when, and the most that they
-- may cost; and how many are in no final block.
SELECT relayer.address, relayer.next_nonce, relayer.stopped, relayer.low, relayer.refused, relayer.refused_nonce,
    count(*) FILTER (WHERE t.nonce >= seen.mined) AS open,
    count(t.id) AS unfinished,
    min(t.created_at) AS oldest_at,
    coalesce(sum(t.gas_limit * offered.fee_wei) FILTER (WHERE t.nonce >= seen.mined), 0)::numeric AS promised_wei
FROM unnest($1::text[], $2::bigint[]) AS seen (address, mined)
JOIN relayer USING (address)
LEFT JOIN chain_transaction AS t ON t.relayer = relayer.address AND t.state = 'stored'
LEFT JOIN LATERAL (
    SELECT max(fee_wei_max) AS fee_wei FROM attempt WHERE attempt.transaction_id = t.id
) AS offered ON true
GROUP BY relayer.address
ORDER BY relayer.address;

-- relayer_addresses
-- Every relayer of a chain.
SELECT address FROM relayer WHERE chain_id = $1 ORDER BY address;

-- relayers_among
-- Which of these addresses are relayers.
SELECT address FROM relayer WHERE address = ANY ($1);

-- take_relayer
-- Lock the first of these relayers that runs, has room, and is not locked.
SELECT relayer.address
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS wanted (address, below, place)
JOIN relayer USING (address)
WHERE relayer.stopped IS NULL AND relayer.next_nonce < wanted.below
ORDER BY wanted.place
LIMIT 1
FOR UPDATE OF relayer SKIP LOCKED;

-- take_due
-- Take the relayers that are due for maintenance: one worker at a time does it, and nobody waits.
UPDATE relayer SET resent_at = clock_timestamp() WHERE address IN (
    SELECT address FROM relayer
    WHERE address = ANY ($1) AND stopped IS NULL
        AND coalesce(resent_at + $2::interval <= clock_timestamp(), true)
    FOR UPDATE SKIP LOCKED
)
RETURNING address;

-- maintained_within
-- Whether some relayer was maintained within a time; NULL if none ever was.
SELECT bool_or(greatest(resent_at, gas_checked_at) > clock_timestamp() - $1::interval) FROM relayer;

-- unfinished_after
-- Whether a transaction that is in no final block is older than this.
SELECT EXISTS (
    SELECT FROM relayer JOIN chain_transaction AS t ON t.relayer = relayer.address AND t.state = 'stored'
    WHERE t.created_at < clock_timestamp() - $1::interval
);

-- store_transaction
-- Store a transaction of the locked relayer, with its first raw bytes, before it is sent: its nonce is taken, and the
-- claimed authorizations that it carries become submitted.
WITH taken AS (
    UPDATE relayer SET next_nonce = $3::bigint + 1 WHERE address = $2
), stored AS (
    INSERT INTO chain_transaction (id, relayer, nonce, kind, asset, gas_limit, first_hash, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $8, $7)
), first_attempt AS (
    INSERT INTO attempt (hash, transaction_id, raw, fee_wei_max, tip_wei_max, created_at)
    VALUES ($8, $1, $9, $10, $11, $7)
)
UPDATE token_authorization AS a SET state = 'submitted', transaction_id = $1, signature = signed.signature
FROM unnest($12::uuid[], $13::bytea[]) AS signed (id, signature)
WHERE a.id = signed.id;

-- open_attempts
-- The attempts of a relayer's transactions that are in no final block.
SELECT attempt.hash, attempt.transaction_id, chain_transaction.nonce, attempt.fee_wei_max, attempt.tip_wei_max,
    attempt.created_at
FROM chain_transaction JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE chain_transaction.relayer = $1 AND chain_transaction.state = 'stored'
ORDER BY chain_transaction.nonce, attempt.fee_wei_max;

-- open_hashes
-- The hashes of these attempts for every relayer of a chain, and whether they are older than a time.
SELECT attempt.hash, attempt.created_at < $2 AS late
FROM relayer
JOIN chain_transaction ON chain_transaction.relayer = relayer.address AND chain_transaction.state = 'stored'
JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE relayer.chain_id = $1;

-- conclude
-- Conclude transactions of which one attempt is in a final block.
UPDATE chain_transaction
SET state = CASE WHEN seen.succeeded THEN 'succeeded' ELSE 'reverted' END, final_hash = seen.hash, concluded_at = $3
FROM unnest($1::bytea[], $2::boolean[]) AS seen (hash, succeeded)
JOIN attempt ON attempt.hash = seen.hash
WHERE chain_transaction.id = attempt.transaction_id AND chain_transaction.state = 'stored'
RETURNING chain_transaction.id, kind, asset, state, final_hash;

-- attempts_of
-- A transaction's attempts, whatever its state.
SELECT attempt.hash, attempt.transaction_id, chain_transaction.nonce, attempt.fee_wei_max, attempt.tip_wei_max,
    attempt.created_at
FROM chain_transaction JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE chain_transaction.id = $1
ORDER BY attempt.fee_wei_max;
