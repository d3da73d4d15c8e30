-- Payments on the ledger rail that settle at once: each with its row, its money, its idempotency key and its event, or none
-- of them. One function, for any number of payments, of any payers, whoever asks.

-- A payment is asked for by an API key (its SHA-256 is in `api_key_hash`), or by a caller whose payment has passed every
-- check (`wallet` is the payer's, its API key is null). It has a payee by handle, a fee and a fresh id, which is that of its
-- transfer too; a refund names what it is of. `idempotency` is null where the caller has claimed the key of a whole call.
-- Arrays have an element per payment, and so has each answer:
--   done             settled
--   short            with what the payer had available; its key is free again
--   unauthenticated  no such API key
--   checks           the API key is not plain: its payments have to pass the checks first
--   used             the idempotency key was used before, or somebody is using it at this moment
--   unknown          no such payee, or the payer itself, or an account that is not open yet. Where payers come by their
--                    wallets nothing at all is written then: the caller opens the accounts, and asks again for all
-- Of all but `done` nothing is written. Two payments with one idempotency key must not be in one call.
--
-- Keys are claimed before accounts are locked, and both in their order, so that no two calls deadlock. Where everybody
-- seems to have enough, the money moves by ledger_post; where somebody has not, or another took it meanwhile, book_write
-- decides in order who is short.
CREATE FUNCTION pay_by_ledger(
    at timestamptz,
    api_key_hash bytea[], wallet uuid[], idempotency text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], fee numeric[], memo text[], refund_of uuid[], id uuid[],
    facts text[],   -- of the payment's event, as a JSON object; who paid is added
    OUT outcome text[], OUT payer_handle text[], OUT available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    payer uuid[]; payee uuid[]; from_account bigint[]; to_account bigint[]; fee_account bigint[];
    purpose text[];
    enough boolean;       -- whether everybody has enough for all that they pay
    with_fees boolean;
    claimed bigint; used record;
    good integer[];       -- the payments whose money moves, in order; then, by leg:
    leg_id uuid[]; leg smallint[]; debit bigint[]; credit bigint[]; units numeric[]; leg_purpose text[];
    accounts bigint[]; written record;
BEGIN
    SELECT array_agg(found.outcome ORDER BY n), array_agg(found.payer ORDER BY n), array_agg(found.handle ORDER BY n),
        array_agg(found.payee ORDER BY n), array_agg(found.from_account ORDER BY n),
        array_agg(found.to_account ORDER BY n), array_agg(found.fee_account ORDER BY n),
        array_agg(found.purpose ORDER BY n), array_agg(NULL::numeric), bool_or(found.fee > 0),
        bool_and(found.enough) FILTER (WHERE found.outcome = 'done')
    INTO outcome, payer, payer_handle, payee, from_account, to_account, fee_account, purpose, available, with_fees, enough
    FROM (
        SELECT asked.n, own.owner AS payer, split_part(own.code, ':', 2) AS handle, other.owner AS payee,
            own.id AS from_account, other.id AS to_account, fees.id AS fee_account, asked.fee,
            CASE WHEN asked.refund_of IS NULL THEN 'payment' ELSE 'refund' END AS purpose,
            CASE
                WHEN asked.wallet IS NULL AND key.wallet_id IS NULL THEN 'unauthenticated'
                WHEN asked.wallet IS NULL AND NOT key.plain THEN 'checks'
                WHEN own.id IS NULL OR other.owner IS NULL OR own.id = other.id OR asked.fee > 0 AND fees.id IS NULL
                    THEN 'unknown'
                ELSE 'done' END AS outcome,
            own.credits_posted - own.debits_posted - own.debits_pending
                >= sum(asked.amount + asked.fee) OVER (PARTITION BY own.id) AS enough
        FROM unnest(api_key_hash, wallet, payee_handle, asset, amount, fee, refund_of) WITH ORDINALITY
            AS asked (api_key_hash, wallet, payee_handle, asset, amount, fee, refund_of, n)
        LEFT JOIN api_key AS key ON key.hash = asked.api_key_hash AND key.revoked_at IS NULL
            AND (key.expires_at IS NULL OR key.expires_at > at)
        LEFT JOIN account AS own ON own.owner = coalesce(asked.wallet, key.wallet_id) AND own.asset = asked.asset
        LEFT JOIN account AS other ON other.code = 'wallet:' || asked.payee_handle || ':' || asked.asset
        LEFT JOIN account AS fees ON asked.fee > 0 AND fees.code = 'fees:' || asked.asset
    ) AS found;

    good := array_positions(outcome, 'done');
    IF good = '{}' OR 'unknown' = ANY (outcome) AND wallet[1] IS NOT NULL THEN
        RETURN;
    END IF;
    INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
    SELECT payer[g], idempotency[g], fingerprint[g], 201, id[g], at
    FROM unnest(good) AS g
    WHERE idempotency[g] IS NOT NULL
    ORDER BY payer[g], idempotency[g]
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS claimed = ROW_COUNT;
    IF claimed < cardinality(good) THEN
        FOR used IN
            SELECT g FROM unnest(good) AS g
            WHERE idempotency[g] IS NOT NULL AND id[g] IS DISTINCT FROM (
                SELECT payment_id FROM idempotency_key WHERE wallet_id = payer[g] AND key = idempotency[g])
        LOOP
            outcome[used.g] := 'used';
        END LOOP;
        good := array_positions(outcome, 'done');
    END IF;
    IF good = '{}' THEN
        RETURN;
    END IF;

    IF cardinality(good) = cardinality(id) AND NOT with_fees THEN
        leg_id := id; leg := array_fill(1::smallint, ARRAY[cardinality(id)]);
        debit := from_account; credit := to_account; units := amount; leg_purpose := purpose;
    ELSE
        SELECT array_agg(id[g] ORDER BY g, n), array_agg(n ORDER BY g, n), array_agg(from_account[g] ORDER BY g, n),
            array_agg(CASE n WHEN 1 THEN to_account[g] ELSE fee_account[g] END ORDER BY g, n),
            array_agg(CASE n WHEN 1 THEN amount[g] ELSE fee[g] END ORDER BY g, n), array_agg(purpose[g] ORDER BY g, n)
        INTO leg_id, leg, debit, credit, units, leg_purpose
        FROM unnest(good) AS g, (VALUES (1::smallint), (2)) AS leg (n)
        WHERE n = 1 OR fee[g] > 0;
    END IF;

    IF enough THEN
        BEGIN
            PERFORM ledger_post(at, leg_id, leg, debit, credit, units, leg_purpose);
        EXCEPTION WHEN check_violation THEN
            enough := false;
        END;
    END IF;
    IF NOT enough THEN
        accounts := ARRAY(SELECT DISTINCT account FROM unnest(debit || credit) AS account ORDER BY account);
        SELECT * INTO written
        FROM book_write(
            at, accounts, ARRAY(SELECT id[g] FROM unnest(good) AS g),
            array_fill(true, ARRAY[cardinality(good)]), array_fill('posted'::hold_state, ARRAY[cardinality(good)]),
            array_fill(false, ARRAY[cardinality(good)]),
            ARRAY(SELECT purpose[g] FROM unnest(good) AS g),
            ARRAY(SELECT id[g] FROM unnest(good) AS g),
            ARRAY(SELECT (sum((leg.n = 1)::integer) OVER (ORDER BY place))::integer
                FROM unnest(leg) WITH ORDINALITY AS leg (n, place)),
            ARRAY(SELECT width_bucket(account, accounts) FROM unnest(debit) AS account),
            ARRAY(SELECT width_bucket(account, accounts) FROM unnest(credit) AS account),
            units, array_fill(0::numeric, ARRAY[cardinality(units)])
        );
        FOR i IN 1 .. cardinality(good) LOOP
            IF written.outcome[i] = 'short' THEN
                outcome[good[i]] := 'short';
                available[good[i]] := written.short_available[i];
            END IF;
        END LOOP;
        DELETE FROM idempotency_key USING unnest(outcome, payer, idempotency) AS asked (outcome, payer, key)
        WHERE asked.outcome = 'short' AND wallet_id = asked.payer AND idempotency_key.key = asked.key;
    END IF;

    -- As events/log.sql announces: until this ends, readers stop before the numbers that follow.
    PERFORM pg_advisory_xact_lock_shared((1::bigint << 62) + CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM event_id_seq;
    WITH paid AS (
        INSERT INTO payment (id, state, rail, payer, payee, asset, amount, fee, captured, memo, transfer_id, refund_of,
            created_at, settled_at)
        SELECT asked.id, 'settled', 'ledger', asked.payer, asked.payee, asked.asset, asked.amount, asked.fee,
            asked.amount, asked.memo, asked.id, asked.refund_of, at, at
        FROM unnest(outcome, id, payer, payee, asset, amount, fee, memo, refund_of)
            AS asked (outcome, id, payer, payee, asset, amount, fee, memo, refund_of)
        WHERE asked.outcome = 'done'
    )
    INSERT INTO event (kind, wallet_id, other_id, subject, facts, at)
    SELECT 'payment.settled', asked.payer, asked.payee, asked.id,
        ('{"from":"@' || asked.handle || '",' || substr(asked.facts, 2))::jsonb, at
    FROM unnest(outcome, id, payer, payer_handle, payee, facts)
        AS asked (outcome, id, payer, handle, payee, facts)
    WHERE asked.outcome = 'done';
END $$;
