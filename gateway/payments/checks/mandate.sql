-- grant
-- A fresh mandate.
INSERT INTO mandate (id, payer, payee, asset, rail, draw, period_days, period, total, created_at, expires_at, approved)
VALUES ($1, $2, $3, $4, $5, $6::numeric, $7, $8::numeric, $9::numeric, $10, $11, $12);

-- mandate
-- One of them, for those it concerns.
SELECT mandate.*, payer.handle AS payer_handle, payer.guarded AS payer_guarded,
    payee.handle AS payee_handle
FROM mandate JOIN wallet AS payer ON payer.id = mandate.payer JOIN wallet AS payee ON payee.id = mandate.payee
WHERE mandate.id = $1 AND $2 IN (mandate.payer, mandate.payee);

-- lock_mandates
-- Draws by a mandate, its approval and its end come one after the other.
SELECT lock_limits(NULL, NULL, NULL, $1);

-- by_ids
-- Mandates that are drawn by.
SELECT mandate.*, payer.handle AS payer_handle, payer.guarded AS payer_guarded,
    payee.handle AS payee_handle
FROM mandate JOIN wallet AS payer ON payer.id = mandate.payer JOIN wallet AS payee ON payee.id = mandate.payee
WHERE mandate.id = ANY ($1);

-- mandates
-- Those that a wallet has granted or was granted, newest first.
SELECT mandate.*, payer.handle AS payer_handle, payer.guarded AS payer_guarded,
    payee.handle AS payee_handle
FROM mandate JOIN wallet AS payer ON payer.id = mandate.payer JOIN wallet AS payee ON payee.id = mandate.payee
WHERE $1 IN (mandate.payer, mandate.payee)
ORDER BY mandate.id DESC LIMIT 200;

-- approve_mandate
-- A passkey stands behind it from now on.
UPDATE mandate SET approved = true WHERE id = $1;

-- end_mandate
-- Nothing is drawn by it from now on.
UPDATE mandate SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL;
