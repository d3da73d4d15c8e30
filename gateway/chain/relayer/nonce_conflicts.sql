-- last_concluded
-- The hash of a relayer's last transaction that is in a final block.
SELECT final_hash FROM chain_transaction WHERE relayer = $1 AND final_hash IS NOT NULL ORDER BY nonce DESC LIMIT 1;

-- suspect
-- Record a nonce that seems to be used by others, and return since when.
UPDATE relayer
SET suspected_at = CASE WHEN suspect_nonce = $2 THEN suspected_at ELSE $3 END, suspect_nonce = $2
WHERE address = $1
RETURNING suspected_at;

-- trust
-- Clear the suspicion.
UPDATE relayer SET suspect_nonce = NULL, suspected_at = NULL WHERE address = $1 AND suspect_nonce IS NOT NULL;

-- stop_relayer
-- Stop a relayer, with the reason; the first reason stays.
UPDATE relayer SET stopped = $2 WHERE address = $1 AND stopped IS NULL RETURNING chain_id;

-- resume_relayer
-- Resume a relayer, from no earlier a nonce than this.
UPDATE relayer SET stopped = NULL, next_nonce = greatest(next_nonce, $2), suspect_nonce = NULL, suspected_at = NULL
WHERE address = $1;

-- any_running
-- Whether some relayer of the chain runs.
SELECT EXISTS (SELECT FROM relayer WHERE chain_id = $1 AND stopped IS NULL);

-- open_below
-- A relayer's open transactions whose nonces are below this one.
SELECT id FROM chain_transaction WHERE relayer = $1 AND state = 'stored' AND nonce < $2;

-- lock_carried
-- The authorizations that these transactions carry, locked in id order.
SELECT id FROM token_authorization
WHERE asset = ANY (ARRAY(SELECT asset FROM chain_transaction WHERE id = ANY ($1)))
    AND transaction_id = ANY ($1) AND state = 'submitted'
ORDER BY id FOR UPDATE;

-- end_overtaken
-- End transactions whose nonces others have taken for good.
UPDATE chain_transaction SET state = 'overtaken' WHERE id = ANY ($1) AND state = 'stored'
RETURNING id;

-- requeue_signed
-- Queue the signed authorizations of open transactions again, except mints.
UPDATE token_authorization SET state = 'queued'
WHERE asset = ANY (ARRAY(SELECT asset FROM chain_transaction WHERE id = ANY ($1)))
    AND transaction_id = ANY ($1) AND state = 'submitted' AND kind <> 'mint'
RETURNING id;
