-- use_keys
-- The caller's from now on, but for those that it gives; see schema/07_idempotency.sql.
SELECT place, fingerprint, status, answer, payment_id FROM use_keys($1, $2);

-- insert_answers
-- The answers of calls that have used these keys.
INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, answer, payment_id, created_at)
SELECT wallet_id, key, fingerprint, status, answer, payment_id, $7
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::smallint[], $5::bytea[], $6::uuid[])
    AS new (wallet_id, key, fingerprint, status, answer, payment_id);

-- claim_keys
-- Those are ours whose places it gives, from 1; see schema/07_idempotency.sql.
SELECT place FROM claim_keys($1, $2, $3, $4) AS place;

-- answers_of_keys
-- What the first calls with these keys asked and answered; a look-up each, however many keys there are.
SELECT asked.wallet_id, asked.key, used.fingerprint, used.status, used.answer, used.payment_id
FROM unnest($1::uuid[], $2::text[]) AS asked (wallet_id, key),
    LATERAL used_key(asked.wallet_id, asked.key, idempotency_hash(asked.wallet_id, asked.key)) AS used;

-- keep_answers
-- The answers of the calls that claimed the keys. A key that has one already is left out and keeps it.
UPDATE idempotency_key AS kept SET status = new.status, answer = new.answer, payment_id = new.payment_id
FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::bytea[], $5::uuid[])
    AS new (wallet_id, key, status, answer, payment_id)
WHERE kept.wallet_id = new.wallet_id AND kept.key = new.key AND kept.status IS NULL
RETURNING kept.wallet_id, kept.key;
