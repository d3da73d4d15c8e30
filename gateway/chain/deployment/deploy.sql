-- contracts
-- The tokens' contracts.
SELECT asset, chain_id, address, deployed_block, genesis_hash FROM contract;

-- chain
-- The tokens' contracts, each with how far its chain was read and every relayer that sends to it.
SELECT contract.*, number, hash, timestamp,
    ARRAY(SELECT address FROM relayer WHERE relayer.chain_id = contract.chain_id ORDER BY address) AS relayers
FROM contract LEFT JOIN chain_cursor USING (chain_id);

-- record_contract
-- Record a token's contract, once.
INSERT INTO contract (asset, chain_id, address, deployed_block, genesis_hash) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (asset) DO NOTHING;

-- deployment
-- The deployment of a token that is pending or done, if any; failed ones are not counted.
SELECT id, nonce FROM chain_transaction
WHERE asset = $1 AND kind = 'deploy' AND state NOT IN ('reverted', 'overtaken')
ORDER BY nonce
LIMIT 1;
