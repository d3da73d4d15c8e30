-- insert_notes
-- What callers have written on new payments.
INSERT INTO payment_note (payment_id, wallet_id, reference, metadata)
SELECT payment_id, wallet_id, reference, metadata::json
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS new (payment_id, wallet_id, reference, metadata);

-- update_payments
-- What may change of payments, many at once.
UPDATE staged_payment SET state = new.state, fee = new.fee, captured = new.captured, transfer_id = new.transfer_id,
    authorization_id = new.authorization_id, tx_hash = new.tx_hash, failure = new.failure,
    expires_at = new.expires_at, settled_at = new.settled_at, undo_until = new.undo_until,
    hidden_from_payee = new.hidden_from_payee
FROM unnest($1::uuid[], $2::text[], $3::numeric[], $4::numeric[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
        $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::boolean[])
    AS new (id, state, fee, captured, transfer_id, authorization_id, tx_hash, failure, expires_at, settled_at,
        undo_until, hidden_from_payee)
WHERE staged_payment.id = new.id;

-- submit_payments
-- Payments that a stored chain transaction carries, with their events; see schema/08_submit_payments.sql.
SELECT authorization_id, id, state, logged FROM submit_payments($1, $2, $3);

-- settle_staged
-- Payments that a final log has settled, with what was captured and the hash of what settled each.
UPDATE staged_payment AS payment SET state = 'settled', captured = new.captured, tx_hash = new.tx_hash, settled_at = $4,
    hidden_from_payee = false
FROM unnest($1::uuid[], $2::numeric[], $3::text[]) AS new (id, captured, tx_hash)
WHERE payment.id = new.id;

-- add_refunded
-- Refunds count from the moment they are accepted; payment_refunded_within_captured bounds the sum.
WITH refund AS (
    SELECT * FROM unnest($1::uuid[], $2::numeric[]) AS refund (payment_id, units)
), staged AS (
    UPDATE staged_payment AS payment SET refunded = refunded + refund.units
    FROM refund WHERE payment.id = refund.payment_id
)
INSERT INTO refunded_payment AS kept (payment_id, amount, refunded)
SELECT paid.id, paid.amount, refund.units
FROM refund, LATERAL (SELECT id, amount FROM ledger_payment WHERE id = refund.payment_id AND leg = 1 LIMIT 1) AS paid
ON CONFLICT (payment_id) DO UPDATE SET refunded = kept.refunded + excluded.refunded;

-- unrefund
-- Refunds that failed count no more.
WITH failed AS (
    SELECT id, sum(amount) AS amount FROM unnest($1::uuid[], $2::numeric[]) AS f (id, amount) GROUP BY id
), staged AS (
    UPDATE staged_payment AS payment SET refunded = refunded - failed.amount FROM failed WHERE payment.id = failed.id
)
UPDATE refunded_payment AS kept SET refunded = refunded - failed.amount FROM failed WHERE payment_id = failed.id;

-- payments_of
-- Payments by their ids.
SELECT payment.*, payer.handle AS payer_handle, payee.handle AS payee_handle
FROM payment
JOIN wallet AS payer ON payer.id = payment.payer
LEFT JOIN wallet AS payee ON payee.id = payment.payee
WHERE payment.id = ANY ($1);

-- payments_shown
-- Payments by their ids, with what was written on them.
SELECT payment.*, payer.handle AS payer_handle, payee.handle AS payee_handle,
    note.wallet_id AS note_author, note.reference, note.metadata
FROM payment
JOIN wallet AS payer ON payer.id = payment.payer
LEFT JOIN wallet AS payee ON payee.id = payment.payee
LEFT JOIN payment_note AS note ON note.payment_id = payment.id
WHERE payment.id = ANY ($1);

-- staged_for_update
-- Payments that are about to change, locked in id order, before their transfers and accounts.
SELECT payment.*, submission.tx_hash AS submitted_as, payer.handle AS payer_handle, payee.handle AS payee_handle,
    note.wallet_id AS note_author, note.reference, note.metadata
FROM staged_payment AS payment
JOIN wallet AS payer ON payer.id = payment.payer
LEFT JOIN wallet AS payee ON payee.id = payment.payee
LEFT JOIN payment_note AS note ON note.payment_id = payment.id
LEFT JOIN submission ON submission.authorization_id = payment.authorization_id AND payment.state = 'queued'
WHERE payment.id = ANY ($1)
ORDER BY payment.id
FOR UPDATE OF payment;

-- lock_refunds
-- What is refunded of ledger payments, locked in the order of their ids; it is to be read then.
INSERT INTO refunded_payment AS kept (payment_id, amount, refunded)
SELECT id, amount, 0 FROM ledger_payment WHERE id = ANY ($1) AND leg = 1 ORDER BY id
ON CONFLICT (payment_id) DO UPDATE SET refunded = kept.refunded;

-- payment_of_party
-- One payment, for those it concerns.
SELECT payment.*, payer.handle AS payer_handle, payee.handle AS payee_handle,
    note.wallet_id AS note_author, note.reference, note.metadata
FROM payment
JOIN wallet AS payer ON payer.id = payment.payer
LEFT JOIN wallet AS payee ON payee.id = payment.payee
LEFT JOIN payment_note AS note ON note.payment_id = payment.id
WHERE payment.id = $1 AND (payment.payer = $2 OR payment.payee = $2 AND NOT payment.hidden_from_payee);

-- payments_page
-- What a wallet paid and was paid, newest first. One side of each is the wallet itself.
SELECT page.*, note.wallet_id AS note_author, note.reference, note.metadata,
    CASE WHEN page.payer = $1 THEN (SELECT handle FROM wallet WHERE id = $1) ELSE other.handle END AS payer_handle,
    CASE WHEN page.payee = $1 THEN (SELECT handle FROM wallet WHERE id = $1) ELSE other.handle END AS payee_handle
FROM payments_of_wallet($1, true, true, '00000000-0000-0000-0000-000000000000', $2, $3) AS page
LEFT JOIN wallet AS other ON other.id = CASE WHEN page.payer = $1 THEN page.payee ELSE page.payer END
LEFT JOIN payment_note AS note ON note.payment_id = page.id
ORDER BY page.id DESC;

-- waiting_page
-- What a wallet is asked to approve or to sign and has time for, newest first, by the index that has nothing else.
SELECT payment.*, payer.handle AS payer_handle, payee.handle AS payee_handle,
    note.wallet_id AS note_author, note.reference, note.metadata
FROM staged_payment AS payment
JOIN wallet AS payer ON payer.id = payment.payer
LEFT JOIN wallet AS payee ON payee.id = payment.payee
LEFT JOIN payment_note AS note ON note.payment_id = payment.id
WHERE payment.payer = $1 AND payment.rare_state = 'requires_confirmation' AND payment.id < $2
    AND (payment.expires_at IS NULL OR payment.expires_at > $4)
ORDER BY payment.id DESC LIMIT $3;

-- due_payments
-- Payments that are held past their time.
SELECT id FROM staged_payment
WHERE rare_state IN ('requires_confirmation', 'held') AND authorization_id IS NULL AND expires_at <= $1
ORDER BY id LIMIT $2;

-- due_for_update
-- Those of these payments that still are. One that somebody is capturing right now is left to them.
SELECT payment.*, payer.handle AS payer_handle, payee.handle AS payee_handle
FROM staged_payment AS payment
JOIN wallet AS payer ON payer.id = payment.payer
LEFT JOIN wallet AS payee ON payee.id = payment.payee
WHERE payment.id = ANY ($2) AND payment.rare_state IN ('requires_confirmation', 'held')
    AND payment.authorization_id IS NULL AND payment.expires_at <= $1
ORDER BY payment.id
FOR UPDATE OF payment SKIP LOCKED;

-- due_unsigned
-- The authorizations that nobody has signed in time; one that is being signed right now is left to them.
SELECT a.id FROM staged_payment AS payment JOIN token_authorization AS a ON a.id = payment.authorization_id
WHERE payment.rare_state = 'requires_confirmation' AND payment.expires_at <= $1 AND a.state = 'unsigned'
ORDER BY a.id LIMIT $2
FOR UPDATE OF a SKIP LOCKED;

-- payments_of_authorizations
-- Payments whose authorizations the chain has said something about, and those that they refund: a refund that fails
-- changes both. (IS NOT NULL: the index says so, and a plan that is kept has to be told. An array: IN is a join, which
-- reads all payments where the planner has not heard yet how many there are.)
WITH concerned AS MATERIALIZED (
    SELECT id, refund_of FROM staged_payment AS payment WHERE authorization_id = ANY ($1) AND authorization_id IS NOT NULL
)
SELECT payment.*, payer.handle AS payer_handle, payee.handle AS payee_handle
FROM staged_payment AS payment
JOIN wallet AS payer ON payer.id = payment.payer
LEFT JOIN wallet AS payee ON payee.id = payment.payee
WHERE payment.id = ANY (ARRAY(SELECT id FROM concerned UNION SELECT refund_of FROM concerned WHERE refund_of IS NOT NULL))
ORDER BY payment.id FOR UPDATE OF payment;

-- insert_conversion
-- A new conversion; what is given is held.
INSERT INTO conversion (id, state, wallet_id, asset, amount, to_asset, to_amount, transfer_id, authorization_id,
    created_at)
VALUES ($1, $2, $3, $4, $5::numeric, $6, $7::numeric, $8, $9, $10);

-- update_conversions
-- What may change of conversions, many at once.
UPDATE conversion SET state = new.state, tx_hash = new.tx_hash, failure = new.failure, settled_at = new.settled_at
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    AS new (id, state, tx_hash, failure, settled_at)
WHERE conversion.id = new.id;

-- conversion_of_owner
-- One conversion, for its owner.
SELECT conversion.*, wallet.handle
FROM conversion JOIN wallet ON wallet.id = conversion.wallet_id
WHERE conversion.id = $1 AND conversion.wallet_id = $2;

-- conversions_of
-- Conversions by their ids.
SELECT conversion.*, wallet.handle
FROM conversion JOIN wallet ON wallet.id = conversion.wallet_id
WHERE conversion.id = ANY ($1);

-- lock_conversions_of_authorizations
-- Conversions whose authorizations the chain has said something about.
SELECT id FROM conversion WHERE authorization_id = ANY ($1) ORDER BY id FOR UPDATE;

-- conversions_of_authorizations
-- The same, to be read once they are locked.
SELECT conversion.*, wallet.handle
FROM conversion JOIN wallet ON wallet.id = conversion.wallet_id
WHERE conversion.authorization_id = ANY ($1)
ORDER BY conversion.id;

-- ends_of_observations
-- From where to where the tokens moved that these transfers posted; the handles, where it was from or to one's wallet.
SELECT observation.transfer_id, from_address, to_address, sender.handle AS from_handle, receiver.handle AS to_handle
FROM unnest($1::uuid[]) AS asked (id)
JOIN observation ON observation.transfer_id = asked.id
LEFT JOIN wallet_address AS sent ON sent.address = from_address
LEFT JOIN wallet AS sender ON sender.id = sent.wallet_id
LEFT JOIN wallet_address AS received ON received.address = to_address
LEFT JOIN wallet AS receiver ON receiver.id = received.wallet_id;

-- settle_payments
-- Any number of payments on the ledger rail, a row each; see schema/08_settle_payments.sql.
SELECT outcome, payer_handle, available, id, paid_at, CASE WHEN $3::bytea[] IS NOT NULL THEN payer END AS payer
FROM settle_payments($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
    $24, $25);

-- hold_payments
-- Any number of payments whose money is held first, on one rail; see schema/08_hold_payments.sql.
SELECT outcome, payer_handle, available, CASE WHEN $4::bytea[] IS NOT NULL THEN payer END AS payer
FROM hold_payments($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
    $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40);

-- end_payments
-- Captures and voids on the ledger rail; see schema/08_end_payments.sql.
SELECT outcome, caller, payer, payee, payer_handle, payee_handle, asset, units, captured, memo, created_at, expires_at,
    reference, metadata
FROM end_payments($1, $2, $3, $4, $5, $6, $7);

-- refund_payments
-- Refunds on the ledger rail; see schema/08_refund_payments.sql.
SELECT outcome, id, paid_at, caller, payee, caller_handle, payee_handle, asset, units, memo
FROM refund_payments($1, $2, $3, $4, $5, $6);

-- insert_sweeps
-- Tokens that follow their wallet to its new address.
INSERT INTO sweep (id, wallet_id, asset, from_address, amount, state, authorization_id, tried_at)
SELECT id, wallet_id, asset, from_address, amount, 'queued', authorization_id, $7
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::uuid[])
    AS new (id, wallet_id, asset, from_address, amount, authorization_id);

-- update_sweeps
-- What became of them.
UPDATE sweep SET state = new.state, authorization_id = new.authorization_id, failure = new.failure, tried_at = $5::timestamptz,
    settled_at = CASE new.state WHEN 'settled' THEN $5::timestamptz END
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) AS new (id, state, authorization_id, failure)
WHERE sweep.id = new.id;

-- sweeps_of_authorizations
-- Those that the chain has said something about.
SELECT * FROM sweep WHERE authorization_id = ANY ($1) ORDER BY id;

-- waiting_sweeps
-- Those that came to nothing long enough ago, and that there was too little for, at once; where each is to go.
SELECT sweep.*, wallet.handle, wallet.address AS to_address
FROM sweep JOIN wallet ON wallet.id = sweep.wallet_id
WHERE sweep.state = 'waiting' AND (sweep.tried_at <= $1 OR sweep.failure = 'insufficient_balance')
ORDER BY sweep.id LIMIT $2
FOR UPDATE OF sweep;

-- swept_otherwise
-- What other sweeps than these, which there was too little for, are to bring from their addresses.
SELECT asset, from_address, sum(amount) AS units FROM sweep
WHERE from_address = ANY ($1) AND state IN ('queued', 'waiting') AND failure IS DISTINCT FROM 'insufficient_balance'
GROUP BY asset, from_address;

-- count_held
-- How many payments of tokens a wallet has only set aside money for.
SELECT count(*) FROM staged_payment AS payment JOIN asset ON asset.code = payment.asset
WHERE payment.payer = $1 AND asset.kind = 'token'
    AND (payment.rare_state = 'held' OR payment.rare_state = 'requires_confirmation' AND payment.authorization_id IS NULL);
