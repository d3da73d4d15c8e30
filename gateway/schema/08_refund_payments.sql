-- Refunds of payments on the ledger rail that settled at once.

-- Refunds payments for plain API keys of their payees, independently of each other, in a fixed number of statements. A refund is
-- a payment of its own, written by settle_payments. Each argument and result is an array with one element per request. `amount` is
-- the part to refund, as a decimal; NULL: all that is left. Outcomes:
--   done        refunded; the other results are the refund
--   checks      nothing is refunded (a row of `refunded_payment` may be written, with 0), and payments/ends/refund.py decides:
--               there is no such key, it is not plain or may not refund; the idempotency key was used before; or the payment is
--               not a ledger payment to the caller, counts against a limit, has less left than asked, the caller has less
--               available, or an earlier request of this call refunds it
--
-- Lock order: idempotency keys, rows of `refunded_payment`, accounts, each sorted. The row of `refunded_payment` is written before
-- money moves, so concurrent refunds never exceed the payment.
CREATE FUNCTION refund_payments(
    at timestamptz, api_key_hash bytea[], idempotency_key text[], fingerprint bytea[], payment uuid[], amount text[],
    OUT outcome text[], OUT id uuid[], OUT paid_at timestamptz, OUT caller uuid[], OUT payee uuid[],
    OUT caller_handle text[], OUT payee_handle text[], OUT asset text[], OUT units numeric[], OUT memo text[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    paid numeric[];           -- the amount of each payment
    good integer[];           -- requests to carry out, in order
    one record; written record;
BEGIN
    SELECT array_agg(CASE WHEN found.fits THEN 'done' ELSE 'checks' END ORDER BY n), array_agg(found.caller ORDER BY n),
        array_agg(found.payee ORDER BY n), array_agg(split_part(found.from_code, ':', 2) ORDER BY n),
        array_agg(split_part(found.to_code, ':', 2) ORDER BY n), array_agg(found.asset ORDER BY n),
        array_agg(found.units ORDER BY n), array_agg(found.memo ORDER BY n), array_agg(found.paid ORDER BY n),
        array_agg(NULL::uuid)
    INTO outcome, caller, payee, caller_handle, payee_handle, asset, units, memo, paid, id
    FROM (
        SELECT asked.n, key.wallet_id AS caller, other.owner AS payee, own.code AS from_code, other.code AS to_code,
            own.asset, part.units, first.memo::text AS memo, first.amount::numeric AS paid,
            asked.again = 1 AND key.plain AND 'refund' = ANY (key.scopes) AND own.owner = key.wallet_id
                AND other.owner IS NOT NULL AND NOT other.closed
                AND (asked.amount IS NULL OR part.units BETWEEN 1 AND first.amount
                    AND scale(asked.amount::numeric) <= known.decimals)
                AND NOT EXISTS (SELECT FROM counted_payment AS counted
                    WHERE counted.scope = ANY ('{cap,policy,mandate,mandate_total}') AND counted.payment_id = first.id) AS fits
        FROM (
            SELECT *, row_number() OVER (PARTITION BY payment ORDER BY n) AS again
            FROM unnest(api_key_hash, payment, amount) WITH ORDINALITY AS asked (hash, payment, amount, n)
        ) AS asked
        LEFT JOIN api_key AS key ON key.hash = asked.hash AND key.revoked_at IS NULL
            AND (key.expires_at IS NULL OR key.expires_at > at)
        LEFT JOIN ledger_payment AS first ON first.id = asked.payment AND first.leg = 1
        LEFT JOIN account AS own ON own.id = first.credit_id
        LEFT JOIN account AS other ON other.id = first.debit_id
        LEFT JOIN asset AS known ON known.code = own.asset
        CROSS JOIN LATERAL (
            SELECT trunc(asked.amount::numeric * ('1e' || known.decimals)::numeric) AS units) AS part
    ) AS found;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;
    PERFORM lock_keys(array_agg(caller[g]), array_agg(idempotency_hash(caller[g], idempotency_key[g]))) FROM unnest(good) AS g;

    outcome := array_fill('checks'::text, ARRAY[cardinality(payment)]);
    FOR one IN
        INSERT INTO refunded_payment AS kept (payment_id, amount, refunded)
        SELECT payment[g], paid[g], coalesce(units[g], paid[g]) FROM unnest(good) AS g ORDER BY payment[g]
        ON CONFLICT (payment_id) DO UPDATE SET refunded = kept.refunded + coalesce(
            units[array_position(payment, kept.payment_id)], kept.amount - kept.refunded)
        WHERE kept.refunded < kept.amount
            AND kept.refunded + coalesce(units[array_position(payment, kept.payment_id)], 0) <= kept.amount
            -- `refunded` is compared with its value in this statement's snapshot: if another refund committed since, the
            -- outcome is `checks`.
            AND (units[array_position(payment, kept.payment_id)] IS NOT NULL OR kept.refunded = (
                SELECT before.refunded FROM refunded_payment AS before WHERE before.payment_id = kept.payment_id))
        RETURNING array_position(payment, kept.payment_id) AS place,
            coalesce(units[array_position(payment, kept.payment_id)], kept.refunded::numeric - coalesce((
                SELECT before.refunded::numeric FROM refunded_payment AS before
                WHERE before.payment_id = kept.payment_id), 0)) AS units
    LOOP
        outcome[one.place] := 'done'; units[one.place] := one.units;
    END LOOP;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    SELECT * INTO written
    FROM settle_payments(
        at, NULL, NULL, ARRAY(SELECT caller[g] FROM unnest(good) AS g), ARRAY(SELECT idempotency_key[g] FROM unnest(good) AS g),
        ARRAY(SELECT fingerprint[g] FROM unnest(good) AS g), ARRAY(SELECT payee_handle[g] FROM unnest(good) AS g),
        ARRAY(SELECT asset[g] FROM unnest(good) AS g), ARRAY(SELECT units[g] FROM unnest(good) AS g),
        array_fill(0::numeric, ARRAY[cardinality(good)]), ARRAY(SELECT memo[g] FROM unnest(good) AS g),
        ARRAY(SELECT payment[g] FROM unnest(good) AS g),
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    paid_at := written.paid_at;
    FOR i IN 1 .. cardinality(good) LOOP
        id[good[i]] := written.id[i];
        IF written.outcome[i] <> 'done' OR written.id[i] IS NULL THEN
            outcome[good[i]] := 'checks';
        END IF;
    END LOOP;
    IF 'checks' = ANY (ARRAY(SELECT outcome[g] FROM unnest(good) AS g)) THEN
        UPDATE refunded_payment AS kept SET refunded = kept.refunded - back.units
        FROM (SELECT payment[g] AS id, units[g] AS units, outcome[g] AS outcome FROM unnest(good) AS g) AS back
        WHERE kept.payment_id = back.id AND back.outcome = 'checks';
    END IF;
END $$;
