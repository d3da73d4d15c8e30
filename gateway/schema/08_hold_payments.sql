-- Payments whose money is held first: on the ledger rail until they are captured or voided (08_end_payments.sql), on the chain
-- rail until the chain has settled them, on any until they are approved. A payment is written with its hold, idempotency key and
-- event, and with its authorization and nonce if it has one, or not at all. One function takes any number of payments on one rail,
-- of any payers and any kind of caller.

-- Callers are those of payment_parties, whose payments have no fee; if `wallet` names the payers, the payments have passed every
-- check already. `idempotency_key` is NULL if the caller stores the keys. A payment without a `payee_handle` goes to
-- an address that is nobody's. A payment and its hold share one id.
--
-- `state`, `approval`, `expires_at`, `undo_until`, `capture`, `hidden` (from the payee) and `route` are those of the payments'
-- rows; `approval` are its reasons, with spaces in between. `payload` is the event's, a JSON object without the payer.
--
-- Payments with `valid_before` (in Unix seconds) are queued for the chain as `authorization_id`, which is the payment's id if it
-- is queued when it is accepted, and another id if it has to be signed by `signed_by` first. An authorization without
-- `valid_before` has been stored by the caller. Addresses are looked up if they are NULL.
--
-- Each argument and result is an array with one element per payment. An argument is NULL if no payment has it. Nothing is written
-- for an outcome other than `done`:
--   done             held or queued
--   short            the payer has too little: `available` says how much; the idempotency key can be used again
--   used             the idempotency key was used before
--   own_key          the payer keeps the key of the address, and has to sign
--   checks           as of payment_parties, or the policy of a session's wallet may ask
--   caps             the payments of this API key in the call do not all fit its caps
--   unknown          as of payment_parties. If `wallet` names the payers, nothing at all is written: the caller opens the accounts
--                    and calls again
--   unauthenticated  as of payment_parties
-- Two payments with the same idempotency key must not be in one call.
--
-- The last arguments are those of settle_payments, and so is what is counted against limits: that of payments of named payers comes
-- with them, that of keys with caps and of sessions is found here (payments_with_room).
--
-- When a wallet gets its first passkey, what it holds on the ledger rail begins to wait for an approval
-- (wallet_has_policy). So the payers' wallets are locked between the idempotency keys and the accounts, and plain API
-- keys are read again under that lock; the checks lock wallets, too. On the chain rail wallets are not locked: binding
-- one to another address locks accounts and nonces first (custody/bind.py).
--
-- Lock order: idempotency keys, limits and wallets (lock_limits), accounts, nonces, each sorted.
CREATE FUNCTION hold_payments(
    at timestamptz, rail text,
    api_key_hash bytea[], session_hash bytea[], wallet uuid[], idempotency_key text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], fee numeric[], memo text[], refund_of uuid[], id uuid[],
    state text[], approval text[], expires_at timestamptz[], undo_until timestamptz[], capture boolean[], hidden boolean[],
    route text[], payload text[],
    authorization_id uuid[], valid_before bigint[], signed_by text[], from_address text[], to_address text[],
    counter_place integer[], counter_scope text[], counter_id uuid[], counter_number integer[],
    day_since timestamptz, day_oldest timestamptz,
    signed_in_since timestamptz, day_first uuid, first_day timestamptz,
    usual_asset text[], usual_payment numeric[], usual_day numeric[], left_out text[],
    OUT outcome text[], OUT payer uuid[], OUT payer_handle text[], OUT available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    with_addresses CONSTANT boolean := rail = 'chain' AND from_address IS NULL;
    payee uuid[]; from_account bigint[]; to_account bigint[]; fee_account bigint[]; idempotency_hash bytea[];
    enough boolean;             -- every payer has enough for all of their payments
    key_origin uuid[];          -- of keys with caps
    session uuid[]; token_made_at timestamptz[];
    with_limits boolean;        -- whether any payment is by such a key or in a session
    met integer[];              -- of these: see payments_with_room
    good integer[];             -- the payments to accept, in order
    left_over numeric[]; one record;
BEGIN
    SELECT array_agg(CASE
            WHEN found.outcome IN ('done', 'unknown') AND giver.custody <> 'gateway' THEN 'own_key'
            ELSE found.outcome END ORDER BY n),
        array_agg(found.payer ORDER BY n), array_agg(found.payer_handle ORDER BY n), array_agg(found.payee ORDER BY n),
        array_agg(found.from_account ORDER BY n), array_agg(found.to_account ORDER BY n),
        array_agg(found.fee_account ORDER BY n), array_agg(found.idempotency_hash ORDER BY n),
        CASE WHEN with_addresses THEN array_agg(giver.address ORDER BY n) ELSE from_address END,
        CASE WHEN with_addresses THEN array_agg(taker.address ORDER BY n) ELSE to_address END,
        array_agg(NULL::numeric), bool_and(found.enough) FILTER (WHERE found.outcome = 'done'),
        array_agg(found.origin ORDER BY n), array_agg(found.session ORDER BY n), array_agg(found.token_made_at ORDER BY n),
        bool_or(found.origin IS NOT NULL OR found.session IS NOT NULL)
    INTO outcome, payer, payer_handle, payee, from_account, to_account, fee_account, idempotency_hash, from_address, to_address,
        available, enough, key_origin, session, token_made_at, with_limits
    FROM payment_parties(api_key_hash, session_hash, wallet, idempotency_key, payee_handle, asset, amount, fee, at) AS found
    LEFT JOIN wallet AS giver ON giver.id = CASE WHEN with_addresses THEN found.payer END
    LEFT JOIN wallet AS taker ON taker.id = CASE WHEN with_addresses THEN found.payee END;
    good := array_positions(outcome, 'done');
    IF good = '{}' OR 'unknown' = ANY (outcome) AND wallet IS NOT NULL THEN
        RETURN;
    END IF;
    IF idempotency_key IS NOT NULL THEN
        PERFORM lock_keys(array_agg(payer[g]), array_agg(idempotency_hash[g])) FROM unnest(good) AS g;
        FOR one IN SELECT g FROM unnest(good) AS g, LATERAL used_key(payer[g], idempotency_key[g], idempotency_hash[g]) LOOP
            outcome[one.g] := 'used';
        END LOOP;
    END IF;
    IF wallet IS NULL AND (rail <> 'chain' OR with_limits) THEN
        PERFORM lock_limits(array_agg(key_origin[g]) FILTER (WHERE key_origin[g] IS NOT NULL),
            CASE WHEN rail <> 'chain' THEN array_agg(payer[g]) END,
            array_agg(payer[g]) FILTER (WHERE key_origin[g] IS NOT NULL OR session[g] IS NOT NULL), NULL)
        FROM unnest(array_positions(outcome, 'done')) AS g;
        IF rail <> 'chain' THEN
            FOR one IN
                SELECT g FROM unnest(good) AS g JOIN api_key AS key ON key.hash = api_key_hash[g]
                WHERE key_origin[g] IS NULL AND (NOT key.plain OR key.revoked_at IS NOT NULL)
            LOOP
                outcome[one.g] := 'checks';
            END LOOP;
        END IF;
        IF with_limits THEN
            SELECT * INTO outcome, counter_place, counter_scope, counter_id, counter_number, met
            FROM payments_with_room(
                rail, outcome, api_key_hash, key_origin, session, token_made_at, payer, payee, asset, amount, at, day_since,
                day_oldest, signed_in_since, day_first, first_day, usual_asset, usual_payment, usual_day, left_out);
        END IF;
    END IF;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    SELECT ledger_hold_each(at, enough, array_agg(id[g] ORDER BY g, n), array_agg(n ORDER BY g, n),
        array_agg(from_account[g] ORDER BY g, n),
        array_agg(CASE n WHEN 1 THEN to_account[g] ELSE fee_account[g] END ORDER BY g, n),
        array_agg(CASE n WHEN 1 THEN amount[g] ELSE fee[g] END ORDER BY g, n),
        array_agg(CASE WHEN refund_of[g] IS NULL THEN 'payment' ELSE 'refund' END ORDER BY g, n))
    INTO left_over
    FROM unnest(good) AS g, (VALUES (1::smallint), (2::smallint)) AS leg (n)
    WHERE n = 1 OR fee[g] > 0;
    FOR one IN
        SELECT good[n] AS place, there FROM unnest(left_over) WITH ORDINALITY AS short (there, n) WHERE there IS NOT NULL
    LOOP
        outcome[one.place] := 'short'; available[one.place] := one.there;
    END LOOP;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    IF valid_before IS NOT NULL THEN
        PERFORM queue_authorizations(at, array_agg(authorization_id[g]), NULL, array_agg(asset[g]), array_agg(from_address[g]),
            array_agg(to_address[g]), array_agg(amount[g]), NULL, array_agg(valid_before[g]), array_agg(signed_by[g]))
        FROM unnest(good) AS g WHERE valid_before[g] IS NOT NULL;
    END IF;
    IF idempotency_key IS NOT NULL THEN
        INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
        SELECT payer[g], idempotency_key[g], fingerprint[g], CASE rail WHEN 'chain' THEN 202 ELSE 201 END, id[g], at
        FROM unnest(good) AS g;
    END IF;
    INSERT INTO staged_payment (id, state, rail, payer, payee, payee_address, asset, amount, fee, memo, route, transfer_id,
        authorization_id, refund_of, created_at, expires_at, approval, capture, undo_until, hidden_from_payee)
    SELECT new.id, new.state, rail, new.payer, new.payee, CASE WHEN new.payee IS NULL THEN new.address END, new.asset,
        new.amount, coalesce(new.fee, 0), new.memo, new.route::json, new.id, new.authorization_id, new.refund_of, at,
        new.expires_at, string_to_array(new.approval, ' '), new.capture, new.undo_until, coalesce(new.hidden, false)
    FROM unnest(outcome, id, state, payer, payee, to_address, asset, amount, fee, memo, route, authorization_id, refund_of,
            expires_at, approval, capture, undo_until, hidden)
        AS new (outcome, id, state, payer, payee, address, asset, amount, fee, memo, route, authorization_id, refund_of,
            expires_at, approval, capture, undo_until, hidden)
    WHERE new.outcome = 'done';
    PERFORM log_events(array_agg('payment.' || new.state), array_agg(new.payer),
        array_agg(CASE WHEN new.hidden THEN NULL ELSE new.payee END), array_agg(new.id),
        array_agg(('{"from":"@' || new.handle || '",' || substr(new.payload, 2))::jsonb), at)
    FROM unnest(outcome, id, state, payer, payer_handle, payee, payload, hidden)
        AS new (outcome, id, state, payer, handle, payee, payload, hidden)
    WHERE new.outcome = 'done';
    IF counter_place <> '{}' THEN
        PERFORM count_spending(at, spending_bucket(at), array_agg(counter.scope), array_agg(counter.scope_id),
            array_agg(counter.number), array_agg(asset[counter.place]), array_agg(id[counter.place]),
            array_agg(amount[counter.place]))
        FROM unnest(counter_place, counter_scope, counter_id, counter_number) AS counter (place, scope, scope_id, number)
        WHERE outcome[counter.place] = 'done';
    END IF;
    IF met <> '{}' THEN
        PERFORM know_payees(at, array_agg(payer[g]), array_agg(payee[g]), NULL) FROM unnest(met) AS g WHERE outcome[g] = 'done';
    END IF;
END $$;
