-- unsent
-- What no node was handed yet, in the order in which it has to be.
SELECT chain_transaction.id AS transaction_id, chain_transaction.nonce, attempt.hash, attempt.raw
FROM relayer
JOIN chain_transaction ON chain_transaction.relayer = relayer.address
    AND chain_transaction.nonce >= relayer.sent_nonce AND chain_transaction.state = 'stored'
JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE relayer.address = $1 AND relayer.stopped IS NULL
ORDER BY chain_transaction.nonce, attempt.fee_wei_max;

-- sent
-- Everything below this nonce was handed to a node.
UPDATE relayer SET sent_nonce = $2 WHERE address = $1 AND sent_nonce < $2;

-- note_refused
-- What a node answers to the first transaction of a relayer that it does not take; a row where it did not say that before,
-- in the same words but for numbers.
WITH known AS (
    SELECT address, regexp_replace(refused, '0x[0-9a-fA-F]+|[0-9]+', '#', 'g') AS words FROM relayer
    WHERE address = (SELECT relayer FROM chain_transaction WHERE id = $1) FOR UPDATE
)
UPDATE relayer SET refused = $3, refused_nonce = $2,
    refused_at = CASE WHEN known.words IS DISTINCT FROM $4 THEN clock_timestamp() ELSE refused_at END
FROM known WHERE relayer.address = known.address
RETURNING relayer.address, known.words IS DISTINCT FROM $4 AS fresh;

-- note_taken
-- A node takes what the relayer sends; a row where it did not before.
UPDATE relayer SET refused = NULL, refused_nonce = NULL, refused_at = NULL
WHERE address = $1 AND refused IS NOT NULL
RETURNING address;

-- refused_anywhere
-- A relayer whose transactions a node does not take, the longest first.
SELECT address, refused, refused_nonce FROM relayer WHERE refused IS NOT NULL ORDER BY refused_at LIMIT 1;

-- raws
-- Attempts as they are sent.
SELECT hash, raw FROM attempt WHERE hash = ANY ($1);
