-- store_attempt
-- Store raw bytes before they are sent. The same bytes again are the same attempt.
INSERT INTO attempt (hash, transaction_id, raw, fee_wei_max, tip_wei_max, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (hash) DO NOTHING;

-- last_attempt
-- The attempt with the highest fee for an open transaction of this relayer.
SELECT attempt.raw
FROM chain_transaction JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE chain_transaction.id = $1 AND chain_transaction.relayer = $2 AND chain_transaction.state = 'stored'
ORDER BY attempt.fee_wei_max DESC
LIMIT 1;
