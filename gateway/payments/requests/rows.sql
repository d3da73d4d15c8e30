-- insert
-- A new request.
INSERT INTO payment_request (id, requester, payer, asset, amount, memo, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5::numeric, $6, $7, $8);

-- lock_requester
-- One wallet's requests are counted and made one after the other.
SELECT pg_advisory_xact_lock(1919250805, uuid_hash($1));

-- counts
-- How many requests of a wallet to another are open or pending, and how many it made from an id on.
SELECT (
    SELECT count(*) FROM payment_request
    WHERE payer = $2 AND requester = $1 AND declined_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL
        AND expires_at > $3
) AS open, (
    SELECT count(*) FROM payment_request WHERE requester = $1 AND id >= $4
) AS day;

-- lock
-- Lock a request: one transaction at a time pays, declines or cancels it.
SELECT FROM payment_request WHERE id = $1 FOR NO KEY UPDATE;

-- decline
-- Decline a request: nobody can pay it any more.
UPDATE payment_request SET declined_at = $2 WHERE id = $1;

-- cancel
-- Cancel a request: nobody can pay it any more.
UPDATE payment_request SET cancelled_at = $2 WHERE id = $1;

-- lock_unended
-- The requests of a wallet, of both sides, that are neither paid nor ended.
SELECT id FROM payment_request
WHERE $1 IN (requester, payer) AND declined_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL
ORDER BY id FOR NO KEY UPDATE;

-- cancel_all
-- Cancel requests: nobody can pay them any more.
UPDATE payment_request SET cancelled_at = $2 WHERE id = ANY ($1);

-- lock_paid_by
-- The requests that these payments pay, locked after the payments and before the accounts, as new payments lock theirs.
SELECT FROM payment_request WHERE payment_id = ANY ($1) ORDER BY id FOR NO KEY UPDATE;

-- by_ids
-- Requests by their ids.
SELECT request.*, requester.handle AS requester_handle, payer.handle AS payer_handle,
    paid.hidden_from_payee AS payment_hidden, request_state(request, paid.state, $2) AS state
FROM payment_request AS request
JOIN wallet AS requester ON requester.id = request.requester
JOIN wallet AS payer ON payer.id = request.payer
LEFT JOIN staged_payment AS paid ON paid.id = request.payment_id
WHERE request.id = ANY ($1);

-- page
-- The requests that a wallet made or received, newest first. Each side has an index in that order.
SELECT request.*, requester.handle AS requester_handle, payer.handle AS payer_handle,
    paid.hidden_from_payee AS payment_hidden, request_state(request, paid.state, $2) AS state
FROM payment_request AS request
JOIN wallet AS requester ON requester.id = request.requester
JOIN wallet AS payer ON payer.id = request.payer
LEFT JOIN staged_payment AS paid ON paid.id = request.payment_id
WHERE request.id IN (
    (SELECT asked.id FROM payment_request AS asked
     LEFT JOIN staged_payment AS by ON by.id = asked.payment_id LEFT JOIN wallet AS other ON other.id = asked.payer
     WHERE asked.requester = $1 AND asked.id < $3 AND $5::text IS DISTINCT FROM 'in'
        AND ($6::text IS NULL OR request_state(asked, by.state, $2) = $6)
        AND ($7::text IS NULL OR other.handle = $7)
     ORDER BY asked.id DESC LIMIT $4)
    UNION ALL
    (SELECT asked.id FROM payment_request AS asked
     LEFT JOIN staged_payment AS by ON by.id = asked.payment_id LEFT JOIN wallet AS other ON other.id = asked.requester
     WHERE asked.payer = $1 AND asked.id < $3 AND $5::text IS DISTINCT FROM 'out'
        AND ($6::text IS NULL OR request_state(asked, by.state, $2) = $6)
        AND ($7::text IS NULL OR other.handle = $7)
     ORDER BY asked.id DESC LIMIT $4)
)
ORDER BY request.id DESC LIMIT $4;

-- open_page
-- The same of open requests, among those that have not ended, however many have. Those older than the id $7 have expired.
SELECT request.*, requester.handle AS requester_handle, payer.handle AS payer_handle,
    paid.hidden_from_payee AS payment_hidden, request_state(request, paid.state, $2) AS state
FROM payment_request AS request
JOIN wallet AS requester ON requester.id = request.requester
JOIN wallet AS payer ON payer.id = request.payer
LEFT JOIN staged_payment AS paid ON paid.id = request.payment_id
WHERE request.id IN (
    (SELECT asked.id FROM payment_request AS asked
     LEFT JOIN staged_payment AS by ON by.id = asked.payment_id LEFT JOIN wallet AS other ON other.id = asked.payer
     WHERE asked.requester = $1 AND asked.id < $3 AND asked.id >= $7 AND $5::text IS DISTINCT FROM 'in'
        AND asked.declined_at IS NULL AND asked.cancelled_at IS NULL AND asked.paid_at IS NULL
        AND request_state(asked, by.state, $2) = 'open' AND ($6::text IS NULL OR other.handle = $6)
     ORDER BY asked.id DESC LIMIT $4)
    UNION ALL
    (SELECT asked.id FROM payment_request AS asked
     LEFT JOIN staged_payment AS by ON by.id = asked.payment_id LEFT JOIN wallet AS other ON other.id = asked.requester
     WHERE asked.payer = $1 AND asked.id < $3 AND asked.id >= $7 AND $5::text IS DISTINCT FROM 'out'
        AND asked.declined_at IS NULL AND asked.cancelled_at IS NULL AND asked.paid_at IS NULL
        AND request_state(asked, by.state, $2) = 'open' AND ($6::text IS NULL OR other.handle = $6)
     ORDER BY asked.id DESC LIMIT $4)
)
ORDER BY request.id DESC LIMIT $4;

-- begin_payment
-- Set the payments of requests, and when they settled if they have, where nothing has changed since the requests were read.
UPDATE payment_request AS request SET payment_id = new.payment, paid_at = new.paid_at
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[]) AS new (id, before, payment, paid_at)
WHERE request.id = new.id AND request.payment_id IS NOT DISTINCT FROM new.before
    AND request.declined_at IS NULL AND request.cancelled_at IS NULL AND request.paid_at IS NULL
RETURNING request.id;

-- mark_paid
-- Requests whose payments have settled.
UPDATE payment_request SET paid_at = $2 WHERE payment_id = ANY ($1) AND paid_at IS NULL
RETURNING id, requester, payer, payment_id;
