-- Payments on the ledger rail that settle at once. A payment is one row of `ledger_payment`, written with its entries or not at
-- all. One function takes any number of payments, of any payers and any kind of caller.

-- Callers are those of payment_parties; if `api_key_hash` is NULL, the payments have passed every check already and `wallet`
-- names their payers. `refund_of` is the payment that a refund is of. `idempotency_key` is NULL if the caller has stored the key.
-- Each argument and result is an array with one element per payment. Nothing is written for an outcome other than `done`:
--   done     settled
--   short    the payer has too little: `available` says how much; the idempotency key can be used again
--   checks   as of payment_parties, or a rule of the wallet's policy may concern the payment
--   caps     the payments of this API key in the call do not all fit its caps, as far as can be seen here
--   used     the idempotency key was used before
--   unknown  as of payment_parties. If `wallet` names the payers, nothing at all is written: the caller opens the accounts and
--            calls again
--   unauthenticated  as of payment_parties
-- Two payments with the same idempotency key must not be in one call.
--
-- Ids are UUIDv7 (RFC 9562, section 6.2, method 3) of the time of the payments (`paid_at`: `at`, or later if an account has
-- a later entry): microseconds in `rand_a`, then the payment's place in the call, then 48 random bits.
--
-- Payments of a key with caps are settled and counted only if all of them fit. Otherwise the checks decide one payment after the
-- other, and name the reason (payments/checks/caps.py). The same holds for sessions and the policies of their wallets
-- (payments_with_room). Payments of named payers bring the limits that they count against: one element of
-- `counter_...` per payment and limit.
--
-- Lock order: idempotency keys, limits, accounts, each sorted, so two calls never deadlock. If every payer seems to have enough,
-- ledger_post moves the money; if not, or if a balance has shrunk since, ledger_decide decides payment by payment.
CREATE FUNCTION settle_payments(
    at timestamptz,
    api_key_hash bytea[], session_hash bytea[], wallet uuid[], idempotency_key text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], fee numeric[], memo text[], refund_of uuid[],
    counter_place integer[], counter_scope text[], counter_id uuid[], counter_number integer[],
    day_since timestamptz, day_oldest timestamptz,       -- a day before `at`, and the beginning of its bucket
    signed_in_since timestamptz, day_first uuid, first_day timestamptz,     -- see sessions_with_room; NULL without a session
    usual_asset text[], usual_payment numeric[], usual_day numeric[], left_out text[],
    OUT outcome text[], OUT payer uuid[], OUT payer_handle text[], OUT available numeric[], OUT id uuid[],
    OUT paid_at timestamptz
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    from_account bigint[]; to_account bigint[]; fee_account bigint[]; idempotency_hash bytea[];
    start timestamptz;    -- later than every entry of the accounts, as read without locks
    enough boolean;       -- every payer has enough for all of their payments
    with_fees boolean;
    payee uuid[]; origin uuid[];          -- of keys with caps
    session uuid[]; token_made_at timestamptz[];
    with_limits boolean;  -- whether any of them is by such a key or in a session
    met integer[];        -- of these: see payments_with_room
    good integer[];       -- the payments whose money moves, in order; then, by leg:
    leg_of integer[]; leg smallint[]; debit bigint[]; credit bigint[]; units numeric[]; done boolean[];
    accounts bigint[]; written record; event bigint[];
    micros bigint; stamp text;
BEGIN
    SELECT array_agg(found.outcome ORDER BY n), array_agg(found.payer ORDER BY n),
        array_agg(found.payer_handle ORDER BY n),
        array_agg(found.from_account ORDER BY n), array_agg(found.to_account ORDER BY n),
        array_agg(found.fee_account ORDER BY n), array_agg(found.idempotency_hash ORDER BY n), array_agg(NULL::numeric),
        array_agg(found.payee ORDER BY n), array_agg(found.origin ORDER BY n),
        array_agg(found.session ORDER BY n), array_agg(found.token_made_at ORDER BY n),
        bool_or(found.origin IS NOT NULL OR found.session IS NOT NULL), bool_or(found.fee > 0),
        bool_and(found.enough) FILTER (WHERE found.outcome = 'done'),
        greatest(at, max(found.last) + interval '1 microsecond')
    INTO outcome, payer, payer_handle, from_account, to_account, fee_account, idempotency_hash, available,
        payee, origin, session, token_made_at, with_limits, with_fees, enough, start
    FROM payment_parties(api_key_hash, session_hash, wallet, idempotency_key, payee_handle, asset, amount, fee, at) AS found;

    good := array_positions(outcome, 'done');
    IF good = '{}' OR 'unknown' = ANY (outcome) AND api_key_hash IS NULL THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM unnest(idempotency_key) AS key WHERE key IS NOT NULL) THEN
        PERFORM lock_keys(array_agg(payer[g]), array_agg(idempotency_hash[g]))
        FROM unnest(good) AS g WHERE idempotency_hash[g] IS NOT NULL;
        FOR written IN
            SELECT g FROM unnest(good) AS g, LATERAL used_key(payer[g], idempotency_key[g], idempotency_hash[g])
        LOOP
            outcome[written.g] := 'used';
        END LOOP;
        good := array_positions(outcome, 'done');
        IF good = '{}' THEN
            RETURN;
        END IF;
    END IF;

    IF with_limits THEN
        PERFORM lock_limits(array_agg(origin[g]) FILTER (WHERE origin[g] IS NOT NULL), NULL,
            array_agg(payer[g]) FILTER (WHERE origin[g] IS NOT NULL OR session[g] IS NOT NULL), NULL)
        FROM unnest(good) AS g;
        -- The statements after the locks see current rows.
        SELECT * INTO outcome, counter_place, counter_scope, counter_id, counter_number, met
        FROM payments_with_room(
            'ledger', outcome, api_key_hash, origin, session, token_made_at, payer, payee, asset, amount, at, day_since,
            day_oldest, signed_in_since, day_first, first_day, usual_asset, usual_payment, usual_day, left_out);
        good := array_positions(outcome, 'done');
        IF good = '{}' THEN
            RETURN;
        END IF;
    END IF;

    IF cardinality(good) = cardinality(outcome) AND NOT with_fees THEN
        leg_of := good; leg := array_fill(1::smallint, ARRAY[cardinality(good)]);
        debit := from_account; credit := to_account; units := amount;
    ELSE
        SELECT array_agg(g ORDER BY g, n), array_agg(n ORDER BY g, n), array_agg(from_account[g] ORDER BY g, n),
            array_agg(CASE n WHEN 1 THEN to_account[g] ELSE fee_account[g] END ORDER BY g, n),
            array_agg(CASE n WHEN 1 THEN amount[g] ELSE fee[g] END ORDER BY g, n)
        INTO leg_of, leg, debit, credit, units
        FROM unnest(good) AS g, (VALUES (1::smallint), (2)) AS leg (n)
        WHERE n = 1 OR fee[g] > 0;
    END IF;

    done := array_fill(true, ARRAY[cardinality(leg)]);
    IF enough THEN
        BEGIN
            SELECT * INTO written FROM ledger_post(start, debit, credit, units, NULL);
            paid_at := written.posted_at;
        EXCEPTION WHEN check_violation THEN
            enough := false;
        END;
    END IF;
    IF NOT enough THEN
        accounts := ARRAY(SELECT DISTINCT account FROM unnest(debit || credit) AS account ORDER BY account);
        SELECT greatest(at, max(own.posted_at) + interval '1 microsecond') INTO paid_at
        FROM (SELECT posted_at FROM account WHERE account.id = ANY (accounts) ORDER BY account.id FOR NO KEY UPDATE) AS own;
        SELECT * INTO written
        FROM ledger_decide(
            paid_at, accounts, ARRAY(SELECT gen_random_uuid() FROM unnest(good)),
            array_fill(true, ARRAY[cardinality(good)]), array_fill('posted'::hold_state, ARRAY[cardinality(good)]),
            array_fill(false, ARRAY[cardinality(good)]), array_fill(''::text, ARRAY[cardinality(good)]),
            array_fill(NULL::uuid, ARRAY[cardinality(good)]),
            ARRAY(SELECT (sum((leg.n = 1)::integer) OVER (ORDER BY place))::integer
                FROM unnest(leg) WITH ORDINALITY AS leg (n, place)),
            ARRAY(SELECT width_bucket(account, accounts) FROM unnest(debit) AS account),
            ARRAY(SELECT width_bucket(account, accounts) FROM unnest(credit) AS account),
            units, array_fill(0::numeric, ARRAY[cardinality(units)])
        );
        done := written.leg_done;
        FOR i IN 1 .. cardinality(good) LOOP
            IF written.outcome[i] = 'short' THEN
                outcome[good[i]] := 'short';
                available[good[i]] := written.short_available[i];
            END IF;
        END LOOP;
        IF NOT true = ANY (done) THEN
            RETURN;
        END IF;
    END IF;

    micros := extract(epoch FROM paid_at) * 1000000;
    stamp := lpad(to_hex(micros / 1000), 12, '0');
    stamp := substr(stamp, 1, 8) || '-' || substr(stamp, 9) || '-7' || lpad(to_hex(micros % 1000 * 4), 3, '0') || '-';
    id := ARRAY(
        SELECT CASE outcome WHEN 'done' THEN (stamp || to_hex(32767 + n) || '-'
            || lpad(to_hex(floor(random() * 281474976710656)::bigint), 12, '0'))::uuid END
        FROM unnest(outcome) WITH ORDINALITY AS one (outcome, n)
    );
    PERFORM announce_events();
    event := ARRAY(SELECT CASE outcome WHEN 'done' THEN nextval('event_id_seq') END FROM unnest(outcome) AS outcome);
    INSERT INTO ledger_payment (debit_id, debit_number, credit_id, credit_number, posted_at, event, id, leg, amount,
        debit_balance, credit_balance, idempotency_hash, fingerprint, refund_of, fee, memo)
    SELECT new.debit, new.debit_number, new.credit, new.credit_number, paid_at, event[place], id[place], new.leg, new.units,
        new.debit_balance, new.credit_balance, CASE new.leg WHEN 1 THEN idempotency_hash[place] END,
        CASE new.leg WHEN 1 THEN fingerprint[place] END, refund_of[place], nullif(fee[place], 0), memo[place]
    FROM unnest(done, leg_of, leg, debit, written.debit_number, credit, written.credit_number, units,
            written.debit_balance, written.credit_balance)
        AS new (done, place, leg, debit, debit_number, credit, credit_number, units, debit_balance, credit_balance)
    WHERE new.done;
    IF counter_place <> '{}' THEN
        PERFORM count_spending(paid_at, spending_bucket(paid_at), array_agg(counter.scope), array_agg(counter.scope_id),
            array_agg(counter.number), array_agg(asset[counter.place]), array_agg(id[counter.place]),
            array_agg(amount[counter.place]))
        FROM unnest(counter_place, counter_scope, counter_id, counter_number) AS counter (place, scope, scope_id, number)
        WHERE outcome[counter.place] = 'done';
    END IF;
    IF met <> '{}' THEN
        PERFORM know_payees(at, array_agg(payer[g]), array_agg(payee[g]), NULL)
        FROM unnest(met) AS g WHERE outcome[g] = 'done';
    END IF;
END $$;
