-- Accept payments of plain API keys on the ledger rail: each with its row, its money, its idempotency key and its
-- event, or none of them. Functions with arrays take and return an element per request. Plans are kept as for
-- book_write.

-- Payments of any payers. A request has the SHA-256 of an API key, its idempotency key and fingerprint, its payee,
-- and a fresh id, which is that of the payment and of its transfer. Outcomes:
--   done             settled
--   short            with what the payer had available
--   unauthenticated  no such API key
--   elsewhere        not handled here: a key used before, a key that is not plain, an unknown payee, the payer as
--                    payee, an account that is not open yet. Nothing was written; the general path decides and says why.
-- Two requests with one idempotency key must not be in one call. Keys are claimed before accounts are locked, and in
-- their order, so that no two calls deadlock; where another transaction is using one of the keys at this moment, the
-- call waits for it, and that request is not handled here.
--
-- A fee is rounded down, so that no payment costs more than its rate says: 1% of 0.01 is nothing.
CREATE FUNCTION pay_in_ledger(
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
            AND (payer.expires_at IS NULL OR payer.expires_at > at)
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
        array_fill('posted'::hold_state, ARRAY[cardinality(good)]),
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

-- One payment without a fee: the same rows and outcomes as pay_in_ledger, and locks in the same order
-- (the key, then the accounts by id), for two thirds of the work. Every statement is of a row or two by key.
--
-- Both accounts are wallets', which grow by credits and are guarded: only the payer's can be left short. The CHECKs of
-- `account` are read again by each statement, so both are changed by one.
CREATE FUNCTION pay_one_in_ledger(
    at timestamptz, api_key_hash bytea, idempotency text, fingerprint bytea,
    payee_handle text, asset text, amount numeric, memo text, id uuid, facts text,
    OUT outcome text, OUT payer_handle text, OUT available numeric
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_variable
DECLARE
    payer uuid; payee uuid; from_account bigint; to_account bigint; last_posted_at timestamptz;
BEGIN
    SELECT key.wallet_id, split_part(own.code, ':', 2), own.id, other.owner, other.id
    INTO payer, payer_handle, from_account, payee, to_account
    FROM api_key AS key
    LEFT JOIN account AS own ON own.owner = key.wallet_id AND key.plain AND own.asset = pay_one_in_ledger.asset
    LEFT JOIN account AS other ON other.code = 'wallet:' || payee_handle || ':' || pay_one_in_ledger.asset
    WHERE key.hash = api_key_hash AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > at);
    IF payer IS NULL THEN
        outcome := 'unauthenticated';
        RETURN;
    END IF;
    outcome := 'elsewhere';
    IF from_account IS NULL OR payee IS NULL OR payee = payer THEN
        RETURN;
    END IF;

    INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
    VALUES (payer, idempotency, fingerprint, 201, id, at)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    SELECT max(locked.available), max(locked.posted_at) INTO available, last_posted_at
    FROM (
        SELECT CASE account.id WHEN from_account THEN credits_posted - debits_posted - debits_pending END AS available,
            posted_at
        FROM account WHERE account.id IN (from_account, to_account)
        ORDER BY account.id FOR NO KEY UPDATE
    ) AS locked;
    IF available < amount THEN
        DELETE FROM idempotency_key WHERE wallet_id = payer AND key = idempotency;  -- it may be asked again
        outcome := 'short';
        RETURN;
    END IF;
    available := NULL;

    WITH side AS (
        UPDATE account SET
            debits_posted = debits_posted + gives, credits_posted = credits_posted + gets, entries = entries + 1,
            posted_at = greatest(at, last_posted_at),
            shortfall = least(shortfall, greatest(0, debits_pending - credits_posted + debits_posted + gives - gets))
        FROM (VALUES (from_account, amount, 0), (to_account, 0, amount)) AS part (account_id, gives, gets)
        WHERE account.id = account_id
        RETURNING account_id, entries, credits_posted - debits_posted AS balance, posted_at
    )
    INSERT INTO transfer (debit_id, debit_number, credit_id, credit_number, posted_at, id, leg, amount, debit_balance,
        credit_balance, purpose)
    SELECT debit.account_id, debit.entries, credit.account_id, credit.entries, debit.posted_at, id, 1, amount,
        debit.balance, credit.balance, 'payment'
    FROM side AS debit, side AS credit
    WHERE debit.account_id = from_account AND credit.account_id = to_account;
    INSERT INTO payment (id, state, rail, payer, payee, asset, amount, fee, captured, memo, transfer_id, created_at,
        settled_at)
    VALUES (id, 'settled', 'ledger', payer, payee, asset, amount, 0, amount, memo, id, at, at);

    -- As events/log.sql announces.
    PERFORM pg_advisory_xact_lock_shared((1::bigint << 62) + CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM event_id_seq;
    INSERT INTO event (kind, wallet_id, other_id, subject, facts, at)
    VALUES ('payment.settled', payer, payee, id, ('{"from":"@' || payer_handle || '",' || substr(facts, 2))::jsonb, at);
    outcome := 'done';
END $$;

-- Many payments of one payer without fees who has enough for all of them: then no payment depends on another, and
-- balances and entry numbers follow from sums. The same rows as pay_in_ledger, and locks in the same order; accounts
-- are locked as late as possible, because others who pay the same payees wait from then on.
--
-- `elsewhere` has the places, from 1, of the requests that are not handled here; nothing was written for them. `short`:
-- the payer has not enough for all of them, or the API key is unknown; nothing was written at all, and pay_in_ledger
-- says which can be paid.
CREATE FUNCTION pay_many_in_ledger(
    at timestamptz, api_key_hash bytea,
    idempotency text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], memo text[], id uuid[],
    facts text[],   -- of the payment's event, as a JSON object; who paid is added
    OUT elsewhere integer[], OUT short boolean, OUT payer_handle text
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_variable
DECLARE
    payer uuid; payee uuid[]; from_account bigint[]; to_account bigint[];
    claimed uuid[];
    nothing numeric[];
    entries bigint[]; balance numeric[];   -- of each account used, by id, as they were before
    since timestamptz;                     -- no account's time goes back, though a clock may
BEGIN
    short := true;
    SELECT key.wallet_id, wallet.handle INTO payer, payer_handle
    FROM api_key AS key JOIN wallet ON wallet.id = key.wallet_id
    WHERE key.hash = api_key_hash AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > at)
        AND key.plain;
    IF payer IS NULL THEN
        RETURN;
    END IF;

    SELECT array_agg(own.id ORDER BY asked.n), array_agg(other.id ORDER BY asked.n),
        array_agg(other.owner ORDER BY asked.n),
        array_agg(asked.n ORDER BY asked.n) FILTER (WHERE own.id IS NULL OR other.owner IS NULL OR other.owner = payer)
    INTO from_account, to_account, payee, elsewhere
    FROM unnest(payee_handle, asset) WITH ORDINALITY AS asked (payee_handle, asset, n)
    LEFT JOIN account AS own ON own.owner = payer AND own.asset = asked.asset
    LEFT JOIN account AS other ON other.code = 'wallet:' || asked.payee_handle || ':' || asked.asset;

    WITH fresh AS (
        INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
        SELECT payer, asked.key, asked.fingerprint, 201, asked.id, at
        FROM unnest(idempotency, fingerprint, id) WITH ORDINALITY AS asked (key, fingerprint, id, n)
        WHERE elsewhere IS NULL OR asked.n <> ALL (elsewhere)
        ORDER BY asked.key
        ON CONFLICT DO NOTHING
        RETURNING payment_id
    )
    SELECT array_agg(fresh.payment_id) INTO claimed FROM fresh;
    IF coalesce(cardinality(claimed), 0) < cardinality(id) THEN   -- go on with what is new alone
        SELECT array_agg(asked.n ORDER BY asked.n) INTO elsewhere
        FROM unnest(id) WITH ORDINALITY AS asked (id, n)
        WHERE claimed IS NULL OR asked.id <> ALL (claimed);
        SELECT array_agg(asked.from_account ORDER BY n), array_agg(asked.to_account ORDER BY n),
            array_agg(asked.payee ORDER BY n), array_agg(asked.asset ORDER BY n), array_agg(asked.amount ORDER BY n),
            array_agg(asked.memo ORDER BY n), array_agg(asked.id ORDER BY n), array_agg(asked.facts ORDER BY n)
        INTO from_account, to_account, payee, asset, amount, memo, id, facts
        FROM unnest(from_account, to_account, payee, asset, amount, memo, id, facts) WITH ORDINALITY
            AS asked (from_account, to_account, payee, asset, amount, memo, id, facts, n)
        WHERE asked.n <> ALL (elsewhere);
    END IF;
    short := false;
    IF claimed IS NULL THEN
        RETURN;
    END IF;

    INSERT INTO payment (id, state, rail, payer, payee, asset, amount, fee, captured, memo, transfer_id, created_at,
        settled_at)
    SELECT asked.id, 'settled', 'ledger', payer, asked.payee, asked.asset, asked.amount, 0, asked.amount, asked.memo,
        asked.id, at, at
    FROM unnest(id, payee, asset, amount, memo) AS asked (id, payee, asset, amount, memo);

    -- As events/log.sql announces.
    PERFORM pg_advisory_xact_lock_shared((1::bigint << 62) + CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM event_id_seq;
    INSERT INTO event (kind, wallet_id, other_id, subject, facts, at)
    SELECT 'payment.settled', payer, asked.payee, asked.id,
        ('{"from":"@' || payer_handle || '",' || substr(asked.facts, 2))::jsonb, at
    FROM unnest(payee, id, facts) WITH ORDINALITY AS asked (payee, id, facts, n)
    ORDER BY asked.n;

    SELECT greatest(at, max(locked.posted_at)) INTO since
    FROM (
        SELECT posted_at FROM account
        WHERE account.id = ANY (ARRAY(SELECT unnest(from_account) UNION SELECT unnest(to_account)))
        ORDER BY account.id FOR NO KEY UPDATE
    ) AS locked;
    PERFORM FROM (
        SELECT asked.account, sum(asked.amount) AS amount FROM unnest(from_account, amount) AS asked (account, amount)
        GROUP BY asked.account
    ) AS asked
    JOIN account AS own ON own.id = asked.account
    WHERE own.credits_posted - own.debits_posted - own.debits_pending < asked.amount;
    IF FOUND THEN
        RAISE EXCEPTION 'not enough for all' USING ERRCODE = 'GWS01';
    END IF;
    nothing := array_fill(0::numeric, ARRAY[cardinality(amount)]);
    WITH changed AS (
        UPDATE account SET
            debits_posted = debits_posted + part.gives, credits_posted = credits_posted + part.gets,
            entries = account.entries + part.more, posted_at = since,
            shortfall = least(shortfall,
                greatest(0, debits_pending - credits_posted + debits_posted + part.gives - part.gets))
        FROM (
            SELECT half.account, sum(half.gives) AS gives, sum(half.gets) AS gets, count(*) AS more
            FROM unnest(from_account || to_account, amount || nothing, nothing || amount) AS half (account, gives, gets)
            GROUP BY half.account
        ) AS part
        WHERE account.id = part.account
        RETURNING account.id, account.entries - part.more AS entries,
            credits_posted - debits_posted - part.gets + part.gives AS balance
    )
    SELECT array_agg(changed.entries ORDER BY changed.id), array_agg(changed.balance ORDER BY changed.id)
    INTO entries, balance
    FROM changed;

    -- An account's entries are in the order in which its payments were asked for. `place` is that of the account.
    WITH half AS MATERIALIZED (
        SELECT half.n, half.side, half.account, entries[half.place] + half.rank AS number,
            balance[half.place] + half.sum AS balance
        FROM (
            SELECT half.n, half.side, half.account,
                dense_rank() OVER (ORDER BY half.account)::integer AS place,
                row_number() OVER (PARTITION BY half.account ORDER BY half.n) AS rank,
                sum(CASE half.side WHEN 'credit' THEN half.amount ELSE -half.amount END)
                    OVER (PARTITION BY half.account ORDER BY half.n) AS sum
            FROM (
                SELECT asked.n, 'debit'::side AS side, asked.account, asked.amount
                FROM unnest(from_account, amount) WITH ORDINALITY AS asked (account, amount, n)
                UNION ALL
                SELECT asked.n, 'credit'::side, asked.account, asked.amount
                FROM unnest(to_account, amount) WITH ORDINALITY AS asked (account, amount, n)
            ) AS half
        ) AS half
    ), side AS (
        SELECT array_agg(half.account ORDER BY half.n) AS accounts, array_agg(half.number ORDER BY half.n) AS numbers,
            array_agg(half.balance ORDER BY half.n) AS balances, half.side
        FROM half GROUP BY half.side
    )
    INSERT INTO transfer (debit_id, debit_number, credit_id, credit_number, posted_at, id, leg, amount, debit_balance,
        credit_balance, purpose)
    SELECT asked.debit, asked.debit_number, asked.credit, asked.credit_number, since, asked.id, 1, asked.amount,
        asked.debit_balance, asked.credit_balance, 'payment'
    FROM side AS debit, side AS credit,
        unnest(id, amount, debit.accounts, debit.numbers, debit.balances, credit.accounts, credit.numbers,
            credit.balances)
        AS asked (id, amount, debit, debit_number, debit_balance, credit, credit_number, credit_balance)
    WHERE debit.side = 'debit' AND credit.side = 'credit';
EXCEPTION WHEN SQLSTATE 'GWS01' THEN  -- undone: nothing of it is there, no key either
    elsewhere := NULL;
    short := true;
END $$;
