-- Payments of plain API keys whose money is held: on the ledger rail until they are captured or voided (below), on the chain
-- rail until the chain has settled them (09_pay_on_chain.sql).

-- Holds the money of payments and stores their idempotency keys with the status of the answer. Each argument and result is
-- an array with one element per payment. Outcomes: `done`; `used`, if the idempotency key was used before; `short`, with what
-- the payer had available, in which case the key can be used again.
--
-- Lock order: idempotency keys, then accounts, each sorted. If `enough` says that every payer can pay, ledger_hold holds the
-- money; if not, or if a balance has shrunk since, ledger_write decides payment by payment who is short.
CREATE FUNCTION hold_with_keys(
    at timestamptz, status smallint, enough boolean, payer uuid[], idempotency text[], fingerprint bytea[],
    from_account bigint[], to_account bigint[], amount numeric[], id uuid[],
    OUT outcome text[], OUT available numeric[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    claimed integer[];
    holds boolean := enough;  -- all of it is held at once
    good integer[];           -- payments whose keys were not used before, in order
    accounts bigint[]; written record;
    step_id uuid[]; leg_step integer[]; leg_debit integer[]; leg_credit integer[]; leg_pend numeric[]; nothing numeric[];
BEGIN
    outcome := array_fill('done'::text, ARRAY[cardinality(id)]);
    available := array_fill(NULL::numeric, ARRAY[cardinality(id)]);
    claimed := ARRAY(SELECT claim_keys(payer, idempotency, fingerprint, status, id, at));
    IF cardinality(claimed) < cardinality(id) THEN
        FOR i IN 1 .. cardinality(id) LOOP
            IF NOT i = ANY (claimed) THEN
                outcome[i] := 'used';
            END IF;
        END LOOP;
        IF claimed = '{}' THEN
            RETURN;
        END IF;
    END IF;
    good := array_positions(outcome, 'done');

    IF holds THEN
        BEGIN
            PERFORM ledger_hold(at, ARRAY(SELECT id[g] FROM unnest(good) AS g),
                ARRAY(SELECT from_account[g] FROM unnest(good) AS g),
                ARRAY(SELECT to_account[g] FROM unnest(good) AS g),
                ARRAY(SELECT amount[g] FROM unnest(good) AS g), 'payment');
        EXCEPTION WHEN check_violation THEN
            holds := false;
        END;
    END IF;
    IF NOT holds THEN
        SELECT array_agg(DISTINCT account ORDER BY account) INTO accounts
        FROM unnest(good) AS g, LATERAL (VALUES (from_account[g]), (to_account[g])) AS half (account);
        SELECT array_agg(id[g] ORDER BY n), array_agg(n::integer ORDER BY n), array_agg(amount[g] ORDER BY n),
            array_agg(0::numeric), array_agg(width_bucket(from_account[g], accounts) ORDER BY n),
            array_agg(width_bucket(to_account[g], accounts) ORDER BY n)
        INTO step_id, leg_step, leg_pend, nothing, leg_debit, leg_credit
        FROM unnest(good) WITH ORDINALITY AS step (g, n);

        SELECT * INTO written FROM ledger_write(
            at, accounts, step_id,
            array_fill(true, ARRAY[cardinality(good)]),
            array_fill('pending'::hold_state, ARRAY[cardinality(good)]),
            array_fill(false, ARRAY[cardinality(good)]),
            array_fill('payment'::text, ARRAY[cardinality(good)]),
            step_id, leg_step, leg_debit, leg_credit, nothing, leg_pend
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
END $$;

-- Holds for fiat payments without a fee that are captured later. A payment is written with its hold, idempotency key and
-- event, or not at all. Arguments, results and outcomes are those of hold_with_keys, and also
--   unauthenticated  no such API key
--   checks           the API key is not plain: the payment has to pass the checks
--   unknown          no such payee, the payee is closed or is the payer, or an account is not open yet
--
-- When a wallet gets its first passkey, its holds begin to wait for an approval (wallet_has_policy). So the payers' wallets
-- are locked between the idempotency keys and the accounts, and `plain` is read under that lock.
CREATE FUNCTION hold_on_ledger(
    at timestamptz, expires_at timestamptz,
    api_key_hash bytea[], idempotency text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], memo text[], id uuid[],
    facts text[],   -- the event's payload without the payer, as a JSON object
    OUT outcome text[], OUT payer_handle text[], OUT available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    payer uuid[]; payee uuid[]; from_account bigint[]; to_account bigint[]; request bytea[];
    enough boolean;           -- every payer has enough for all of their payments
    good integer[];           -- requests whose money is held, in order
    held record;
BEGIN
    SELECT array_agg(key.wallet_id), array_agg(request_of(key.wallet_id, asked.idempotency)) INTO payer, request
    FROM unnest(api_key_hash, idempotency) AS asked (hash, idempotency)
    JOIN api_key AS key ON key.hash = asked.hash AND key.plain;
    PERFORM lock_keys(payer, request);
    PERFORM FROM wallet WHERE wallet.id = ANY (payer) ORDER BY wallet.id FOR SHARE;

    SELECT array_agg(found.outcome ORDER BY n), array_agg(found.payer ORDER BY n), array_agg(found.handle ORDER BY n),
        array_agg(found.payee ORDER BY n), array_agg(found.from_account ORDER BY n), array_agg(found.to_account ORDER BY n),
        array_agg(NULL::numeric), bool_and(found.enough) FILTER (WHERE found.outcome = 'done')
    INTO outcome, payer, payer_handle, payee, from_account, to_account, available, enough
    FROM (
        SELECT asked.n, own.owner AS payer, split_part(own.code, ':', 2) AS handle, other.owner AS payee,
            own.id AS from_account, other.id AS to_account,
            CASE
                WHEN key.wallet_id IS NULL THEN 'unauthenticated'
                WHEN NOT key.plain THEN 'checks'
                WHEN own.id IS NULL OR other.owner IS NULL OR other.closed OR own.id = other.id THEN 'unknown'
                ELSE 'done' END AS outcome,
            own.credits_posted - own.debits_posted - own.debits_pending
                >= sum(asked.amount) OVER (PARTITION BY own.id) AS enough
        FROM unnest(api_key_hash, payee_handle, asset, amount) WITH ORDINALITY
            AS asked (api_key_hash, payee_handle, asset, amount, n)
        LEFT JOIN api_key AS key ON key.hash = asked.api_key_hash AND key.revoked_at IS NULL
            AND (key.expires_at IS NULL OR key.expires_at > at)
        LEFT JOIN account AS own ON own.owner = key.wallet_id AND own.asset = asked.asset
        LEFT JOIN account AS other ON other.code = 'wallet:' || asked.payee_handle || ':' || asked.asset
    ) AS found;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    SELECT * INTO held
    FROM hold_with_keys(
        at, 201::smallint, enough,
        ARRAY(SELECT payer[g] FROM unnest(good) AS g), ARRAY(SELECT idempotency[g] FROM unnest(good) AS g),
        ARRAY(SELECT fingerprint[g] FROM unnest(good) AS g), ARRAY(SELECT from_account[g] FROM unnest(good) AS g),
        ARRAY(SELECT to_account[g] FROM unnest(good) AS g), ARRAY(SELECT amount[g] FROM unnest(good) AS g),
        ARRAY(SELECT id[g] FROM unnest(good) AS g)
    );
    IF 'done' <> ANY (held.outcome) THEN
        FOR i IN 1 .. cardinality(good) LOOP
            outcome[good[i]] := held.outcome[i]; available[good[i]] := held.available[i];
        END LOOP;
        IF NOT 'done' = ANY (outcome) THEN
            RETURN;
        END IF;
    END IF;

    INSERT INTO staged_payment (id, state, rail, payer, payee, asset, amount, fee, memo, transfer_id, created_at, expires_at,
        capture)
    SELECT asked.id, 'held', 'ledger', asked.payer, asked.payee, asked.asset, asked.amount, 0, asked.memo, asked.id, at,
        expires_at, false
    FROM unnest(outcome, id, payer, payee, asset, amount, memo) AS asked (outcome, id, payer, payee, asset, amount, memo)
    WHERE asked.outcome = 'done';
    PERFORM log_events(array_agg('payment.held'::text), array_agg(asked.payer), array_agg(asked.payee), array_agg(asked.id),
        array_agg(('{"from":"@' || asked.handle || '",' || substr(asked.facts, 2))::jsonb), at)
    FROM unnest(outcome, id, payer, payer_handle, payee, facts)
        AS asked (outcome, id, payer, handle, payee, facts)
    WHERE asked.outcome = 'done';
END $$;
