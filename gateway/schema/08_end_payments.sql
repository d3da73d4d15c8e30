-- Captures and voids of payments that are held on the ledger rail.

-- Captures and voids payments, independently of each other, in a fixed number of statements. Each argument and result is an
-- array with one element per request. `amount` is the part to capture, as a decimal; NULL: all of it. Outcomes:
--   done        captured or voided; the other results are the payment after that
--   checks      nothing is written, and payments/ends/capture_void.py decides: there is no such key, or it may not pay or is
--               limited to some networks; the idempotency key was used before; or the payment is not the caller's, has a fee,
--               is a refund, counts against a limit, has ended or expired, its payer is frozen, less is held, or an earlier
--               request of this call ends it
--
-- Lock order: idempotency keys, payments, holds, accounts, each sorted, as everywhere. The conditions are read after the locks;
-- whether a payment counts against limits is fixed when it is accepted.
CREATE FUNCTION end_payments(
    at timestamptz, api_key_hash bytea[], idempotency_key text[], fingerprint bytea[],
    payment uuid[], capture boolean[], amount text[],
    OUT outcome text[], OUT caller uuid[], OUT payer uuid[], OUT payee uuid[], OUT payer_handle text[], OUT payee_handle text[],
    OUT asset text[], OUT units numeric[], OUT captured numeric[], OUT memo text[], OUT created_at timestamptz[],
    OUT expires_at timestamptz[], OUT reference text[], OUT metadata text[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    idempotency_hash bytea[]; payload jsonb[];
    good integer[];           -- requests to carry out, in order
BEGIN
    SELECT array_agg(CASE WHEN key.wallet_id IS NOT NULL AND asked.again = 1 THEN 'done' ELSE 'checks' END ORDER BY n),
        array_agg(key.wallet_id ORDER BY n),
        array_agg(CASE WHEN key.wallet_id IS NOT NULL THEN idempotency_hash(key.wallet_id, asked.idempotency_key) END ORDER BY n)
    INTO outcome, caller, idempotency_hash
    FROM (
        SELECT *, row_number() OVER (PARTITION BY payment ORDER BY n) AS again
        FROM unnest(api_key_hash, idempotency_key, payment) WITH ORDINALITY AS asked (hash, idempotency_key, payment, n)
    ) AS asked
    LEFT JOIN api_key AS key ON key.hash = asked.hash AND key.revoked_at IS NULL
        AND (key.expires_at IS NULL OR key.expires_at > at) AND key.networks IS NULL AND 'pay' = ANY (key.scopes);
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;
    PERFORM lock_keys(array_agg(caller[g]), array_agg(idempotency_hash[g])) FROM unnest(good) AS g;
    PERFORM FROM staged_payment WHERE id = ANY (ARRAY(SELECT payment[g] FROM unnest(good) AS g)) ORDER BY id FOR UPDATE;

    -- The statements after the locks see current rows.
    SELECT array_agg(CASE WHEN found.fits THEN 'done' ELSE 'checks' END ORDER BY n),
        array_agg(found.payer ORDER BY n), array_agg(found.payee ORDER BY n),
        array_agg(found.payer_handle ORDER BY n), array_agg(found.payee_handle ORDER BY n),
        array_agg(found.asset ORDER BY n), array_agg(found.amount ORDER BY n),
        array_agg(found.captured ORDER BY n), array_agg(found.memo ORDER BY n), array_agg(found.created_at ORDER BY n),
        array_agg(found.expires_at ORDER BY n), array_agg(found.reference ORDER BY n), array_agg(found.metadata ORDER BY n),
        array_agg(found.payload ORDER BY n)
    INTO outcome, payer, payee, payer_handle, payee_handle, asset, units, captured, memo, created_at, expires_at, reference,
        metadata, payload
    FROM (
        SELECT asked.n, held.payer, held.payee, giver.handle AS payer_handle, taker.handle AS payee_handle, held.asset,
            held.amount::numeric AS amount, part.units AS captured, held.memo::text AS memo, held.created_at, held.expires_at,
            note.reference, note.metadata::text AS metadata,
            asked.outcome = 'done' AND held.state = 'held' AND held.rail = 'ledger' AND held.transfer_id = held.id
                AND held.fee = 0 AND held.refund_of IS NULL AND asked.caller IN (held.payer, held.payee)
                AND (NOT asked.capture
                    OR held.undo_until IS NULL AND (held.expires_at IS NULL OR held.expires_at > at)
                        AND giver.frozen_at IS NULL AND part.units BETWEEN 1 AND held.amount
                        AND (asked.amount IS NULL OR scale(asked.amount::numeric) <= known.decimals))
                AND NOT EXISTS (SELECT FROM counted_payment AS counted
                    WHERE counted.scope = ANY ('{cap,policy,mandate,mandate_total}') AND counted.payment_id = held.id)
                AND NOT EXISTS (SELECT FROM used_key(asked.caller, asked.idempotency_key, asked.idempotency_hash)) AS fits,
            jsonb_strip_nulls(jsonb_build_object(
                'from', '@' || giver.handle, 'to', '@' || taker.handle, 'amount', amount_text(held.amount, known.decimals),
                'asset', held.asset, 'captured',
                CASE WHEN asked.capture AND part.units < held.amount THEN amount_text(part.units, known.decimals) END,
                'expires_at', rfc3339(held.expires_at))) AS payload
        FROM unnest(outcome, caller, idempotency_hash, idempotency_key, payment, capture, amount) WITH ORDINALITY
            AS asked (outcome, caller, idempotency_hash, idempotency_key, payment, capture, amount, n)
        LEFT JOIN staged_payment AS held ON held.id = asked.payment
        LEFT JOIN wallet AS giver ON giver.id = held.payer
        LEFT JOIN wallet AS taker ON taker.id = held.payee
        LEFT JOIN asset AS known ON known.code = held.asset
        LEFT JOIN payment_note AS note ON note.payment_id = held.id AND note.wallet_id = asked.caller
        CROSS JOIN LATERAL (SELECT CASE WHEN NOT asked.capture THEN 0 WHEN asked.amount IS NULL THEN held.amount
            ELSE trunc(asked.amount::numeric * ('1e' || known.decimals)::numeric) END AS units) AS part
    ) AS found;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    PERFORM ledger_end(at, array_agg(payment[g] ORDER BY g), array_agg(1::smallint),
        array_agg(CASE WHEN capture[g] THEN 'posted' ELSE 'voided' END::hold_state ORDER BY g),
        array_agg(captured[g] ORDER BY g))
    FROM unnest(good) AS g;
    UPDATE staged_payment AS ended SET state = new.state, captured = new.captured, settled_at = new.settled_at
    FROM (
        SELECT payment[g] AS id, CASE WHEN capture[g] THEN 'settled' ELSE 'voided' END AS state, captured[g] AS captured,
            CASE WHEN capture[g] THEN at END AS settled_at
        FROM unnest(good) AS g
    ) AS new
    WHERE ended.id = new.id;
    PERFORM log_events(
        array_agg(CASE WHEN capture[g] THEN 'payment.settled' ELSE 'payment.voided' END), array_agg(payer[g]),
        array_agg(payee[g]), array_agg(payment[g]), array_agg(payload[g]), at)
    FROM unnest(good) AS g;
    INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
    SELECT caller[g], idempotency_key[g], fingerprint[g], 200, payment[g], at FROM unnest(good) AS g;
END $$;
