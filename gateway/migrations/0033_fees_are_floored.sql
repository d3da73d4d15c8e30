-- A fee is its part of the amount with what is less than a unit left to the payer, so no payment costs more than it says
-- it does: 1% of 0.01 is nothing, not 0.01.
CREATE OR REPLACE FUNCTION pay_in_ledger(
    at timestamptz, fee_basis_points integer,
    api_key_hash bytea[], idempotency text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], memo text[], id uuid[],
    facts text[],   -- of the payment's event, as a JSON object; who paid is added
    OUT outcome text[], OUT payer_handle text[], OUT fee numeric[], OUT available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    payer uuid[]; payee uuid[]; from_account bigint[]; to_account bigint[]; fee_account bigint[];
    claimed uuid[];
    good integer[];           -- requests that go to the book, in order
    legs integer := CASE WHEN fee_basis_points > 0 THEN 2 ELSE 1 END;   -- of each: to the payee, and to the house
    accounts bigint[] := '{}';
    step_id uuid[]; leg_step integer[]; leg_debit integer[]; leg_credit integer[]; leg_post numeric[];
    written record;
    used record;
    slot integer := 0;
    known bigint;
BEGIN
    SELECT array_agg(found.outcome), array_agg(found.payer), array_agg(found.handle), array_agg(found.payee),
           array_agg(found.from_account), array_agg(found.to_account), array_agg(found.fee_account),
           array_agg(found.fee), array_agg(NULL::numeric)
    INTO outcome, payer, payer_handle, payee, from_account, to_account, fee_account, fee, available
    FROM (
        SELECT payer.wallet_id AS payer, split_part(from_account.code, ':', 2) AS handle, to_account.owner AS payee,
            asked.fee, from_account.id AS from_account, to_account.id AS to_account,
            CASE WHEN asked.fee > 0 THEN fee_account.id ELSE to_account.id END AS fee_account,   -- a leg of nothing
            CASE
                WHEN payer.wallet_id IS NULL THEN 'unauthenticated'
                WHEN NOT payer.plain OR payer.wallet_id = to_account.owner OR to_account.owner IS NULL
                    OR from_account.id IS NULL OR fee > 0 AND fee_account.id IS NULL THEN 'elsewhere'
                ELSE 'done'
            END AS outcome
        FROM (
            SELECT *, div(amount * fee_basis_points, 10000) AS fee
            FROM unnest(api_key_hash, payee_handle, asset, amount) WITH ORDINALITY
                AS asked (api_key_hash, payee_handle, asset, amount, n)
        ) AS asked
        LEFT JOIN api_key AS payer ON payer.hash = asked.api_key_hash AND payer.revoked_at IS NULL
        LEFT JOIN account AS from_account ON from_account.owner = payer.wallet_id AND from_account.asset = asked.asset
        LEFT JOIN account AS to_account ON to_account.code = 'wallet:' || asked.payee_handle || ':' || asked.asset
        LEFT JOIN account AS fee_account ON fee_basis_points > 0 AND fee_account.code = 'fees:' || asked.asset
        ORDER BY asked.n
    ) AS found;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    WITH fresh AS (
        INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
        SELECT payer[g], idempotency[g], fingerprint[g], 201, id[g], at
        FROM unnest(good) AS g
        ORDER BY payer[g], idempotency[g]
        ON CONFLICT DO NOTHING
        RETURNING payment_id
    )
    SELECT array_agg(fresh.payment_id) INTO claimed FROM fresh;
    IF coalesce(cardinality(claimed), 0) < cardinality(good) THEN
        FOR i IN 1 .. cardinality(outcome) LOOP
            IF outcome[i] = 'done' AND NOT id[i] = ANY (coalesce(claimed, '{}')) THEN
                outcome[i] := 'elsewhere';
            END IF;
        END LOOP;
        good := array_positions(outcome, 'done');
        IF good = '{}' THEN
            RETURN;
        END IF;
    END IF;

    -- The accounts used, ascending and each once, and the legs that point into them.
    leg_debit := array_fill(NULL::integer, ARRAY[cardinality(good) * legs]);
    leg_credit := leg_debit;
    FOR used IN
        SELECT half.id, half.debit, half.leg
        FROM unnest(good) WITH ORDINALITY AS step (g, n), LATERAL (VALUES
            (from_account[g], true, legs * (n - 1) + 1), (to_account[g], false, legs * (n - 1) + 1),
            (CASE legs WHEN 2 THEN from_account[g] END, true, legs * n), (fee_account[g], false, legs * n)
        ) AS half (id, debit, leg)
        WHERE half.id IS NOT NULL
        ORDER BY half.id
    LOOP
        IF known IS DISTINCT FROM used.id THEN
            known := used.id; slot := slot + 1; accounts[slot] := known;
        END IF;
        IF used.debit THEN leg_debit[used.leg] := slot; ELSE leg_credit[used.leg] := slot; END IF;
    END LOOP;
    SELECT array_agg(id[g] ORDER BY n) FILTER (WHERE leg = 1), array_agg(n::integer ORDER BY n, leg),
        array_agg(CASE leg WHEN 1 THEN amount[g] ELSE fee[g] END ORDER BY n, leg)
    INTO step_id, leg_step, leg_post
    FROM unnest(good) WITH ORDINALITY AS step (g, n), generate_series(1, legs) AS leg;

    SELECT * INTO written FROM book_write(
        at, accounts, step_id,
        array_fill(true, ARRAY[cardinality(good)]),
        array_fill('posted'::transfer_state, ARRAY[cardinality(good)]),
        array_fill(false, ARRAY[cardinality(good)]),
        array_fill('payment'::text, ARRAY[cardinality(good)]),
        step_id, leg_step, leg_debit, leg_credit, leg_post, array_fill(0::numeric, ARRAY[cardinality(leg_step)])
    );
    IF 'short' = ANY (written.outcome) THEN  -- a refusal keeps no key: it may be asked again
        FOR i IN 1 .. cardinality(good) LOOP
            IF written.outcome[i] = 'short' THEN
                outcome[good[i]] := 'short';
                available[good[i]] := written.short_available[i];
            END IF;
        END LOOP;
        DELETE FROM idempotency_key USING unnest(outcome, payer, idempotency) AS asked (outcome, payer, key)
        WHERE asked.outcome = 'short' AND wallet_id = asked.payer AND idempotency_key.key = asked.key;
    END IF;

    INSERT INTO payment (id, state, rail, payer, payee, asset, amount, fee, captured, memo, transfer_id, created_at,
        settled_at)
    SELECT asked.id, 'settled', 'ledger', asked.payer, asked.payee, asked.asset, asked.amount, asked.fee, asked.amount,
        asked.memo, asked.id, at, at
    FROM unnest(outcome, id, payer, payee, asset, amount, fee, memo)
        AS asked (outcome, id, payer, payee, asset, amount, fee, memo)
    WHERE asked.outcome = 'done';

    -- As events/log.sql announces: until this ends, readers stop before the numbers that follow.
    PERFORM pg_advisory_xact_lock_shared((1::bigint << 62) + CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM event_id_seq;
    INSERT INTO event (kind, wallet_id, other_id, subject, facts, at)
    SELECT 'payment.settled', asked.payer, asked.payee, asked.id,
        ('{"from":"@' || asked.handle || '",' || substr(asked.facts, 2))::jsonb, at
    FROM unnest(outcome, id, payer, payer_handle, payee, facts)
        AS asked (outcome, id, payer, handle, payee, facts)
    WHERE asked.outcome = 'done';
END $$;
