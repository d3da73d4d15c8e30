-- Many payments of one payer for half the work: whole columns at a time, where the way for many payers goes step by step.

-- What pay_in_ledger does for many payers, for one that pays no fee and has money enough for all: then no payment
-- depends on another, so balances and numbers of entries follow from sums, and nothing is tried in turn. The same rows,
-- and locks in the same order: the keys, then the accounts by id; these as late as can be, since whoever pays the same
-- people waits from then on.
--
-- `elsewhere` are the places, from 1, of what this path does not do (as in pay_in_ledger): nothing was written of them.
-- `short`: the payer has not enough for all of them, or is not known by this key; nothing was written at all, and
-- pay_in_ledger says which of them can be paid.
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
    entries bigint[]; balance numeric[]; since timestamptz[];   -- of each account used, by id: before, and from when
BEGIN
    short := true;
    SELECT key.wallet_id, wallet.handle INTO payer, payer_handle
    FROM api_key AS key JOIN wallet ON wallet.id = key.wallet_id
    WHERE key.hash = api_key_hash AND key.revoked_at IS NULL AND key.plain;
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

    INSERT INTO transfer (id, state, purpose, subject, created_at, ended_at)
    SELECT asked.id, 'posted', 'payment', asked.id, at, at FROM unnest(id) AS asked (id);
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

    PERFORM FROM account
    WHERE account.id = ANY (ARRAY(SELECT unnest(from_account) UNION SELECT unnest(to_account)))
    ORDER BY account.id FOR NO KEY UPDATE;
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
            entries = account.entries + part.more, posted_at = greatest(at, posted_at),
            shortfall = least(shortfall,
                greatest(0, debits_pending - credits_posted + debits_posted + part.gives - part.gets))
        FROM (
            SELECT half.account, sum(half.gives) AS gives, sum(half.gets) AS gets, count(*) AS more
            FROM unnest(from_account || to_account, amount || nothing, nothing || amount) AS half (account, gives, gets)
            GROUP BY half.account
        ) AS part
        WHERE account.id = part.account
        RETURNING account.id, account.entries - part.more AS entries,
            credits_posted - debits_posted - part.gets + part.gives AS balance, posted_at
    )
    SELECT array_agg(changed.entries ORDER BY changed.id), array_agg(changed.balance ORDER BY changed.id),
        array_agg(changed.posted_at ORDER BY changed.id)
    INTO entries, balance, since
    FROM changed;

    -- An account's entries are in the order in which its payments were asked for. `place` is that of the account.
    INSERT INTO entry (account_id, number, transfer_id, side, amount, balance, posted_at, purpose)
    SELECT half.account, entries[half.place] + half.rank, half.id, half.side, half.amount,
        balance[half.place] + half.sum, since[half.place], 'payment'
    FROM (
        SELECT half.account, half.id, half.side, half.amount,
            dense_rank() OVER (ORDER BY half.account)::integer AS place,
            row_number() OVER (PARTITION BY half.account ORDER BY half.n) AS rank,
            sum(CASE half.side WHEN 'credit' THEN half.amount ELSE -half.amount END)
                OVER (PARTITION BY half.account ORDER BY half.n) AS sum
        FROM (
            SELECT asked.account, asked.id, 'debit'::side AS side, asked.amount, asked.n
            FROM unnest(from_account, id, amount) WITH ORDINALITY AS asked (account, id, amount, n)
            UNION ALL
            SELECT asked.account, asked.id, 'credit'::side, asked.amount, asked.n
            FROM unnest(to_account, id, amount) WITH ORDINALITY AS asked (account, id, amount, n)
        ) AS half
    ) AS half;
EXCEPTION WHEN SQLSTATE 'GWS01' THEN  -- undone: nothing of it is there, no key either
    elsewhere := NULL;
    short := true;
END $$;
