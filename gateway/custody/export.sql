-- kept_key
-- The address whose key the gateway keeps for a wallet, and that key, encrypted.
SELECT wallet_address.address, encrypted_key.ciphertext, master_key.check_value AS under
FROM encrypted_key JOIN wallet_address USING (wallet_id)
LEFT JOIN master_key ON master_key.number = encrypted_key.master
WHERE encrypted_key.wallet_id = $1 AND wallet_address.custody = 'gateway';
