-- observe
-- Record final Transfer logs, each once: observation_once refuses a second posting of one.
INSERT INTO observation (chain_id, block_hash, log_index, block_number, transaction_hash, asset, from_address,
    to_address, value, transfer_id)
SELECT $1, * FROM unnest($2::bytea[], $3::integer[], $4::bigint[], $5::bytea[], $6::text[], $7::text[], $8::text[],
    $9::numeric[], $10::uuid[]);
