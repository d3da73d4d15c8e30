-- newest_ledger
-- The newest payments that settled at once, before one.
SELECT id FROM ledger_payment WHERE id < $1 AND leg = 1 ORDER BY id DESC LIMIT $2;

-- newest_staged
-- The newest payments that took several steps, before one.
SELECT id FROM staged_payment WHERE id < $1 ORDER BY id DESC LIMIT $2;
