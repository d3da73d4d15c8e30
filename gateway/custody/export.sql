-- kept_key
-- The address whose key we keep for a wallet, and that key, sealed.
SELECT wallet_address.address, sealed_key.sealed, master_key.check_value AS under
FROM sealed_key JOIN wallet_address USING (wallet_id) LEFT JOIN master_key ON master_key.number = sealed_key.master
WHERE sealed_key.wallet_id = $1 AND wallet_address.custody = 'gateway';
