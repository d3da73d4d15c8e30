-- add_root_key
-- Register the root key that new wallets' keys are derived from; nothing if there is one.
INSERT INTO root_key (number, check_value, made_at) VALUES (1, $1, $2) ON CONFLICT (number) DO NOTHING;

-- root_key
-- The root key's check value.
SELECT check_value FROM root_key;

-- encrypted_keys
-- The encrypted keys of addresses that are about to sign.
SELECT wallet_address.address, encrypted_key.wallet_id, encrypted_key.ciphertext, master_key.check_value AS under
FROM wallet_address JOIN encrypted_key USING (wallet_id)
LEFT JOIN master_key ON master_key.number = encrypted_key.master
WHERE wallet_address.address = ANY ($1) AND wallet_address.custody = 'gateway';

-- checkpoint_key
-- The key of new checkpoints.
SELECT checkpoint_key.id, checkpoint_key.ciphertext, master_key.check_value AS under
FROM checkpoint_key LEFT JOIN master_key ON master_key.number = checkpoint_key.master
ORDER BY checkpoint_key.number DESC LIMIT 1;

-- add_checkpoint_key
-- Store the first key; nothing if another process stored it first.
INSERT INTO checkpoint_key (id, number, ciphertext, master, made_at) VALUES ($1, 1, $2, $3, $4)
ON CONFLICT ON CONSTRAINT checkpoint_key_number_unique DO NOTHING;

-- checkpoint_keys
-- All checkpoint keys, oldest first.
SELECT checkpoint_key.id, checkpoint_key.ciphertext, master_key.check_value AS under
FROM checkpoint_key LEFT JOIN master_key ON master_key.number = checkpoint_key.master
ORDER BY checkpoint_key.number;
