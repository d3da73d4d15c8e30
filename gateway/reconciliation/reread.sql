-- observed
-- The movements in these blocks that are in the ledger.
SELECT block_hash, log_index FROM observation WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3;

-- addresses_of_handle
-- The addresses that hold a wallet's tokens.
SELECT counted.address FROM counted_address AS counted JOIN wallet ON wallet.id = counted.wallet_id
WHERE wallet.handle = $1 ORDER BY counted.address;
