-- Payments whose money is held first: on the ledger rail until they are captured or voided (08_end_payments.sql), on the chain
-- rail until the chain has settled them.

-- Accepts payments of plain API keys, without a fee. A payment is written with its hold, idempotency key and event, or not at
-- all; on the chain rail also with its authorization and nonce, and it is queued. The payment, its hold and its authorization
-- share one id: an authorization with its payment's id was queued when the payment was accepted. Each argument and result is an
-- array with one element per payment. Outcomes:
--   done             held or queued
--   short            the payer has too little: `available` says how much; the idempotency key can be used again
--   used             the idempotency key was used before
--   own_key          the payer keeps the key of the address, and has to sign
--   checks           as of payment_parties, or the API key has caps
--   unauthenticated, unknown  as of payment_parties
--
-- When a wallet gets its first passkey, what it holds on the ledger rail begins to wait for an approval (wallet_has_policy). So
-- the payers' wallets are locked between the idempotency keys and the accounts, and the API keys are read again under that lock. On the
-- chain rail they are not: whoever binds a wallet to another address locks accounts and nonces first (custody/bind.py).
--
-- Lock order: idempotency keys, wallets, accounts, nonces, each sorted.
CREATE FUNCTION hold_payments(
    at timestamptz, rail text,
    expires_at timestamptz,     -- on the ledger rail: until when it is held
    valid_before bigint,        -- on the chain rail: of the authorizations, in Unix seconds
    api_key_hash bytea[], idempotency_key text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], memo text[], id uuid[],
    route text[],               -- on the chain rail, as JSON
    payload text[],             -- the event's payload without the payer, as a JSON object
    OUT outcome text[], OUT payer_handle text[], OUT available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    on_chain CONSTANT boolean := rail = 'chain';
    payer uuid[]; payee uuid[]; from_account bigint[]; to_account bigint[]; from_address text[]; to_address text[];
    idempotency_hash bytea[];
    enough boolean;             -- every payer has enough for all of their payments
    good integer[];             -- the payments to accept, in order
    left_over numeric[]; one record;
BEGIN
    SELECT array_agg(CASE
            WHEN found.origin IS NOT NULL THEN 'checks'
            WHEN found.outcome IN ('done', 'unknown') AND giver.custody <> 'gateway' THEN 'own_key'
            ELSE found.outcome END ORDER BY n),
        array_agg(found.payer ORDER BY n), array_agg(found.payer_handle ORDER BY n), array_agg(found.payee ORDER BY n),
        array_agg(found.from_account ORDER BY n), array_agg(found.to_account ORDER BY n),
        array_agg(found.idempotency_hash ORDER BY n), array_agg(giver.address ORDER BY n), array_agg(taker.address ORDER BY n),
        array_agg(NULL::numeric), bool_and(found.enough) FILTER (WHERE found.outcome = 'done')
    INTO outcome, payer, payer_handle, payee, from_account, to_account, idempotency_hash, from_address, to_address,
        available, enough
    FROM payment_parties(api_key_hash, NULL, NULL, idempotency_key, payee_handle, asset, amount, NULL, at) AS found
    LEFT JOIN wallet AS giver ON giver.id = CASE WHEN on_chain THEN found.payer END
    LEFT JOIN wallet AS taker ON taker.id = CASE WHEN on_chain THEN found.payee END;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;
    PERFORM lock_keys(array_agg(payer[g]), array_agg(idempotency_hash[g])) FROM unnest(good) AS g;
    FOR one IN SELECT g FROM unnest(good) AS g, LATERAL used_key(payer[g], idempotency_key[g], idempotency_hash[g]) LOOP
        outcome[one.g] := 'used';
    END LOOP;
    IF NOT on_chain THEN
        PERFORM lock_limits(NULL, ARRAY(SELECT payer[g] FROM unnest(good) AS g), NULL, NULL);
        FOR one IN
            SELECT g FROM unnest(good) AS g JOIN api_key AS key ON key.hash = api_key_hash[g]
            WHERE NOT key.plain OR key.revoked_at IS NOT NULL
        LOOP
            outcome[one.g] := 'checks';
        END LOOP;
    END IF;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    left_over := ledger_hold_each(
        at, enough, ARRAY(SELECT id[g] FROM unnest(good) AS g), ARRAY(SELECT from_account[g] FROM unnest(good) AS g),
        ARRAY(SELECT to_account[g] FROM unnest(good) AS g), ARRAY(SELECT amount[g] FROM unnest(good) AS g), 'payment');
    FOR one IN
        SELECT good[n] AS place, there FROM unnest(left_over) WITH ORDINALITY AS short (there, n) WHERE there IS NOT NULL
    LOOP
        outcome[one.place] := 'short'; available[one.place] := one.there;
    END LOOP;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    IF on_chain THEN
        PERFORM queue_transfers(at, valid_before, array_agg(id[g]), array_agg(asset[g]), array_agg(payer[g]),
            array_agg(from_address[g]), array_agg(to_address[g]), array_agg(amount[g]))
        FROM unnest(good) AS g;
    END IF;
    INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
    SELECT payer[g], idempotency_key[g], fingerprint[g], CASE WHEN on_chain THEN 202 ELSE 201 END, id[g], at
    FROM unnest(good) AS g;
    INSERT INTO staged_payment (id, state, rail, payer, payee, asset, amount, fee, memo, route, transfer_id, authorization_id,
        created_at, expires_at, capture)
    SELECT new.id, CASE WHEN on_chain THEN 'queued' ELSE 'held' END, rail, new.payer, new.payee, new.asset, new.amount, 0,
        new.memo, new.route::json, new.id, CASE WHEN on_chain THEN new.id END, at, expires_at, on_chain
    FROM unnest(outcome, id, payer, payee, asset, amount, memo, route)
        AS new (outcome, id, payer, payee, asset, amount, memo, route)
    WHERE new.outcome = 'done';
    PERFORM log_events(array_agg(CASE WHEN on_chain THEN 'payment.queued' ELSE 'payment.held' END), array_agg(new.payer),
        array_agg(new.payee), array_agg(new.id),
        array_agg(('{"from":"@' || new.handle || '",' || substr(new.payload, 2))::jsonb), at)
    FROM unnest(outcome, id, payer, payer_handle, payee, payload) AS new (outcome, id, payer, handle, payee, payload)
    WHERE new.outcome = 'done';
END $$;
