-- Payments on the ledger rail, many in one call and one commit: the payment's row, its money, its events and its
-- idempotency key, or none of them. What a request needs to be answered comes back, an element per asked.
--
-- The route of a ledger payment follows from its asset and its fee, so it is not stored; its first answer follows from
-- its row, so it is not stored either: the key names the payment.

ALTER TABLE payment ALTER COLUMN route DROP NOT NULL;
ALTER TABLE payment ADD CONSTRAINT payment_route_where_chosen CHECK (route IS NOT NULL OR rail = 'ledger');
ALTER TABLE idempotency_key ADD COLUMN payment_id uuid;

-- One asked is one request: who asks (the SHA-256 of an API key), its idempotency key and fingerprint, whom it pays, and
-- fresh ids. Outcomes:
--   done             settled
--   short            with what the payer had available
--   unauthenticated  the API key speaks for nobody
--   elsewhere        whatever this path does not do: a key used before, an unknown payee, oneself, an account that is
--                    not open yet. Nothing was written; the long way decides, and says why.
-- Two requests with one key must not be in one call. Keys are claimed before accounts are locked, as everywhere, and in
-- their order, so that no two calls wait for each other; where another transaction is using one of the keys at this
-- moment, the call waits for it, and that asked goes elsewhere.
CREATE FUNCTION pay_in_ledger(
    at timestamptz, fee_basis_points integer,
    api_key_hash bytea[], idempotency text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], memo text[], payment_id uuid[], transfer_id uuid[],
    facts text[],   -- of the payment's event, as JSON; who paid is added
    OUT outcome text[], OUT payer_handle text[], OUT fee numeric[], OUT available numeric[]
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    payer uuid[]; payee uuid[]; from_account bigint[]; to_account bigint[]; fee_account bigint[];
    good integer[];           -- requests that go to the book, in order
    accounts bigint[];
    leg_step integer[]; leg_debit integer[]; leg_credit integer[]; leg_post numeric[];
    posted text[]; short_account bigint[]; short_available numeric[];
    claimed uuid[];
BEGIN
    SELECT array_agg(found.outcome ORDER BY n), array_agg(found.payer ORDER BY n), array_agg(found.handle ORDER BY n),
           array_agg(found.payee ORDER BY n), array_agg(found.from_account ORDER BY n),
           array_agg(found.to_account ORDER BY n), array_agg(found.fee_account ORDER BY n),
           array_agg(found.fee ORDER BY n)
    INTO outcome, payer, payer_handle, payee, from_account, to_account, fee_account, fee
    FROM (
        -- Sub-selects rather than joins: each is one look-up of an index, however large or small the tables are.
        SELECT asked.n, payer.id AS payer, payer.handle, payee.id AS payee,
            (SELECT id FROM account WHERE code = 'wallet:' || payer.handle || ':' || asked.asset) AS from_account,
            (SELECT id FROM account WHERE code = 'wallet:' || asked.payee_handle || ':' || asked.asset) AS to_account,
            CASE WHEN asked.fee > 0 THEN (SELECT id FROM account WHERE code = 'fees:' || asked.asset) END AS fee_account,
            asked.fee,
            CASE
                WHEN payer.id IS NULL THEN 'unauthenticated'
                WHEN payee.id IS NULL OR payer.id = payee.id THEN 'elsewhere'
                ELSE 'done'
            END AS outcome
        FROM (
            SELECT *, div(amount * fee_basis_points + 9999, 10000) AS fee,
                (SELECT wallet_id FROM api_key WHERE hash = api_key_hash AND revoked_at IS NULL) AS payer_id,
                (SELECT id FROM wallet WHERE handle = payee_handle) AS payee_id
            FROM unnest(api_key_hash, idempotency, payee_handle, asset, amount) WITH ORDINALITY
                AS asked (api_key_hash, key, payee_handle, asset, amount, n)
        ) AS asked,
        LATERAL (SELECT payer_id AS id, (SELECT handle FROM wallet WHERE wallet.id = payer_id) AS handle) AS payer,
        LATERAL (SELECT payee_id AS id) AS payee
    ) AS found;
    FOR i IN 1 .. cardinality(outcome) LOOP
        IF outcome[i] = 'done' AND (from_account[i] IS NULL OR to_account[i] IS NULL
                OR fee[i] > 0 AND fee_account[i] IS NULL) THEN
            outcome[i] := 'elsewhere';
        END IF;
    END LOOP;
    good := array_positions(outcome, 'done');
    available := array_fill(NULL::numeric, ARRAY[cardinality(outcome)]);
    IF good = '{}' THEN
        RETURN;
    END IF;

    WITH fresh AS (
        INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
        SELECT payer[g], idempotency[g], fingerprint[g], 201, payment_id[g], at
        FROM unnest(good) AS g
        ORDER BY payer[g], idempotency[g]
        ON CONFLICT DO NOTHING
        RETURNING payment_id
    )
    SELECT array_agg(fresh.payment_id) INTO claimed FROM fresh;
    IF coalesce(cardinality(claimed), 0) < cardinality(good) THEN
        FOR i IN 1 .. cardinality(outcome) LOOP
            IF outcome[i] = 'done' AND NOT payment_id[i] = ANY (coalesce(claimed, '{}')) THEN
                outcome[i] := 'elsewhere';
            END IF;
        END LOOP;
        good := array_positions(outcome, 'done');
        IF good = '{}' THEN
            RETURN;
        END IF;
    END IF;

    SELECT array_agg(id ORDER BY id) INTO accounts FROM (
        SELECT DISTINCT unnest(ARRAY[from_account[g], to_account[g], CASE WHEN fee[g] > 0 THEN fee_account[g] END]) AS id
        FROM unnest(good) AS g
    ) AS used WHERE id IS NOT NULL;
    SELECT array_agg(leg.asked ORDER BY leg.asked, leg.part), array_agg(giver.slot ORDER BY leg.asked, leg.part),
           array_agg(receiver.slot ORDER BY leg.asked, leg.part), array_agg(leg.units ORDER BY leg.asked, leg.part)
    INTO leg_step, leg_debit, leg_credit, leg_post
    FROM (
        SELECT asked, 1 AS part, from_account[g] AS debit, to_account[g] AS credit, amount[g] AS units
        FROM unnest(good) WITH ORDINALITY AS list (g, asked)
        UNION ALL
        SELECT asked, 2, from_account[g], fee_account[g], fee[g]
        FROM unnest(good) WITH ORDINALITY AS list (g, asked) WHERE fee[g] > 0
    ) AS leg
    JOIN unnest(accounts) WITH ORDINALITY AS giver (id, slot) ON giver.id = leg.debit
    JOIN unnest(accounts) WITH ORDINALITY AS receiver (id, slot) ON receiver.id = leg.credit;

    SELECT written.outcome, written.short_account, written.short_available
    INTO posted, short_account, short_available
    FROM book_write(
        at, accounts,
        (SELECT array_agg(transfer_id[g] ORDER BY i) FROM unnest(good) WITH ORDINALITY AS list (g, i)),
        array_fill(true, ARRAY[cardinality(good)]),
        array_fill('posted'::transfer_state, ARRAY[cardinality(good)]),
        array_fill(false, ARRAY[cardinality(good)]),
        array_fill('payment'::text, ARRAY[cardinality(good)]),
        (SELECT array_agg(payment_id[g] ORDER BY i) FROM unnest(good) WITH ORDINALITY AS list (g, i)),
        leg_step, leg_debit, leg_credit, leg_post, array_fill(0::numeric, ARRAY[cardinality(leg_step)])
    ) AS written;
    FOR i IN 1 .. cardinality(good) LOOP
        IF posted[i] = 'short' THEN
            outcome[good[i]] := 'short';
            available[good[i]] := short_available[i];
        END IF;
    END LOOP;
    IF 'short' = ANY (outcome) THEN  -- a refusal keeps no key: it may be asked again
        DELETE FROM idempotency_key USING unnest(outcome, payer, idempotency) AS asked (outcome, payer, key)
        WHERE asked.outcome = 'short' AND wallet_id = asked.payer AND idempotency_key.key = asked.key;
    END IF;

    INSERT INTO payment (id, state, rail, payer, payee, asset, amount, fee, captured, memo, transfer_id, created_at,
        settled_at)
    SELECT asked.id, 'settled', 'ledger', asked.payer, asked.payee, asked.asset, asked.amount, asked.fee, asked.amount,
        asked.memo, asked.transfer_id, at, at
    FROM unnest(outcome, payment_id, payer, payee, asset, amount, fee, memo, transfer_id)
        AS asked (outcome, id, payer, payee, asset, amount, fee, memo, transfer_id)
    WHERE asked.outcome = 'done';

    -- As events/log.sql announces: until this ends, readers stop before the numbers that follow.
    PERFORM pg_advisory_xact_lock_shared((1::bigint << 62) + CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM event_id_seq;
    INSERT INTO event (kind, wallet_id, subject, facts, at)
    SELECT 'payment.settled', party.id, asked.payment_id, asked.facts::jsonb || jsonb_build_object('from', '@' || handle), at
    FROM unnest(outcome, payment_id, payer, payer_handle, payee, facts) WITH ORDINALITY
            AS asked (outcome, payment_id, payer, handle, payee, facts, n),
        LATERAL (VALUES (asked.payer, 1), (asked.payee, 2)) AS party (id, part)
    WHERE asked.outcome = 'done'
    ORDER BY asked.n, party.part;
END $$;
