-- Payments of plain API keys on the chain rail; 08_pay_on_ledger.sql is their counterpart on the ledger rail.

-- Queues payments of any payers. Each is written with its hold, authorization, nonce, idempotency key and event. The payment,
-- its hold and its authorization share one id: an authorization with its payment's id was queued when the payment was
-- accepted. Outcomes:
--   done             queued
--   short, used      as of hold_with_keys
--   unauthenticated  no such API key
--   checks           the API key is not plain: the payment has to pass the checks
--   own_key          the payer keeps the key of the address, and has to sign
--   unknown          no such payee, the payee is closed or is the payer, or an account is not open yet
--
-- Lock order: idempotency keys, accounts, nonces, each sorted.
CREATE FUNCTION pay_on_chain(
    at timestamptz, valid_before bigint,
    api_key_hash bytea[], idempotency text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], memo text[], id uuid[],
    route text[],   -- as JSON
    facts text[],   -- the event's payload without the payer, as a JSON object
    OUT outcome text[], OUT payer_handle text[], OUT available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    payer uuid[]; payee uuid[]; from_account bigint[]; to_account bigint[]; from_address text[]; to_address text[];
    enough boolean;           -- every payer has enough for all of their payments
    good integer[];           -- requests whose money is held, in order
    written record;
    next numeric[];           -- per payer, by asset and address: the nonce after the last one taken here
    queued integer;
BEGIN
    SELECT array_agg(found.outcome), array_agg(found.payer), array_agg(found.handle), array_agg(found.payee),
           array_agg(found.from_account), array_agg(found.to_account),
           array_agg(found.from_address), array_agg(found.to_address), array_agg(NULL::numeric),
           bool_and(found.enough) FILTER (WHERE found.outcome = 'done')
    INTO outcome, payer, payer_handle, payee, from_account, to_account, from_address, to_address, available, enough
    FROM (
        SELECT key.wallet_id AS payer, giver.handle, taker.id AS payee,
            from_account.id AS from_account, to_account.id AS to_account,
            giver.address AS from_address, taker.address AS to_address,
            CASE
                WHEN key.wallet_id IS NULL THEN 'unauthenticated'
                WHEN NOT key.plain THEN 'checks'
                WHEN giver.custody <> 'gateway' THEN 'own_key'
                WHEN key.wallet_id = taker.id OR taker.closed_at IS NOT NULL OR taker.id IS NULL OR from_account.id IS NULL
                    THEN 'unknown'
                ELSE 'done'
            END AS outcome,
            from_account.credits_posted - from_account.debits_posted - from_account.debits_pending
                >= sum(asked.amount) OVER (PARTITION BY from_account.id) AS enough
        FROM unnest(api_key_hash, payee_handle, asset, amount) WITH ORDINALITY
            AS asked (api_key_hash, payee_handle, asset, amount, n)
        LEFT JOIN api_key AS key ON key.hash = asked.api_key_hash AND key.revoked_at IS NULL
            AND (key.expires_at IS NULL OR key.expires_at > at)
        LEFT JOIN wallet AS giver ON giver.id = key.wallet_id
        LEFT JOIN account AS from_account ON from_account.owner = key.wallet_id AND from_account.asset = asked.asset
        LEFT JOIN account AS to_account ON to_account.code = 'wallet:' || asked.payee_handle || ':' || asked.asset
        LEFT JOIN wallet AS taker ON taker.id = to_account.owner
        ORDER BY asked.n
    ) AS found;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    SELECT * INTO written
    FROM hold_with_keys(
        at, 202::smallint, enough,
        ARRAY(SELECT payer[g] FROM unnest(good) AS g), ARRAY(SELECT idempotency[g] FROM unnest(good) AS g),
        ARRAY(SELECT fingerprint[g] FROM unnest(good) AS g), ARRAY(SELECT from_account[g] FROM unnest(good) AS g),
        ARRAY(SELECT to_account[g] FROM unnest(good) AS g), ARRAY(SELECT amount[g] FROM unnest(good) AS g),
        ARRAY(SELECT id[g] FROM unnest(good) AS g)
    );
    IF 'done' <> ANY (written.outcome) THEN
        FOR i IN 1 .. cardinality(good) LOOP
            outcome[good[i]] := written.outcome[i]; available[good[i]] := written.available[i];
        END LOOP;
        good := array_positions(outcome, 'done');
        IF good = '{}' THEN
            RETURN;
        END IF;
    END IF;

    -- Take as many nonces for each payer as it needs, like take_nonces of authorization.sql.
    WITH taken AS (
        INSERT INTO authorization_nonce AS handed_out (asset, address, next)
        SELECT asset[g], from_address[g], count(*) FROM unnest(good) AS g
        GROUP BY asset[g], from_address[g]
        ORDER BY asset[g], from_address[g]
        ON CONFLICT (asset, address) DO UPDATE SET next = handed_out.next + excluded.next
        RETURNING asset, address, next
    )
    SELECT array_agg(taken.next ORDER BY taken.asset, taken.address) INTO next FROM taken;
    -- Nonces are counted back from the payer's next one. A wallet that has been bound to another address since the first
    -- statement did so before its nonces were locked here, so the join sees it; the caller then retries each payment alone.
    INSERT INTO token_authorization (id, kind, asset, from_address, to_address, value, nonce, valid_before, created_at)
    SELECT asked.id, 'transfer', asked.asset, asked.giver, asked.taker, asked.amount, next[asked.place] - asked.left,
        valid_before, at
    FROM (
        SELECT id[g] AS id, asset[g] AS asset, payer[g] AS payer, from_address[g] AS giver, to_address[g] AS taker,
            amount[g] AS amount,
            dense_rank() OVER (ORDER BY asset[g], from_address[g])::integer AS place,
            count(*) OVER (PARTITION BY asset[g], from_address[g] ORDER BY g DESC) AS left
        FROM unnest(good) AS g
    ) AS asked
    JOIN wallet ON wallet.id = asked.payer AND wallet.address = asked.giver AND wallet.custody = 'gateway';
    GET DIAGNOSTICS queued = ROW_COUNT;
    IF queued < cardinality(good) THEN
        RAISE EXCEPTION 'a payer has another address now';
    END IF;

    INSERT INTO staged_payment (id, state, rail, payer, payee, asset, amount, fee, memo, route, transfer_id, authorization_id,
        created_at)
    SELECT asked.id, 'queued', 'chain', asked.payer, asked.payee, asked.asset, asked.amount, 0, asked.memo,
        asked.route::json, asked.id, asked.id, at
    FROM unnest(outcome, id, payer, payee, asset, amount, memo, route)
        AS asked (outcome, id, payer, payee, asset, amount, memo, route)
    WHERE asked.outcome = 'done';

    PERFORM log_events(array_agg('payment.queued'::text), array_agg(asked.payer), array_agg(asked.payee), array_agg(asked.id),
        array_agg(('{"from":"@' || asked.handle || '",' || substr(asked.facts, 2))::jsonb), at)
    FROM unnest(outcome, id, payer, payer_handle, payee, facts)
        AS asked (outcome, id, payer, handle, payee, facts)
    WHERE asked.outcome = 'done';
END $$;
