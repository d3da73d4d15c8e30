-- recovery
-- The current recovery, if there is one.
SELECT id, chain_id, reason, entered_at, read_at FROM recovery WHERE ended_at IS NULL;

-- newest
-- The last recovery, ended or not.
SELECT id, chain_id, reason, entered_at, read_at, ended_at, ended_by FROM recovery ORDER BY entered_at DESC LIMIT 1;

-- enter
-- Enter recovery; no row if the gateway is in recovery already.
INSERT INTO recovery (id, chain_id, reason, entered_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING id;

-- read_on
-- Go back to reading: there are more unknown batches.
UPDATE recovery SET read_at = NULL WHERE ended_at IS NULL AND read_at IS NOT NULL;

-- mark_read
-- Mark the recovery as read; no row if it was before, or has ended.
UPDATE recovery SET read_at = $2 WHERE id = $1 AND ended_at IS NULL AND read_at IS NULL RETURNING id;

-- known_attempts
-- Those of these transactions that are stored.
SELECT hash FROM attempt WHERE hash = ANY ($1);

-- relayers
-- The nonce and state of each relayer of a chain, the block up to which the ledger is read, and whether the gateway is
-- in recovery, all of one moment.
SELECT relayer.address, relayer.next_nonce, relayer.stopped,
    (SELECT number FROM chain_cursor AS cursor WHERE cursor.chain_id = relayer.chain_id) AS read_to,
    EXISTS (SELECT FROM recovery WHERE ended_at IS NULL) AS recovering
FROM relayer WHERE relayer.chain_id = $1 ORDER BY relayer.address;

-- keep_payments
-- Keep the movements that no row knows. It leaves out those that an authorization made after the restore has settled
-- with the same nonce, and those between two addresses of one wallet, which are no payments.
INSERT INTO restored_payment (id, recovery_id, kind, asset, from_address, to_address, value, nonce, payer, payee,
    block_number, transaction_hash)
SELECT moved.id, $1, moved.kind, moved.asset, moved.from_address, moved.to_address, moved.value, moved.nonce,
    CASE moved.kind WHEN 'mint' THEN taker.wallet_id ELSE giver.wallet_id END, taker.wallet_id,
    moved.block_number, moved.transaction_hash
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::numeric[], $8::numeric[], $9::bigint[],
        $10::bytea[])
    AS moved (id, kind, asset, from_address, to_address, value, nonce, block_number, transaction_hash)
LEFT JOIN wallet_address AS giver ON giver.address = moved.from_address
LEFT JOIN wallet_address AS taker ON taker.address = moved.to_address
WHERE (giver.wallet_id IS DISTINCT FROM taker.wallet_id OR giver.wallet_id IS NULL)
    AND NOT EXISTS (
        SELECT FROM token_authorization AS a
        WHERE a.asset = moved.asset AND a.from_address = moved.from_address AND a.nonce = moved.nonce
            AND a.state = 'settled')
ORDER BY moved.id
ON CONFLICT ON CONSTRAINT restored_payment_once DO NOTHING;

-- keep_addresses
-- Keep addresses that belong to no wallet here.
INSERT INTO lost_address (address, recovery_id)
SELECT DISTINCT seen.address, $1::uuid FROM unnest($2::text[]) AS seen (address)
WHERE NOT EXISTS (SELECT FROM wallet_address WHERE wallet_address.address = seen.address)
ORDER BY seen.address
ON CONFLICT (address) DO NOTHING;

-- queued_like_restored
-- Authorizations that were queued after the restore, before the recovery was known, for payments that the chain has:
-- each with one payment that it repeats, locked in id order.
SELECT a.id, a.kind, a.asset, a.from_address, a.to_address, a.value, a.nonce, a.valid_after, a.valid_before,
    a.signature, a.signed_by, there.id AS restored_id,
    (SELECT wallet_id FROM wallet_address
        WHERE address = CASE a.kind WHEN 'mint' THEN a.to_address ELSE a.from_address END) AS wallet_id
FROM token_authorization AS a,
    LATERAL repeated_payments(a.kind, a.asset, a.value, a.from_address, a.to_address) AS there
WHERE a.state = 'queued' AND a.signed_by = 'gateway'
ORDER BY a.id, there.block_number, there.id
FOR UPDATE OF a;

-- meet_queued
-- Match a restored payment with a queued request: its wallet, and the id of its authorization.
UPDATE restored_payment SET met_at = $2, met_by = $3, met_key = $4::uuid::text WHERE id = $1 AND met_at IS NULL;

-- restored
-- All payments that a recovery has found, in the chain's order.
SELECT there.id, there.kind, there.asset, there.value, there.from_address, there.to_address, there.block_number,
    there.transaction_hash, there.met_at, payer.handle AS payer, payee.handle AS payee
FROM restored_payment AS there
LEFT JOIN wallet AS payer ON payer.id = there.payer LEFT JOIN wallet AS payee ON payee.id = there.payee
WHERE there.recovery_id = $1 ORDER BY there.block_number, there.id;

-- lost_addresses
-- The addresses that a recovery has found, and the wallets that have claimed them.
SELECT lost.address, lost.returned_at, wallet.handle
FROM lost_address AS lost LEFT JOIN wallet ON wallet.id = lost.wallet_id
WHERE lost.recovery_id = $1 ORDER BY lost.address;

-- to_open
-- Lost addresses whose handles were claimed again, and the block up to which the ledger knew nothing of them.
SELECT lost.address, lost.taken_block, wallet.handle, wallet.id AS wallet_id
FROM lost_address AS lost JOIN wallet ON wallet.id = lost.wallet_id
WHERE lost.opened_at IS NULL ORDER BY lost.address;

-- open_address
-- Mark an address's balance as posted; no row if it was before.
UPDATE lost_address SET opened_at = $2 WHERE address = $1 AND opened_at IS NULL RETURNING address;
