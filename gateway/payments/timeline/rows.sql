-- transfers
-- What was posted for a payment, a row for each leg, with the numbers of the entries and the balances after them.
SELECT posted.*, debit.code AS debit, credit.code AS credit
FROM (
    SELECT leg, amount, posted_at, debit_id, debit_number, debit_balance, credit_id, credit_number, credit_balance
    FROM transfer WHERE id = $1
    UNION ALL
    SELECT leg, amount, posted_at, debit_id, debit_number, debit_balance, credit_id, credit_number, credit_balance
    FROM ledger_payment WHERE id = $1
) AS posted
JOIN account AS debit ON debit.id = posted.debit_id
JOIN account AS credit ON credit.id = posted.credit_id
ORDER BY posted.leg;

-- holds
-- What was set aside for a payment, a row for each leg.
SELECT hold.leg, hold.amount, hold.created_at, debit.code AS debit, credit.code AS credit
FROM hold JOIN account AS debit ON debit.id = hold.debit_id JOIN account AS credit ON credit.id = hold.credit_id
WHERE hold.id = $1 ORDER BY hold.leg;

-- on_chain
-- The authorization of a payment, and the chain transaction that carries it.
SELECT a.from_address, a.to_address, a.nonce::text, a.signed_by, a.created_at,
    t.relayer, t.nonce AS relayer_nonce, t.gas_limit, t.state, t.created_at AS stored_at, t.concluded_at, t.final_hash,
    (SELECT count(*) FROM attempt WHERE attempt.transaction_id = t.id) AS attempts
FROM token_authorization AS a LEFT JOIN chain_transaction AS t ON t.id = a.transaction_id AND a.state <> 'queued'
WHERE a.id = $1;

-- observed
-- The final log that settled a payment, and how many logs of tokens its transaction has.
SELECT seen.block_number, seen.log_index, seen.transaction_hash, (
    SELECT count(*) FROM observation AS other
    WHERE other.chain_id = seen.chain_id AND other.block_number = seen.block_number
        AND other.block_hash = seen.block_hash AND other.transaction_hash = seen.transaction_hash
) AS together
FROM observation AS seen WHERE seen.transfer_id = $1;

-- events
-- What the event log has of a payment, in order.
SELECT id, kind, at, payload FROM event WHERE subject = $1 ORDER BY id;

-- limits
-- What a payment counted against when it was asked for: the caps of an API key, a mandate.
SELECT DISTINCT counted.scope, counted.scope_id, api_key.name
FROM counted_payment AS counted LEFT JOIN api_key ON api_key.id = counted.scope_id
WHERE counted.scope = ANY ('{cap,mandate}') AND counted.payment_id = $1;

-- request_key
-- The idempotency key that a payment was asked for with, written in the same moment: it refers to the payment, or has an
-- answer that begins with the payment's id. A payment that settled at once has a hash of its key alone.
SELECT key FROM idempotency_key
WHERE created_at >= $2::timestamptz - interval '1 second' AND created_at <= $2::timestamptz + interval '1 second'
    AND (payment_id = $1 OR substr(answer, 1, length($3::bytea)) = $3)
ORDER BY created_at, key LIMIT 1;

-- staged_refunds
-- The refunds of a payment among what its payee paid in steps afterwards: $3 payments are looked at.
SELECT id FROM (
    SELECT id, refund_of FROM staged_payment WHERE payer = $2 AND id > $1 ORDER BY id LIMIT $3
) AS later WHERE refund_of = $1;

-- ledger_refunds
-- The same, among what left one account at once after the entry numbered $3: $4 entries are looked at.
SELECT id FROM (
    SELECT id, leg, refund_of FROM ledger_payment WHERE debit_id = $2 AND debit_number > $3 ORDER BY debit_number LIMIT $4
) AS later WHERE refund_of = $1 AND leg = 1;

-- report
-- When its payer reported a payment as unauthorized, which froze the wallet.
SELECT placed_at FROM wallet_freeze WHERE payment_id = $1 ORDER BY placed_at LIMIT 1;

-- webhooks
-- What became of the events of a payment at the endpoints of both sides, with the outcomes of all tries.
SELECT endpoint.id, endpoint.url, delivery.kind, delivery.state, tries.count AS tries, tries.last_at, tries.failures
FROM webhook_endpoint AS endpoint, webhook_delivery AS delivery, LATERAL (
    SELECT count(*) AS count, max(attempt.at) AS last_at,
        array_agg(DISTINCT attempt.outcome) FILTER (WHERE attempt.outcome <> 'delivered') AS failures
    FROM webhook_attempt AS attempt
    WHERE attempt.endpoint_id = delivery.endpoint_id AND attempt.event = delivery.event
) AS tries
WHERE endpoint.wallet_id = ANY ($1) AND endpoint.deleted_at IS NULL
    AND delivery.endpoint_id = endpoint.id AND delivery.event = ANY ($2)
ORDER BY delivery.event, endpoint.id;

-- notifications
-- What both sides were told of a payment, by which channels, and what became of that; never where to.
SELECT notification.kind, delivery.channel, delivery.state, delivery.reason, delivery.ended_at
FROM notification JOIN notification_delivery AS delivery USING (wallet_id, event)
WHERE notification.wallet_id = ANY ($1) AND notification.event = ANY ($2)
ORDER BY delivery.queued_at, delivery.id;

-- audit_events
-- What the audit log has of a payment.
SELECT id, kind, by_kind, by_id, at FROM audit_event WHERE subject = $1 ORDER BY id;

-- checkpoint_of_event
-- The checkpoint that covers an event.
SELECT number, at FROM checkpoint WHERE events_to >= $1 ORDER BY events_to, number LIMIT 1;
