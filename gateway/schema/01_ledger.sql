-- The ledger: assets, accounts, the transfers between them, and the one function that writes them.
--
-- The files of this folder are the schema as it is, in the order of their names. A primary key or foreign key without a
-- name has the one that PostgreSQL gives it (<table>_pkey, <table>_<column>_fkey); everything else is named.
--
-- Named constraints carry the guarantees, so that a mistake in the gateway's code cannot write a wrong ledger:
--   account_available_covered   an intent never takes a guarded account's available balance below zero
--   account_posted_covered      nothing takes a guarded account's posted balance below zero
--   entry_debits_equal_credits  in what one statement writes, each transfer's debits equal its credits in every asset
--   entry_follows_entry         an account's entries are numbered without gaps, each balance is the one before plus or
--                               minus the amount, and the account's counters agree with its last entry
--   entry_is_append_only        an entry is never changed or deleted

CREATE DOMAIN units AS numeric CONSTRAINT units_are_whole CHECK (VALUE = trunc(VALUE));
CREATE DOMAIN amount AS numeric
    CONSTRAINT amount_is_positive CHECK (VALUE > 0)
    CONSTRAINT amount_is_whole CHECK (VALUE = trunc(VALUE))
    CONSTRAINT amount_fits_uint256
        CHECK (VALUE < 115792089237316195423570985008687907853269984665640564039457584007913129639936);
CREATE TYPE side AS ENUM ('debit', 'credit');
CREATE TYPE transfer_state AS ENUM ('pending', 'posted', 'voided', 'expired');

-- Used by the triggers of tables whose rows are kept for ever.
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_is_append_only', TABLE = TG_TABLE_NAME;
END $$;

-- Fiat currencies, tokens and native coins; amounts are in whole units of `decimals` places.
CREATE TABLE asset (
    code text PRIMARY KEY,
    kind text NOT NULL CONSTRAINT asset_kind_known CHECK (kind IN ('fiat', 'token', 'native')),
    decimals smallint NOT NULL CONSTRAINT asset_decimals_sane CHECK (decimals BETWEEN 0 AND 36),
    backing text                       -- of a token: the fiat asset that backs it
);
CREATE TRIGGER asset_is_kept BEFORE DELETE OR TRUNCATE ON asset
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Accounts of wallets and of the operator, with their balances as running totals of each side.
CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CONSTRAINT account_code_unique UNIQUE,
    asset text NOT NULL REFERENCES asset (code),
    normal side NOT NULL,              -- the side that increases the balance
    guarded boolean NOT NULL,          -- whether an intent must leave the available balance at or above zero
    debits_posted numeric NOT NULL DEFAULT 0,
    credits_posted numeric NOT NULL DEFAULT 0,
    debits_pending numeric NOT NULL DEFAULT 0,
    credits_pending numeric NOT NULL DEFAULT 0,
    shortfall numeric NOT NULL DEFAULT 0,   -- how far unconditional postings have taken `available` below zero
    entries bigint NOT NULL DEFAULT 0,      -- how many there are, which is the number of the last
    posted_at timestamptz NOT NULL DEFAULT '-infinity',  -- of the last entry
    owner uuid,                        -- the wallet, of a wallet's account
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
CREATE UNIQUE INDEX account_owner_asset ON account (owner, asset) WHERE owner IS NOT NULL;
CREATE TRIGGER account_is_kept BEFORE DELETE OR TRUNCATE ON account
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A wallet's account is named wallet:<handle>:<asset>. Its owner is stored, so that the parties of a payment and their
-- accounts are found together.
CREATE FUNCTION account_owned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.owner := (SELECT id FROM wallet WHERE handle = split_part(NEW.code, ':', 2));
    RETURN NEW;
END $$;
CREATE TRIGGER account_owned BEFORE INSERT ON account
    FOR EACH ROW WHEN (NEW.code LIKE 'wallet:%') EXECUTE FUNCTION account_owned();

-- An amount that moves between accounts: posted at once, or pending (a hold) until it is posted, voided or expires.
-- Tables that are inserted into far more than updated are vacuumed and analyzed often, in small steps.
CREATE TABLE transfer (
    id uuid PRIMARY KEY,
    state transfer_state NOT NULL,
    purpose text NOT NULL,             -- payment, refund, deposit, withdrawal, conversion, observation, gas
    subject uuid NOT NULL,             -- the payment, deposit, … that it is for
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT transfer_pending_has_no_end CHECK ((state = 'pending') = (ended_at IS NULL))
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE TRIGGER transfer_is_kept BEFORE DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- What a pending transfer sets aside. There are no foreign keys: book_write has locked both accounts and written the
-- transfer in the same transaction, and neither is ever deleted.
CREATE TABLE hold_leg (
    transfer_id uuid NOT NULL,
    number smallint NOT NULL,
    debit_id bigint NOT NULL,
    credit_id bigint NOT NULL,
    amount amount NOT NULL,
    PRIMARY KEY (transfer_id, number),
    CONSTRAINT hold_leg_has_two_sides CHECK (debit_id <> credit_id)
);
CREATE TRIGGER hold_leg_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hold_leg
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- One side of a posted transfer on one account. `entry_checked` verifies its account and transfer for all rows of a
-- statement at once; foreign keys would look each up separately, which cost a fifth of a payment. An entry repeats the
-- purpose and subject of its transfer, so that a page of a statement is read from entries alone.
CREATE TABLE entry (
    account_id bigint NOT NULL,
    number bigint NOT NULL,
    transfer_id uuid NOT NULL,
    side side NOT NULL,
    amount amount NOT NULL,
    balance units NOT NULL,            -- of the account after this entry, on its normal side
    posted_at timestamptz NOT NULL,    -- never earlier than that of the entry before
    purpose text,                      -- as its transfer's; none: read the transfer
    subject uuid,                      -- as its transfer's, where that is another id than the transfer's own
    CONSTRAINT entry_number_unique PRIMARY KEY (account_id, number),
    CONSTRAINT entry_number_from_one CHECK (number >= 1)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE TRIGGER entry_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Checks each inserted entry against its account and the entry before it, and sums each transfer, in one pass; only
-- what is wrong comes back. What one statement writes to an account is its last entries, so an entry that is not the
-- last must have one after it. The limits keep each join an index lookup, however the writer's plans are made.
CREATE FUNCTION entry_checked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT checked.transfer_id, checked.balanced INTO wrong
    FROM (
        SELECT fresh.transfer_id,
            sum(CASE fresh.side WHEN 'debit' THEN fresh.amount ELSE -fresh.amount END) = 0 AS balanced,
            bool_and(coalesce(
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
                    ELSE false END,
                false)) AS follow
        FROM fresh
        LEFT JOIN LATERAL (
            SELECT asset, normal, entries, credits_posted, debits_posted FROM account
            WHERE id = fresh.account_id LIMIT 1
        ) AS account ON true
        LEFT JOIN LATERAL (
            SELECT number, balance, posted_at FROM entry
            WHERE account_id = fresh.account_id AND number = fresh.number - 1 LIMIT 1
        ) AS previous ON true
        GROUP BY fresh.transfer_id, account.asset
    ) AS checked
    WHERE NOT checked.balanced OR NOT checked.follow
        OR (SELECT id FROM transfer WHERE id = checked.transfer_id) IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF NOT wrong.balanced THEN
        RAISE EXCEPTION 'debits and credits differ in transfer %', wrong.transfer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_debits_equal_credits', TABLE = 'entry';
    END IF;
    RAISE EXCEPTION 'an entry of transfer % does not follow from the one before', wrong.transfer_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_follows_entry', TABLE = 'entry';
END $$;
CREATE TRIGGER entry_checked AFTER INSERT ON entry
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION entry_checked();

-- The general writer of the ledger. Steps come in order, and so do their legs; a step is a new transfer (posted at once
-- or pending) or the end of a pending one, whose row the caller has locked. A leg says how much it adds to posted and
-- how much to pending (negative when a hold ends). `accounts` are the ids used, ascending and each once; legs point
-- into it, from 1. A fact is a step that posts whatever is available.
--
-- Accounts are locked in id order, so that two batches cannot deadlock. Steps are tried in order against arrays, and
-- each table is then written once per batch, however hot an account is.
--
-- The outcome has an element per step: 'done'; 'exists' when a new transfer's id is in the ledger already; 'ended' when
-- a transfer to end is not pending; 'short' with the account and what it had available.
--
-- Plans are made once and kept (`plan_cache_mode = force_generic_plan`): PostgreSQL would otherwise plan every call
-- again, because it expects the plan for arrays of unknown length to cost more. A kept plan must be good at every size
-- of the tables, so everything that could read more than one index lookup per row is switched off for these functions:
-- what is left is nested loops over indexes.
CREATE FUNCTION book_write(
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

    INSERT INTO entry (account_id, number, transfer_id, side, amount, balance, posted_at, purpose, subject)
    SELECT half.account_id, half.number, step_id[leg.step], half.side, leg.post, half.balance, half.posted_at,
        step_purpose[leg.step], nullif(step_subject[leg.step], step_id[leg.step])
    FROM unnest(leg_step, leg_debit, leg_credit, leg_post, leg_done,
                debit_number, credit_number, debit_balance, credit_balance)
            AS leg (step, debit, credit, post, done, debit_number, credit_number, debit_balance, credit_balance),
        LATERAL (VALUES
            (accounts[leg.debit], leg.debit_number, 'debit'::side, leg.debit_balance, time[leg.debit]),
            (accounts[leg.credit], leg.credit_number, 'credit'::side, leg.credit_balance, time[leg.credit])
        ) AS half (account_id, number, side, balance, posted_at)
    WHERE leg.done AND leg.post > 0;
END $$;
