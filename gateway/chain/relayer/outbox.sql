-- unsent
-- What was not sent to any node yet, in nonce order.
SELECT chain_transaction.id AS transaction_id, chain_transaction.nonce, attempt.hash, attempt.raw
FROM relayer
JOIN chain_transaction ON chain_transaction.relayer = relayer.address
    AND chain_transaction.nonce >= relayer.sent_nonce AND chain_transaction.state = 'stored'
JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE relayer.address = $1 AND relayer.stopped IS NULL
ORDER BY chain_transaction.nonce, attempt.fee_wei_max;

-- sent
-- Everything below this nonce was sent to a node.
UPDATE relayer SET sent_nonce = $2 WHERE address = $1 AND sent_nonce < $2;

-- note_refused
-- Record why a node refuses a relayer's transaction; `fresh` if the reason is new, except for its numbers.
WITH known AS (
    SELECT address, regexp_replace(refused, '0x[0-9a-fA-F]+|[0-9]+', '#', 'g') AS words FROM relayer
    WHERE address = (SELECT relayer FROM chain_transaction WHERE id = $1) FOR UPDATE
)
UPDATE relayer SET refused = $3, refused_nonce = $2,
    refused_at = CASE WHEN known.words IS DISTINCT FROM $4 THEN clock_timestamp() ELSE refused_at END
FROM known WHERE relayer.address = known.address
RETURNING relayer.address, known.words IS DISTINCT FROM $4 AS fresh;

-- note_taken
-- Clear the refusal; a row if there was one.
UPDATE relayer SET refused = NULL, refused_nonce = NULL, refused_at = NULL
WHERE address = $1 AND refused IS NOT NULL
RETURNING address;

-- refused_anywhere
-- The relayer whose transactions a node has refused for longest.
SELECT address, refused, refused_nonce FROM relayer WHERE refused IS NOT NULL ORDER BY refused_at LIMIT 1;

-- raws
-- The raw bytes of attempts.
SELECT hash, raw FROM attempt WHERE hash = ANY ($1);
