-- lock_keys
-- Payments of these keys are weighed one after the other.
SELECT id FROM api_key WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE;

-- caps
-- What keys may pay.
SELECT cap.origin, cap.asset, cap.rail, cap.payee, wallet.handle, cap.payment, cap.day
FROM api_key_cap AS cap LEFT JOIN wallet ON wallet.id = cap.payee
WHERE cap.origin = ANY ($1) ORDER BY cap.origin, cap.number;

-- spent
-- What they have paid since a time and not got back; its number is that of payments of the day.
SELECT used.origin, payment.asset, payment.rail, payment.payee, payment.created_at,
    CASE payment.state WHEN 'settled' THEN captured ELSE amount END - refunded AS amount
FROM api_key_payment AS used JOIN payment ON payment.id = used.payment_id
WHERE used.origin = ANY ($1) AND used.payment_id > $3 AND payment.created_at > $2
    AND payment.state NOT IN ('failed', 'voided', 'expired', 'refused')
ORDER BY payment.created_at;

-- count
-- Payments that keys have made.
INSERT INTO api_key_payment (origin, payment_id)
SELECT origin, payment_id FROM unnest($1::uuid[], $2::uuid[]) AS made (origin, payment_id);

-- give
-- A fresh key's caps.
INSERT INTO api_key_cap (origin, number, asset, rail, payee, payment, day)
SELECT $1, n, asset, rail, payee, payment, day
FROM unnest($2::text[], $3::text[], $4::uuid[], $5::numeric[], $6::numeric[]) WITH ORDINALITY
    AS cap (asset, rail, payee, payment, day, n);
