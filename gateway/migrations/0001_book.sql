-- The book: assets, accounts, transfers, hold legs, entries, and the one function that writes them.
--
-- Guarantees live here as named constraints, so that even a bug in the gateway cannot write a wrong book:
--   account_available_covered   a guarded account's available never falls below zero by an intent
--   account_posted_covered      a wallet's posted never falls below zero by anything
--   entry_debits_equal_credits  per transfer and asset, what one statement writes is balanced
--   entry_follows_entry         numbers have no gap; each balance is the one before plus or minus the amount;
--                               the account's counters say the same as its last entry
--   entry_is_append_only        an entry is never changed or removed

CREATE DOMAIN units AS numeric CONSTRAINT units_are_whole CHECK (VALUE = trunc(VALUE));
CREATE DOMAIN amount AS numeric
    CONSTRAINT amount_is_positive CHECK (VALUE > 0)
    CONSTRAINT amount_is_whole CHECK (VALUE = trunc(VALUE))
    CONSTRAINT amount_fits_uint256 CHECK (VALUE < 115792089237316195423570985008687907853269984665640564039457584007913129639936);
CREATE TYPE side AS ENUM ('debit', 'credit');
CREATE TYPE transfer_state AS ENUM ('pending', 'posted', 'voided', 'expired');

CREATE TABLE asset (
    code text PRIMARY KEY,
    kind text NOT NULL CONSTRAINT asset_kind_known CHECK (kind IN ('fiat', 'token', 'native')),
    decimals smallint NOT NULL CONSTRAINT asset_decimals_sane CHECK (decimals BETWEEN 0 AND 36),
    backing text
);

CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CONSTRAINT account_code_unique UNIQUE,
    asset text NOT NULL REFERENCES asset (code),
    normal side NOT NULL,              -- the side that makes the balance grow
    guarded boolean NOT NULL,          -- whether an intent must leave `available` at or above zero
    debits_posted numeric NOT NULL DEFAULT 0,
    credits_posted numeric NOT NULL DEFAULT 0,
    debits_pending numeric NOT NULL DEFAULT 0,
    credits_pending numeric NOT NULL DEFAULT 0,
    shortfall numeric NOT NULL DEFAULT 0,   -- how far facts alone have pushed `available` below zero
    entries bigint NOT NULL DEFAULT 0,      -- how many there are, which is the number of the last
    posted_at timestamptz NOT NULL DEFAULT '-infinity',  -- of the last entry
    CONSTRAINT account_counters_not_negative CHECK (
        debits_posted >= 0 AND credits_posted >= 0 AND debits_pending >= 0 AND credits_pending >= 0 AND shortfall >= 0
    ),
    CONSTRAINT account_available_covered CHECK (
        NOT guarded
        OR shortfall + CASE normal
            WHEN 'credit' THEN credits_posted - debits_posted - debits_pending
            ELSE debits_posted - credits_posted - credits_pending END >= 0
    ),
    CONSTRAINT account_posted_covered CHECK (
        NOT guarded OR CASE normal
            WHEN 'credit' THEN credits_posted - debits_posted
            ELSE debits_posted - credits_posted END >= 0
    )
) WITH (fillfactor = 50);  -- room on the page, so that changing counters changes no index (a HOT update)

CREATE TABLE transfer (
    id uuid PRIMARY KEY,
    state transfer_state NOT NULL,
    purpose text NOT NULL,             -- payment, refund, deposit, withdrawal, conversion, observation, gas
    subject uuid NOT NULL,             -- the payment, deposit, … that it is for
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT transfer_pending_has_no_end CHECK ((state = 'pending') = (ended_at IS NULL))
);

CREATE TABLE hold_leg (
    transfer_id uuid NOT NULL REFERENCES transfer (id),
    number smallint NOT NULL,
    debit_id bigint NOT NULL REFERENCES account (id),
    credit_id bigint NOT NULL REFERENCES account (id),
    amount amount NOT NULL,
    PRIMARY KEY (transfer_id, number),
    CONSTRAINT hold_leg_has_two_sides CHECK (debit_id <> credit_id)
);

-- Its account and transfer are checked by `entry_checked`, for all rows of a statement at once: a foreign key would look
-- each up by itself, which cost a fifth of a payment. Neither can be removed from under it: see `append_only`.
CREATE TABLE entry (
    account_id bigint NOT NULL,
    number bigint NOT NULL,
    transfer_id uuid NOT NULL,
    side side NOT NULL,
    amount amount NOT NULL,
    balance units NOT NULL,            -- of the account after this entry, on its normal side
    posted_at timestamptz NOT NULL,    -- never earlier than that of the entry before
    CONSTRAINT entry_number_unique PRIMARY KEY (account_id, number),
    CONSTRAINT entry_number_from_one CHECK (number >= 1)
);


-- Here and below: `enable_seqscan = off`, since a plan is kept, and one made while a table was small would read all of
-- it for every batch ever after. Every row these functions touch is found by an index.
CREATE FUNCTION entry_checked() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    wrong text;
    broken text;
BEGIN
    -- One row per entry, with its account, its transfer and the entry before it; a left join keeps what has none.
    WITH seen AS MATERIALIZED (
        SELECT fresh.transfer_id, fresh.number, fresh.balance, fresh.amount, account.code, account.asset,
            account.entries, transfer.id AS transfer, fresh.side = account.normal AS grows, fresh.side,
            CASE account.normal WHEN 'credit' THEN account.credits_posted - account.debits_posted
                ELSE account.debits_posted - account.credits_posted END AS account_balance,
            fresh.posted_at, previous.number AS previous, previous.balance AS balance_before,
            previous.posted_at AS posted_before, max(fresh.number) OVER (PARTITION BY fresh.account_id) AS last
        FROM fresh
        -- The limits keep each join a look-up: a planner that thinks better of it reads whole tables.
        LEFT JOIN LATERAL (SELECT * FROM account WHERE id = fresh.account_id LIMIT 1) AS account ON true
        LEFT JOIN LATERAL (SELECT id FROM transfer WHERE id = fresh.transfer_id LIMIT 1) AS transfer ON true
        LEFT JOIN LATERAL (
            SELECT * FROM entry WHERE account_id = fresh.account_id AND number = fresh.number - 1 LIMIT 1
        ) AS previous ON true
    )
    SELECT
        (SELECT transfer_id || ' ' || asset FROM seen GROUP BY transfer_id, asset
         HAVING sum(CASE side WHEN 'debit' THEN amount ELSE -amount END) <> 0 LIMIT 1),
        (SELECT coalesce(code, 'no account') FROM seen
         WHERE code IS NULL OR transfer IS NULL OR last <> entries
            OR balance <> coalesce(balance_before, 0) + CASE WHEN grows THEN amount ELSE -amount END
            OR (number > 1 AND previous IS NULL)
            OR posted_at < posted_before
            OR (number = entries AND balance <> account_balance)
         LIMIT 1)
    INTO wrong, broken;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'debits and credits differ in transfer %', wrong
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_debits_equal_credits', TABLE = 'entry';
    END IF;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'an entry of % does not follow from the one before', broken
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_follows_entry', TABLE = 'entry';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER entry_checked AFTER INSERT ON entry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION entry_checked();


CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_is_append_only', TABLE = TG_TABLE_NAME;
END $$;

CREATE TRIGGER entry_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER account_is_kept BEFORE DELETE OR TRUNCATE ON account
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER transfer_is_kept BEFORE DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER hold_leg_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hold_leg
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();


-- The one writer of the book. Steps come in order, and so do their legs; an step is a new transfer (posted at once
-- or pending) or the end of a pending one, whose row the caller has locked. A leg says how much it adds to posted and
-- how much to pending (less than nothing when a hold ends). `accounts` are the ids used, ascending and each once; legs
-- point into it, from 1. A fact is an step that posts whatever is available.
--
-- Accounts are locked in id order, so two batches never wait for each other in a ring. Steps are tried in order
-- against arrays, and each table is then written once per batch, however hot an account is.
--
-- The answer has an element per step: 'done'; 'exists' when a new transfer's id is in the book already; 'ended' when
-- a transfer to end is pending no more; 'short' with the account and what it had available.
CREATE FUNCTION book_write(
    at timestamptz, accounts bigint[],
    step_id uuid[], step_new boolean[], step_state transfer_state[], step_fact boolean[],
    step_purpose text[], step_subject uuid[],
    leg_step integer[], leg_debit integer[], leg_credit integer[], leg_post numeric[], leg_pend numeric[],
    OUT outcome text[], OUT short_account bigint[], OUT short_available numeric[]
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    grows_by_credit boolean[]; guarded boolean[]; entries bigint[];
    balance numeric[];          -- posted, on the account's normal side
    aside numeric[];            -- pending on the other side, so that available is balance - aside
    posted_at timestamptz[];    -- of entries written now: no account's time goes back, though a clock does
    known boolean[];
    leg_done boolean[] := array_fill(false, ARRAY[cardinality(leg_debit)]);
    leg_fact boolean[] := leg_done;
    debit_number bigint[] := array_fill(0, ARRAY[cardinality(leg_debit)]);
    credit_number bigint[] := debit_number;
    debit_balance numeric[] := array_fill(0::numeric, ARRAY[cardinality(leg_debit)]);
    credit_balance numeric[] := debit_balance;
    first integer := 1; last integer; short integer; d integer; c integer; post numeric; pend numeric;
BEGIN
    outcome := array_fill(NULL::text, ARRAY[cardinality(step_id)]);
    short_account := array_fill(NULL::bigint, ARRAY[cardinality(step_id)]);
    short_available := array_fill(NULL::numeric, ARRAY[cardinality(step_id)]);
    SELECT array_agg(a.normal = 'credit' ORDER BY a.id), array_agg(a.guarded ORDER BY a.id),
           array_agg(a.entries ORDER BY a.id),
           array_agg(CASE a.normal WHEN 'credit' THEN a.credits_posted - a.debits_posted
                                   ELSE a.debits_posted - a.credits_posted END ORDER BY a.id),
           array_agg(CASE a.normal WHEN 'credit' THEN a.debits_pending ELSE a.credits_pending END ORDER BY a.id),
           array_agg(greatest(at, a.posted_at) ORDER BY a.id)
    INTO grows_by_credit, guarded, entries, balance, aside, posted_at
    FROM (SELECT * FROM account WHERE id = ANY (accounts) ORDER BY id FOR NO KEY UPDATE) AS a;
    IF coalesce(cardinality(entries), 0) <> cardinality(accounts) THEN
        RAISE EXCEPTION 'an account of the batch does not exist' USING ERRCODE = 'foreign_key_violation';
    END IF;

    SELECT array_agg(CASE WHEN step.new THEN transfer.id IS NOT NULL ELSE transfer.state IS DISTINCT FROM 'pending' END
                     ORDER BY step.n)
    INTO known
    FROM unnest(step_id, step_new) WITH ORDINALITY AS step (id, new, n) LEFT JOIN transfer ON transfer.id = step.id;

    FOR i IN 1 .. cardinality(step_id) LOOP
        last := first - 1;
        WHILE leg_step[last + 1] = i LOOP last := last + 1; END LOOP;
        short := NULL;
        IF known[i] THEN
            outcome[i] := CASE WHEN step_new[i] THEN 'exists' ELSE 'ended' END;
            first := last + 1;
            CONTINUE;
        END IF;

        FOR l IN first .. last LOOP
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
            FOR l IN first .. last LOOP
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
            FOR l IN first .. last LOOP
                leg_done[l] := true;
                leg_fact[l] := step_fact[i] OR NOT step_new[i];
                IF leg_post[l] > 0 THEN
                    d := leg_debit[l]; c := leg_credit[l];
                    entries[d] := entries[d] + 1; debit_number[l] := entries[d];
                    entries[c] := entries[c] + 1; credit_number[l] := entries[c];
                END IF;
            END LOOP;
        ELSE
            FOR l IN first .. last LOOP
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
        first := last + 1;
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
        debits_posted = account.debits_posted + delta.debits_posted,
        credits_posted = account.credits_posted + delta.credits_posted,
        debits_pending = account.debits_pending + delta.debits_pending,
        credits_pending = account.credits_pending + delta.credits_pending,
        entries = account.entries + delta.entries,
        posted_at = CASE WHEN delta.entries > 0 THEN greatest(at, account.posted_at) ELSE account.posted_at END,
        shortfall = CASE WHEN delta.fact THEN greatest(0, aside[delta.slot] - balance[delta.slot])
            ELSE least(account.shortfall, greatest(0, aside[delta.slot] - balance[delta.slot])) END
    FROM (
        SELECT slot, sum(debit_post) AS debits_posted, sum(credit_post) AS credits_posted,
               sum(debit_pend) AS debits_pending, sum(credit_pend) AS credits_pending,
               count(*) FILTER (WHERE debit_post + credit_post > 0) AS entries, bool_or(fact) AS fact
        FROM unnest(leg_debit, leg_credit, leg_post, leg_pend, leg_done, leg_fact)
                AS leg (debit, credit, post, pend, done, fact),
            LATERAL (VALUES (debit, post, 0, pend, 0), (credit, 0, post, 0, pend))
                AS half (slot, debit_post, credit_post, debit_pend, credit_pend)
        WHERE done
        GROUP BY slot
    ) AS delta
    WHERE account.id = accounts[delta.slot];

    INSERT INTO entry (account_id, number, transfer_id, side, amount, balance, posted_at)
    SELECT half.account_id, half.number, step_id[leg.step], half.side, leg.post, half.balance, half.posted_at
    FROM unnest(leg_step, leg_debit, leg_credit, leg_post, leg_done,
                debit_number, credit_number, debit_balance, credit_balance)
            AS leg (step, debit, credit, post, done, debit_number, credit_number, debit_balance, credit_balance),
        LATERAL (VALUES
            (accounts[leg.debit], leg.debit_number, 'debit'::side, leg.debit_balance, posted_at[leg.debit]),
            (accounts[leg.credit], leg.credit_number, 'credit'::side, leg.credit_balance, posted_at[leg.credit])
        ) AS half (account_id, number, side, balance, posted_at)
    WHERE leg.done AND leg.post > 0;
END $$;
