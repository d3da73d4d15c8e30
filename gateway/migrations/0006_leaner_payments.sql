-- The same payments for less work in the database.
--
-- Plans are made once and kept (`plan_cache_mode = force_generic_plan`): by itself PostgreSQL plans every call of a
-- batch anew, since it takes the plan for arrays of unknown length to be the dearer one, and planning was a quarter of a
-- lone payment. A kept plan must be good whatever the tables grow to, so whatever could read more of a table than one
-- look-up of an index per row is switched off for these functions: what is left is nested loops over indexes.
--
-- A wallet's account says whose it is, so that a payment's parties and their accounts are found together.
--
-- What happened to two parties is one event: `wallet_id` and `other_id` are whose it is.

ALTER TABLE account ADD COLUMN owner uuid;    -- the wallet, of a wallet's account
UPDATE account SET owner = wallet.id FROM wallet
WHERE code LIKE 'wallet:%' AND wallet.handle = split_part(code, ':', 2);
CREATE UNIQUE INDEX account_owner_asset ON account (owner, asset) WHERE owner IS NOT NULL;

CREATE FUNCTION account_owned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.owner := (SELECT id FROM wallet WHERE handle = split_part(NEW.code, ':', 2));
    RETURN NEW;
END $$;
CREATE TRIGGER account_owned BEFORE INSERT ON account
    FOR EACH ROW WHEN (NEW.code LIKE 'wallet:%') EXECUTE FUNCTION account_owned();

-- A CHECK of a table is read and planned anew by every statement that writes to it, one of a domain is kept: what says
-- something about one column is the column's.
CREATE DOMAIN payment_state AS text CONSTRAINT payment_state_known CHECK (VALUE IN (
    'requires_confirmation', 'held', 'queued', 'submitted', 'settled', 'failed', 'voided', 'expired', 'refused'));
CREATE DOMAIN payment_rail AS text CONSTRAINT payment_rail_known CHECK (VALUE IN ('ledger', 'chain'));
CREATE DOMAIN payment_fee AS units CONSTRAINT payment_fee_not_negative CHECK (VALUE >= 0);
CREATE DOMAIN payment_memo AS text CONSTRAINT payment_memo_length CHECK (length(VALUE) <= 280);
ALTER TABLE payment
    DROP CONSTRAINT payment_state_known, DROP CONSTRAINT payment_rail_known,
    DROP CONSTRAINT payment_fee_not_negative, DROP CONSTRAINT payment_memo_length,
    ALTER COLUMN state TYPE payment_state, ALTER COLUMN rail TYPE payment_rail,
    ALTER COLUMN fee TYPE payment_fee, ALTER COLUMN memo TYPE payment_memo;

-- Tables that are added to far more than they are changed: frozen in small steps, and analyzed often.
ALTER TABLE entry SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE transfer SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE payment SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE event SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE idempotency_key SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

ALTER TABLE event ADD COLUMN other_id uuid;   -- the second of two wallets whose event it is
CREATE INDEX event_of_other ON event (other_id, id) WHERE other_id IS NOT NULL;


-- Each entry with its account and the entry before it, looked at once; a left join keeps what has none. What one
-- statement writes to an account is its last entries, so an entry that is not the last has one behind it. (Not EXISTS:
-- the planner may read a whole table for it.)
CREATE OR REPLACE FUNCTION entry_checked() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    unbalanced uuid; unknown uuid;   -- transfers
    broken bigint;                   -- an account
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT fresh.account_id, fresh.transfer_id, account.asset,
            CASE fresh.side WHEN 'debit' THEN fresh.amount ELSE -fresh.amount END AS debit,
            (fresh.number = 1 OR previous.number IS NOT NULL)
                AND fresh.posted_at >= coalesce(previous.posted_at, '-infinity')
                AND fresh.balance = coalesce(previous.balance, 0)
                    + CASE account.normal WHEN fresh.side THEN fresh.amount ELSE -fresh.amount END
                AND CASE
                    WHEN fresh.number < account.entries THEN
                        (SELECT number FROM entry
                         WHERE account_id = fresh.account_id AND number = fresh.number + 1) IS NOT NULL
                    WHEN fresh.number = account.entries THEN fresh.balance =
                        CASE account.normal WHEN 'credit' THEN account.credits_posted - account.debits_posted
                            ELSE account.debits_posted - account.credits_posted END
                    ELSE false END AS follows
        FROM fresh
        LEFT JOIN account ON account.id = fresh.account_id
        LEFT JOIN entry AS previous ON previous.account_id = fresh.account_id AND previous.number = fresh.number - 1
    )
    SELECT (array_agg(t.transfer_id) FILTER (WHERE t.sum <> 0))[1],
        (array_agg(t.transfer_id) FILTER (WHERE NOT t.known))[1],
        (SELECT account_id FROM seen WHERE follows IS NOT TRUE LIMIT 1)
    INTO unbalanced, unknown, broken
    FROM (
        SELECT g.transfer_id, g.sum, (SELECT id FROM transfer WHERE id = g.transfer_id) IS NOT NULL AS known
        FROM (SELECT transfer_id, sum(debit) AS sum FROM seen GROUP BY transfer_id, asset) AS g
    ) AS t;
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'debits and credits differ in transfer %', unbalanced
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_debits_equal_credits', TABLE = 'entry';
    END IF;
    IF unknown IS NOT NULL OR broken IS NOT NULL THEN
        RAISE EXCEPTION 'an entry of % does not follow from the one before',
            coalesce((SELECT code FROM account WHERE id = broken), 'no account, or of no transfer,')
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_follows_entry', TABLE = 'entry';
    END IF;
    RETURN NULL;
END $$;


-- The one writer of the book. Steps come in order, and so do their legs; a step is a new transfer (posted at once
-- or pending) or the end of a pending one, whose row the caller has locked. A leg says how much it adds to posted and
-- how much to pending (less than nothing when a hold ends). `accounts` are the ids used, ascending and each once; legs
-- point into it, from 1. A fact is a step that posts whatever is available.
--
-- Accounts are locked in id order, so two batches never wait for each other in a ring. Steps are tried in order
-- against arrays, and each table is then written once per batch, however hot an account is.
--
-- The answer has an element per step: 'done'; 'exists' when a new transfer's id is in the book already; 'ended' when
-- a transfer to end is pending no more; 'short' with the account and what it had available.
CREATE OR REPLACE FUNCTION book_write(
    at timestamptz, accounts bigint[],
    step_id uuid[], step_new boolean[], step_state transfer_state[], step_fact boolean[],
    step_purpose text[], step_subject uuid[],
    leg_step integer[], leg_debit integer[], leg_credit integer[], leg_post numeric[], leg_pend numeric[],
    OUT outcome text[], OUT short_account bigint[], OUT short_available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    grows_by_credit boolean[]; guarded boolean[]; last bigint[];
    debits numeric[]; credits numeric[];                 -- posted so far
    debits_held numeric[]; credits_held numeric[];       -- pending now
    balance numeric[];          -- posted, on the account's normal side
    aside numeric[];            -- pending on the other side, so that available is balance - aside
    time timestamptz[];         -- of entries written now: no account's time goes back, though a clock does
    touched boolean[] := array_fill(false, ARRAY[cardinality(accounts)]);
    fact boolean[] := touched;  -- whether a fact or an end was among what touched it
    known boolean[];
    leg_done boolean[] := array_fill(false, ARRAY[cardinality(leg_debit)]);
    debit_number bigint[] := array_fill(0, ARRAY[cardinality(leg_debit)]);
    credit_number bigint[] := debit_number;
    debit_balance numeric[] := array_fill(0::numeric, ARRAY[cardinality(leg_debit)]);
    credit_balance numeric[] := debit_balance;
    first integer := 1; final integer; short integer; d integer; c integer; post numeric; pend numeric;
BEGIN
    outcome := array_fill(NULL::text, ARRAY[cardinality(step_id)]);
    short_account := array_fill(NULL::bigint, ARRAY[cardinality(step_id)]);
    short_available := array_fill(NULL::numeric, ARRAY[cardinality(step_id)]);
    SELECT array_agg(a.normal = 'credit' ORDER BY a.id), array_agg(a.guarded ORDER BY a.id),
           array_agg(a.entries ORDER BY a.id),
           array_agg(a.debits_posted ORDER BY a.id), array_agg(a.credits_posted ORDER BY a.id),
           array_agg(a.debits_pending ORDER BY a.id), array_agg(a.credits_pending ORDER BY a.id),
           array_agg(CASE a.normal WHEN 'credit' THEN a.credits_posted - a.debits_posted
                                   ELSE a.debits_posted - a.credits_posted END ORDER BY a.id),
           array_agg(CASE a.normal WHEN 'credit' THEN a.debits_pending ELSE a.credits_pending END ORDER BY a.id),
           array_agg(greatest(at, a.posted_at) ORDER BY a.id)
    INTO grows_by_credit, guarded, last, debits, credits, debits_held, credits_held, balance, aside, time
    FROM (SELECT * FROM account WHERE id = ANY (accounts) ORDER BY id FOR NO KEY UPDATE) AS a;
    IF coalesce(cardinality(last), 0) <> cardinality(accounts) THEN
        RAISE EXCEPTION 'an account of the batch does not exist' USING ERRCODE = 'foreign_key_violation';
    END IF;

    SELECT array_agg(CASE WHEN step.new THEN there.id IS NOT NULL ELSE there.state IS DISTINCT FROM 'pending' END
                     ORDER BY step.n)
    INTO known
    FROM unnest(step_id, step_new) WITH ORDINALITY AS step (id, new, n)
    LEFT JOIN transfer AS there ON there.id = step.id;

    FOR i IN 1 .. cardinality(step_id) LOOP
        final := first - 1;
        WHILE leg_step[final + 1] = i LOOP final := final + 1; END LOOP;
        short := NULL;
        IF known[i] THEN
            outcome[i] := CASE WHEN step_new[i] THEN 'exists' ELSE 'ended' END;
            first := final + 1;
            CONTINUE;
        END IF;

        FOR l IN first .. final LOOP
            d := leg_debit[l]; c := leg_credit[l]; post := leg_post[l]; pend := leg_pend[l];
            IF grows_by_credit[d] THEN
                balance[d] := balance[d] - post; aside[d] := aside[d] + pend;
            ELSE
                balance[d] := balance[d] + post;
            END IF;
            IF grows_by_credit[c] THEN
                balance[c] := balance[c] + post;
            ELSE
                balance[c] := balance[c] - post; aside[c] := aside[c] + pend;
            END IF;
            debit_balance[l] := balance[d];
            credit_balance[l] := balance[c];
        END LOOP;

        IF step_new[i] AND NOT step_fact[i] THEN
            FOR l IN first .. final LOOP
                d := leg_debit[l]; c := leg_credit[l];
                -- Only the side that a leg takes from can be left short by it.
                IF grows_by_credit[d] AND guarded[d] AND balance[d] < aside[d] THEN
                    short := d;
                ELSIF NOT grows_by_credit[c] AND guarded[c] AND balance[c] < aside[c] THEN
                    short := c;
                END IF;
            END LOOP;
        END IF;

        IF short IS NULL THEN
            outcome[i] := 'done';
            FOR l IN first .. final LOOP
                d := leg_debit[l]; c := leg_credit[l]; post := leg_post[l]; pend := leg_pend[l];
                leg_done[l] := true; touched[d] := true; touched[c] := true;
                IF step_fact[i] OR NOT step_new[i] THEN
                    fact[d] := true; fact[c] := true;
                END IF;
                IF pend <> 0 THEN
                    debits_held[d] := debits_held[d] + pend; credits_held[c] := credits_held[c] + pend;
                END IF;
                IF post > 0 THEN
                    debits[d] := debits[d] + post; credits[c] := credits[c] + post;
                    last[d] := last[d] + 1; debit_number[l] := last[d];
                    last[c] := last[c] + 1; credit_number[l] := last[c];
                END IF;
            END LOOP;
        ELSE
            FOR l IN first .. final LOOP
                d := leg_debit[l]; c := leg_credit[l]; post := leg_post[l]; pend := leg_pend[l];
                IF grows_by_credit[d] THEN
                    balance[d] := balance[d] + post; aside[d] := aside[d] - pend;
                ELSE
                    balance[d] := balance[d] - post;
                END IF;
                IF grows_by_credit[c] THEN
                    balance[c] := balance[c] - post;
                ELSE
                    balance[c] := balance[c] + post; aside[c] := aside[c] - pend;
                END IF;
            END LOOP;
            outcome[i] := 'short';
            short_account[i] := accounts[short];
            short_available[i] := balance[short] - aside[short];
        END IF;
        first := final + 1;
    END LOOP;

    INSERT INTO transfer (id, state, purpose, subject, created_at, ended_at)
    SELECT step.id, step.state, step.purpose, step.subject, at,
           CASE WHEN step.state <> 'pending' THEN at END
    FROM unnest(step_id, step_new, step_state, step_purpose, step_subject, outcome)
        AS step (id, new, state, purpose, subject, outcome)
    WHERE step.new AND step.outcome = 'done';

    IF false = ANY (step_new) THEN
        UPDATE transfer SET state = step.state, ended_at = at
        FROM unnest(step_id, step_new, step_state, outcome) AS step (id, new, state, outcome)
        WHERE transfer.id = step.id AND NOT step.new AND step.outcome = 'done';
    END IF;
    IF 'pending' = ANY (step_state) THEN
        INSERT INTO hold_leg (transfer_id, number, debit_id, credit_id, amount)
        SELECT step_id[step], row_number() OVER (PARTITION BY step ORDER BY n), accounts[debit], accounts[credit], pend
        FROM unnest(leg_step, leg_debit, leg_credit, leg_pend, leg_done) WITH ORDINALITY
            AS leg (step, debit, credit, pend, done, n)
        WHERE done AND step_new[step] AND step_state[step] = 'pending';
    END IF;

    UPDATE account SET
        debits_posted = new.debits, credits_posted = new.credits,
        debits_pending = new.debits_pending, credits_pending = new.credits_pending,
        entries = new.entries,
        posted_at = CASE WHEN new.entries > account.entries THEN new.posted_at ELSE account.posted_at END,
        shortfall = CASE WHEN new.fact THEN greatest(0, new.aside - new.balance)
            ELSE least(account.shortfall, greatest(0, new.aside - new.balance)) END
    FROM unnest(accounts, debits, credits, debits_held, credits_held, last, time, balance, aside, fact, touched)
        AS new (id, debits, credits, debits_pending, credits_pending, entries, posted_at, balance, aside, fact, touched)
    WHERE account.id = new.id AND new.touched;

    INSERT INTO entry (account_id, number, transfer_id, side, amount, balance, posted_at)
    SELECT half.account_id, half.number, step_id[leg.step], half.side, leg.post, half.balance, half.posted_at
    FROM unnest(leg_step, leg_debit, leg_credit, leg_post, leg_done,
                debit_number, credit_number, debit_balance, credit_balance)
            AS leg (step, debit, credit, post, done, debit_number, credit_number, debit_balance, credit_balance),
        LATERAL (VALUES
            (accounts[leg.debit], leg.debit_number, 'debit'::side, leg.debit_balance, time[leg.debit]),
            (accounts[leg.credit], leg.credit_number, 'credit'::side, leg.credit_balance, time[leg.credit])
        ) AS half (account_id, number, side, balance, posted_at)
    WHERE leg.done AND leg.post > 0;
END $$;


-- One asked is one request: who asks (the SHA-256 of an API key), its idempotency key and fingerprint, whom it pays,
-- and a fresh id, which is that of the payment and of its transfer. Outcomes:
--   done             settled
--   short            with what the payer had available
--   unauthenticated  the API key speaks for nobody
--   elsewhere        whatever this path does not do: a key used before, an unknown payee, oneself, an account that is
--                    not open yet. Nothing was written; the long way decides, and says why.
-- Two requests with one key must not be in one call. Keys are claimed before accounts are locked, as everywhere, and in
-- their order, so that no two calls wait for each other; where another transaction is using one of the keys at this
-- moment, the call waits for it, and that asked goes elsewhere.
DROP FUNCTION pay_in_ledger;
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
            asked.fee, from_account.id AS from_account, to_account.id AS to_account, fee_account.id AS fee_account,
            CASE
                WHEN payer.wallet_id IS NULL THEN 'unauthenticated'
                WHEN payer.wallet_id = to_account.owner OR to_account.owner IS NULL OR from_account.id IS NULL
                    OR fee > 0 AND fee_account.id IS NULL THEN 'elsewhere'
                ELSE 'done'
            END AS outcome
        FROM (
            SELECT *, CASE WHEN fee_basis_points = 0 THEN 0 ELSE div(amount * fee_basis_points + 9999, 10000) END AS fee
            FROM unnest(api_key_hash, payee_handle, asset, amount) WITH ORDINALITY
                AS asked (api_key_hash, payee_handle, asset, amount, n)
        ) AS asked
        LEFT JOIN api_key AS payer ON payer.hash = asked.api_key_hash AND payer.revoked_at IS NULL
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
        array_fill('posted'::transfer_state, ARRAY[cardinality(good)]),
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
