-- Accept payments of plain API keys on the chain rail, as 08_pay_on_ledger.sql does on the ledger rail.

-- Payments of any payers: the payment's row, its hold, its authorization with its nonce, its idempotency key and its
-- event. The id is that of the payment, of its hold and of its authorization, which shows that the authorization was
-- queued when the payment was accepted. Outcomes as of pay_by_ledger, but that `done` means queued, and that a payer
-- whose address the gateway has no key for is not handled here.
--
-- Idempotency keys, then accounts, then nonces are locked, each kind in the order that every caller keeps to.
CREATE FUNCTION pay_on_chain(
    at timestamptz, valid_before bigint,
    api_key_hash bytea[], idempotency text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], memo text[], id uuid[],
    route text[],   -- as JSON
    facts text[],   -- of the payment's event, as a JSON object; who paid is added
    OUT outcome text[], OUT payer_handle text[], OUT available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    payer uuid[]; payee uuid[]; from_account bigint[]; to_account bigint[]; from_address text[]; to_address text[];
    enough boolean;           -- whether everybody has enough for all that they pay
    good integer[];           -- requests whose money is held, in order
    written record;
    next numeric[];           -- nonce after the last one taken now, of each payer, by asset and address
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
                WHEN giver.custody <> 'gateway' THEN 'elsewhere'
                WHEN key.wallet_id = taker.id OR taker.closed_at IS NOT NULL OR taker.id IS NULL OR from_account.id IS NULL
                    THEN 'elsewhere'
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

    -- The next nonces of each payer, as many as it needs, as authorization.sql's take_nonces hands them out.
    WITH taken AS (
        INSERT INTO authorization_nonce AS handed_out (asset, address, next)
        SELECT asset[g], from_address[g], count(*) FROM unnest(good) AS g
        GROUP BY asset[g], from_address[g]
        ORDER BY asset[g], from_address[g]
        ON CONFLICT (asset, address) DO UPDATE SET next = handed_out.next + excluded.next
        RETURNING asset, address, next
    )
    SELECT array_agg(taken.next ORDER BY taken.asset, taken.address) INTO next FROM taken;
    -- Each nonce is counted back from its payer's next one. A wallet that went to another address since it was looked
    -- at has done so before its nonces were locked here, so it is seen now; everybody is then asked again alone.
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

    -- As events/log.sql announces: until this ends, readers stop before the numbers that follow.
    PERFORM pg_advisory_xact_lock_shared((1::bigint << 62) + CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM event_id_seq;
    INSERT INTO logged_event (kind, wallet_id, other_id, subject, facts, at)
    SELECT 'payment.queued', asked.payer, asked.payee, asked.id,
        ('{"from":"@' || asked.handle || '",' || substr(asked.facts, 2))::jsonb, at
    FROM unnest(outcome, id, payer, payer_handle, payee, facts)
        AS asked (outcome, id, payer, handle, payee, facts)
    WHERE asked.outcome = 'done';
END $$;
