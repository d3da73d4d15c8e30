-- caps
-- What keys may pay.
SELECT cap.origin, cap.number, cap.asset, cap.rail, cap.payee, wallet.handle, cap.payment, cap.day
FROM api_key_cap AS cap LEFT JOIN wallet ON wallet.id = cap.payee
WHERE cap.origin = ANY ($1) ORDER BY cap.origin, cap.number;

-- caps_spent
-- The same, and what counts against those of a day; see schema/10_spending.sql.
SELECT origin, number, asset, rail, payee, payment, day, buckets, amounts FROM caps_spent($1, $2, $3);

-- give
-- A fresh key's caps.
INSERT INTO api_key_cap (origin, number, asset, rail, payee, payment, day)
SELECT $1, n, asset, rail, payee, payment, day
FROM unnest($2::text[], $3::text[], $4::uuid[], $5::numeric[], $6::numeric[]) WITH ORDINALITY
    AS cap (asset, rail, payee, payment, day, n);
