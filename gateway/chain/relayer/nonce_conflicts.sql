-- last_concluded
-- The hash of a relayer's last transaction that a final block has.
SELECT final_hash FROM chain_transaction WHERE relayer = $1 AND final_hash IS NOT NULL ORDER BY nonce DESC LIMIT 1;

-- suspect
-- A nonce that seems to be used by others, and since when it has seemed so.
UPDATE relayer
SET suspected_at = CASE WHEN suspect_nonce = $2 THEN suspected_at ELSE $3 END, suspect_nonce = $2
WHERE address = $1
RETURNING suspected_at;

-- trust
-- It does not seem so any more.
UPDATE relayer SET suspect_nonce = NULL, suspected_at = NULL WHERE address = $1 AND suspect_nonce IS NOT NULL;

-- stop_relayer
-- Why a relayer takes nothing more; the first reason stays.
UPDATE relayer SET stopped = $2 WHERE address = $1 AND stopped IS NULL RETURNING chain_id;

-- resume_relayer
-- A relayer goes on, from no earlier a nonce than this.
UPDATE relayer SET stopped = NULL, next_nonce = greatest(next_nonce, $2), suspect_nonce = NULL, suspected_at = NULL
WHERE address = $1;

-- any_running
-- Whether some relayer of the chain goes on.
SELECT EXISTS (SELECT FROM relayer WHERE chain_id = $1 AND stopped IS NULL);

-- open_below
-- A relayer's open transactions whose nonces are below this one.
SELECT id FROM chain_transaction WHERE relayer = $1 AND state = 'stored' AND nonce < $2;

-- lock_carried
-- What these transactions carry, locked in id order as everywhere.
SELECT id FROM token_authorization
WHERE asset = ANY (ARRAY(SELECT asset FROM chain_transaction WHERE id = ANY ($1)))
    AND transaction_id = ANY ($1) AND state = 'submitted'
ORDER BY id FOR UPDATE;

-- end_overtaken
-- Transactions whose nonces others have taken for good.
UPDATE chain_transaction SET state = 'overtaken' WHERE id = ANY ($1) AND state = 'stored'
RETURNING id;

-- requeue_signed
-- What open transactions carry that its payers have signed goes back to the queue. No mint does.
UPDATE token_authorization SET state = 'queued', transaction_id = NULL
WHERE asset = ANY (ARRAY(SELECT asset FROM chain_transaction WHERE id = ANY ($1)))
    AND transaction_id = ANY ($1) AND state = 'submitted' AND kind <> 'mint'
RETURNING id;
