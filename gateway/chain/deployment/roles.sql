-- open_raws
-- The raw bytes of a relayer's open transactions of one kind, for one asset.
SELECT attempt.raw
FROM chain_transaction JOIN attempt ON attempt.transaction_id = chain_transaction.id
WHERE chain_transaction.relayer = $1 AND chain_transaction.kind = $2 AND chain_transaction.asset = $3
    AND chain_transaction.state = 'stored';
