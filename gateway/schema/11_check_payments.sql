-- The locks and reads of the checks of payments (payments/checks/), in one statement each, and the payments that pass
-- all checks: those with room under their caps (caps_with_room) and those of sessions whose policy needs no approval
-- (sessions_with_room).

-- Which of these payments are within their caps: all payments of an origin's keys if the caps cover each
-- of them and allow their sum; otherwise none of them. The caller has called lock_limits.
-- Returns the places of those that have room, and what each counts against: the day caps that cover it, and the day of a
-- guarded wallet's policy, by which keys with caps need no approval.
CREATE FUNCTION caps_with_room(
    rail text, asked_place integer[], key_hash bytea[], origin uuid[], payer uuid[], payee uuid[], asset text[],
    amount numeric[], since timestamptz, oldest timestamptz,
    OUT room integer[], OUT place integer[], OUT scope text[], OUT scope_id uuid[], OUT number integer[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    WITH fits AS MATERIALIZED (
        SELECT cap.number, cap.has_day, cap.origin, cap.places, bool_and(cap.fits) OVER (PARTITION BY cap.origin) AS all_fit
        FROM (
            SELECT covered.origin, covered.number, covered.places, covered.day IS NOT NULL AS has_day,
                covered.each_fits AND (covered.day IS NULL OR covered.day >= covered.asked + (
                    SELECT coalesce(sum(counts.amount), 0)
                    FROM spent_since('cap', covered.origin, covered.number, covered.asset, since, oldest) AS counts
                )) AS fits
            FROM (
                SELECT asked.origin, cap.number, asked.asset, cap.day::numeric AS day, sum(asked.amount) AS asked,
                    array_agg(asked.place) AS places,
                    bool_and(key.only_caps AND key.revoked_at IS NULL AND cap.number IS NOT NULL
                        AND (cap.payment IS NULL OR asked.amount <= cap.payment)) AS each_fits
                FROM unnest(asked_place, key_hash, origin, payee, asset, amount)
                    AS asked (place, key_hash, origin, payee, asset, amount)
                JOIN api_key AS key ON key.hash = asked.key_hash
                LEFT JOIN api_key_cap AS cap ON cap.origin = asked.origin AND cap.asset = asked.asset
                    AND (cap.rail IS NULL OR cap.rail = caps_with_room.rail) AND (cap.payee IS NULL OR cap.payee = asked.payee)
                GROUP BY asked.origin, cap.number, asked.asset, cap.day
            ) AS covered
        ) AS cap
    ), counters AS MATERIALIZED (
        SELECT of_cap.place, fits.origin, fits.number, fits.has_day
        FROM fits, unnest(fits.places) AS of_cap (place) WHERE fits.all_fit
    )
    SELECT ARRAY(SELECT DISTINCT place FROM counters), array_agg(counts.place), array_agg(counts.scope),
        array_agg(counts.id), array_agg(counts.number)
    INTO room, place, scope, scope_id, number
    FROM (
        SELECT place, 'cap' AS scope, origin AS id, number FROM counters WHERE has_day
        UNION ALL
        SELECT asked.place, 'policy', asked.payer, 0
        FROM unnest(asked_place, payer) AS asked (place, payer) JOIN policy ON policy.wallet_id = asked.payer
    ) AS counts;
END $$;

-- Wallets that pay: whether they are frozen, and the policies of those that have one.
CREATE FUNCTION payers(wallets uuid[])
RETURNS TABLE (id uuid, handle text, frozen_at timestamptz, guarded boolean, approve_new_payee boolean, approve_address boolean,
    changed_payee_days smallint, new_device_hours smallint, undo_seconds smallint, limit_assets text[], limit_payments numeric[],
    limit_days numeric[], trusted_payees uuid[], trusted_addresses text[]) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT wallet.id, wallet.handle, wallet.frozen_at, policy.wallet_id IS NOT NULL, policy.approve_new_payee,
        policy.approve_address, policy.changed_payee_days, policy.new_device_hours, policy.undo_seconds,
        own.assets, own.payments, own.days,
        trusted.payees, trusted.addresses
    FROM unnest(wallets) AS asked (id)
    JOIN wallet ON wallet.id = asked.id
    LEFT JOIN policy ON policy.wallet_id = wallet.id
    LEFT JOIN LATERAL (
        SELECT array_agg(one.asset) AS assets, array_agg(one.payment::numeric) AS payments,
            array_agg(one.day::numeric) AS days
        FROM policy_limit AS one WHERE one.wallet_id = policy.wallet_id
    ) AS own ON policy.wallet_id IS NOT NULL
    LEFT JOIN LATERAL (
        SELECT array_agg(one.payee) AS payees, array_agg(one.address) AS addresses
        FROM trusted_payee AS one WHERE one.wallet_id = policy.wallet_id
    ) AS trusted ON policy.wallet_id IS NOT NULL;
END $$;

-- Locks the rows that payments are decided by until the transaction ends. The order is the same everywhere, and by id within
-- a kind: API keys, so that payments of one key are decided one at a time; wallets, so that none gets its first passkey
-- meanwhile; policies, so that the room of a day is not used twice; mandates; requests. Statements after it see what was
-- committed during the wait. Its plans are made with the settings of the functions that call it.
CREATE FUNCTION lock_limits(
    api_keys uuid[], wallets uuid[], policies uuid[], mandates uuid[], requests uuid[] DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(api_keys) > 0 THEN
        PERFORM FROM api_key AS key WHERE key.id = ANY (api_keys) ORDER BY key.id FOR NO KEY UPDATE;
    END IF;
    IF cardinality(wallets) > 0 THEN
        PERFORM FROM wallet WHERE wallet.id = ANY (wallets) ORDER BY wallet.id FOR SHARE;
    END IF;
    IF cardinality(policies) > 0 THEN
        PERFORM FROM policy WHERE policy.wallet_id = ANY (policies) ORDER BY policy.wallet_id FOR NO KEY UPDATE;
    END IF;
    IF cardinality(mandates) > 0 THEN
        PERFORM FROM mandate WHERE mandate.id = ANY (mandates) ORDER BY mandate.id FOR NO KEY UPDATE;
    END IF;
    IF cardinality(requests) > 0 THEN
        PERFORM FROM payment_request AS asked WHERE asked.id = ANY (requests) ORDER BY asked.id FOR NO KEY UPDATE;
    END IF;
END $$;

-- The same, and the payers as they are then.
CREATE FUNCTION locked_payers(
    payers uuid[], api_keys uuid[], wallets uuid[], policies uuid[], mandates uuid[], requests uuid[] DEFAULT NULL
) RETURNS TABLE (id uuid, handle text, frozen_at timestamptz, guarded boolean, approve_new_payee boolean, approve_address boolean,
    changed_payee_days smallint, new_device_hours smallint, undo_seconds smallint, limit_assets text[], limit_payments numeric[],
    limit_days numeric[], trusted_payees uuid[], trusted_addresses text[]) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    PERFORM lock_limits(api_keys, wallets, policies, mandates, requests);
    RETURN QUERY SELECT * FROM payers(payers);  -- a statement of its own: it sees what was committed during the wait
END $$;

-- The keys, policies and mandates that payments count against, for locked_payers.
CREATE FUNCTION limits_of(payments uuid[], OUT api_keys uuid[], OUT policies uuid[], OUT mandates uuid[]) LANGUAGE plpgsql
    STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    SELECT array_agg(scope_id) FILTER (WHERE scope = 'cap'), array_agg(scope_id) FILTER (WHERE scope = 'policy'),
        array_agg(scope_id) FILTER (WHERE scope = 'mandate')
    INTO api_keys, policies, mandates
    FROM counted_payment AS counted
    WHERE counted.scope = ANY ('{cap,policy,mandate}') AND counted.payment_id = ANY (payments);
END $$;

-- The sum of what a wallet has paid without approval, from an id on.
CREATE FUNCTION paid_since(payer uuid, asset text, first uuid) RETURNS numeric LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (SELECT coalesce(sum(payment.amount), 0) FROM staged_payment AS payment
            WHERE payment.payer = paid_since.payer AND payment.id >= first AND payment.asset = paid_since.asset
                AND payment.approval IS NULL AND payment.refund_of IS NULL
                AND payment.state NOT IN ('failed', 'voided', 'expired', 'declined'))
        + (SELECT coalesce(sum(paid.amount), 0)
            FROM account AS own, LATERAL (
                SELECT amount FROM ledger_payment
                WHERE debit_id = own.id AND debit_number > last_payment(own.id, first, NULL) AND leg = 1
                    AND refund_of IS NULL
            ) AS paid
            WHERE own.owner = payer AND own.asset = paid_since.asset)
        + (SELECT coalesce(sum(paid_out.amount), 0) FROM bank_movement AS paid_out
            WHERE paid_out.wallet_id = payer AND paid_out.id >= first AND paid_out.asset = paid_since.asset
                AND paid_out.direction = 'withdrawal');
END $$;

-- The input of a guarded wallet's policy for a payment, besides the rows of the payee's wallet and of the payer's
-- session: whether the payee was paid before (null if it does not matter), and the payer's spending of the day. If the
-- wallet became guarded after `first_day`, its payments from the id `first` on are added up instead, since those before
-- it was guarded are not in `spending` (payments/checks/spending.py). PostgreSQL inlines this function, as it does
-- spent_since.
CREATE FUNCTION policy_input(
    payer uuid, payee uuid, address text, asset text, ask_known boolean, guarded_since timestamptz,
    first uuid, first_day timestamptz, since timestamptz, oldest timestamptz
) RETURNS TABLE (known boolean, spent numeric) LANGUAGE sql STABLE AS $$
    SELECT
        CASE WHEN policy_input.ask_known THEN EXISTS (
            SELECT FROM known_payee AS known
            WHERE known.wallet_id = policy_input.payer AND known.payee = policy_input.payee
            UNION ALL
            SELECT FROM known_payee AS known
            WHERE known.wallet_id = policy_input.payer AND known.payee IS NULL AND known.address = policy_input.address
        ) END,
        CASE WHEN policy_input.guarded_since > policy_input.first_day
            THEN paid_since(policy_input.payer, policy_input.asset, policy_input.first)
            ELSE (SELECT coalesce(sum(counts.amount), 0)
                FROM spent_since('policy', policy_input.payer, 0, policy_input.asset, policy_input.since, policy_input.oldest)
                    AS counts) END
$$;

-- The same of many payments, in order, with when the payee's wallet may have been taken over, and since when the payer's device
-- is there.
CREATE FUNCTION policy_inputs(
    payers uuid[], payees uuid[], addresses text[], assets text[], sessions uuid[], first uuid, first_day timestamptz,
    since timestamptz, oldest timestamptz
) RETURNS TABLE (known boolean, changed_at timestamptz, device_since timestamptz, spent numeric) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT input.known, paid.changed_at, session.device_since, input.spent
    FROM unnest(payers, payees, addresses, assets, sessions) WITH ORDINALITY
        AS asked (payer, payee, address, asset, session, place)
    JOIN policy ON policy.wallet_id = asked.payer
    LEFT JOIN wallet AS paid ON paid.id = asked.payee
    LEFT JOIN session ON session.id = asked.session,
    LATERAL policy_input(asked.payer, asked.payee, asked.address, asked.asset, true, policy.since, policy_inputs.first,
        policy_inputs.first_day, policy_inputs.since, oldest) AS input
    ORDER BY asked.place;
END $$;

-- Which of these payments made in sessions need no further check: the session may pay (identity/sign_in/session.py),
-- the wallet is not frozen, and no approval is needed (`decide` in payments/checks/policy.py). If in doubt it leaves a payment
-- to the checks: it does not look at trusted payees, either all payments of one payer fit into the day or none, and on the chain
-- rail, where payments are not final at once, nothing goes that may be undone. The caller has locked the policies. Arrays are those
-- of settle_payments; payments whose outcome is not `done`, or that have no session, are
-- passed over. Each row is read once: the session, the policy (which is frozen with its wallet; where there is none, the wallet),
-- the payee's wallet, and what was spent.
--
-- Returns the places of those that pass; of these, those that count against the day of a policy; and of these, those whose
-- payee may become known. A session pays only if it began after `signed_in_since`. `usual_...` are the limits where the owner
-- has set none; payments of wallets in `left_out` are left to the checks.
CREATE FUNCTION sessions_with_room(
    rail text, outcome text[], session uuid[], token_made_at timestamptz[], payer uuid[], payee uuid[], asset text[],
    amount numeric[], at timestamptz, signed_in_since timestamptz, first uuid, first_day timestamptz, since timestamptz, oldest timestamptz,
    usual_asset text[], usual_payment numeric[], usual_day numeric[], left_out text[],
    OUT room integer[], OUT counted integer[], OUT met integer[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    SELECT coalesce(array_agg(fits.place), '{}'), coalesce(array_agg(fits.place) FILTER (WHERE fits.guarded), '{}'),
        coalesce(array_agg(fits.place) FILTER (WHERE fits.guarded AND fits.known IS NOT TRUE), '{}')
    INTO room, counted, met
    FROM (
        SELECT asked.place::integer AS place, policy.wallet_id IS NOT NULL AS guarded, input.known, input.spent,
            coalesce(own.day, usual.day) AS day, sum(asked.amount) OVER (PARTITION BY asked.payer, asked.asset) AS together
        FROM unnest(outcome, session, token_made_at, payer, payee, asset, amount) WITH ORDINALITY
            AS asked (outcome, session, token_made_at, payer, payee, asset, amount, place)
        JOIN session ON session.id = asked.session
        LEFT JOIN policy ON policy.wallet_id = asked.payer
        LEFT JOIN wallet AS unguarded ON unguarded.id = CASE WHEN policy.wallet_id IS NULL THEN asked.payer END
        LEFT JOIN policy_limit AS own ON own.wallet_id = policy.wallet_id AND own.asset = asked.asset
        LEFT JOIN unnest(usual_asset, usual_payment, usual_day) AS usual (asset, payment, day) ON usual.asset = asked.asset
        LEFT JOIN wallet AS paid ON paid.id = CASE WHEN policy.wallet_id IS NOT NULL THEN asked.payee END
        LEFT JOIN LATERAL policy_input(asked.payer, asked.payee, NULL, asked.asset, policy.approve_new_payee, policy.since,
            sessions_with_room.first, sessions_with_room.first_day, sessions_with_room.since, oldest)
            AS input ON policy.wallet_id IS NOT NULL
        WHERE asked.outcome = 'done'
            AND session.ended_at IS NULL AND session.expires_at > at AND session.created_at > signed_in_since
            AND session.created_at <= asked.token_made_at AND session.sign_in_method IN ('passkey', 'ethereum')
            AND NOT coalesce(policy.frozen, unguarded.frozen_at IS NOT NULL)
            AND (asked.payer::text = ANY (left_out)) IS NOT TRUE
            AND (policy.wallet_id IS NULL
                OR asked.amount <= coalesce(own.payment, usual.payment)
                AND (input.known OR NOT policy.approve_new_payee)
                AND (paid.changed_at IS NULL OR paid.changed_at <= at - policy.changed_payee_days * interval '24 hours')
                AND session.device_since <= at - policy.new_device_hours * interval '1 hour'
                AND (rail <> 'chain' OR policy.undo_seconds = 0))
    ) AS fits
    WHERE NOT fits.guarded OR fits.spent + fits.together <= fits.day;
END $$;

-- Checks for settle_payments and hold_payments the payments by keys with caps (`origin`) and in sessions whose outcome
-- is `done`. If one does not fit, its outcome becomes `caps` or `checks`. The caller has called lock_limits. Returns
-- the outcomes; what those that fit count against, an element of `counter_...` per payment and limit; and the places of
-- those whose payee may become known.
CREATE FUNCTION payments_with_room(
    rail text, INOUT outcome text[], api_key_hash bytea[], origin uuid[], session uuid[], token_made_at timestamptz[], payer uuid[],
    payee uuid[], asset text[], amount numeric[], at timestamptz, day_since timestamptz, day_oldest timestamptz,
    signed_in_since timestamptz, day_first uuid, first_day timestamptz,
    usual_asset text[], usual_payment numeric[], usual_day numeric[], left_out text[],
    OUT counter_place integer[], OUT counter_scope text[], OUT counter_id uuid[], OUT counter_number integer[], OUT met integer[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    capped integer[]; signed_in integer[];      -- the payments by such keys, and those in sessions
    fitting integer[]; counted integer[]; one record;
BEGIN
    SELECT coalesce(array_agg(g) FILTER (WHERE origin[g] IS NOT NULL), '{}'),
        coalesce(array_agg(g) FILTER (WHERE session[g] IS NOT NULL), '{}')
    INTO capped, signed_in
    FROM unnest(array_positions(outcome, 'done')) AS g;
    IF capped <> '{}' THEN
        SELECT * INTO fitting, counter_place, counter_scope, counter_id, counter_number
        FROM caps_with_room(
            rail, capped,
            ARRAY(SELECT api_key_hash[g] FROM unnest(capped) AS g), ARRAY(SELECT origin[g] FROM unnest(capped) AS g),
            ARRAY(SELECT payer[g] FROM unnest(capped) AS g), ARRAY(SELECT payee[g] FROM unnest(capped) AS g),
            ARRAY(SELECT asset[g] FROM unnest(capped) AS g), ARRAY(SELECT amount[g] FROM unnest(capped) AS g),
            day_since, day_oldest);
        FOR one IN SELECT g FROM unnest(capped) AS g WHERE NOT g = ANY (fitting) LOOP
            outcome[one.g] := 'caps';
        END LOOP;
    END IF;
    IF signed_in <> '{}' THEN
        SELECT * INTO fitting, counted, met
        FROM sessions_with_room(
            rail, outcome, session, token_made_at, payer, payee, asset, amount, at, signed_in_since,
            day_first, first_day, day_since, day_oldest, usual_asset, usual_payment, usual_day, left_out);
        IF cardinality(fitting) < cardinality(signed_in) THEN
            FOR one IN SELECT g FROM unnest(signed_in) AS g WHERE NOT g = ANY (fitting) LOOP
                outcome[one.g] := 'checks';
            END LOOP;
        END IF;
        counter_place := counter_place || counted;
        counter_scope := counter_scope || array_fill('policy'::text, ARRAY[cardinality(counted)]);
        counter_id := counter_id || ARRAY(SELECT payer[g] FROM unnest(counted) AS g);
        counter_number := counter_number || array_fill(0, ARRAY[cardinality(counted)]);
    END IF;
END $$;
