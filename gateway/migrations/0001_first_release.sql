-- The ledger: assets, accounts, holds, and the transfers between accounts. What writes them is in 02_ledger_writers.sql.
--
-- The files of this folder are the schema as it is, in the order of their names. A primary key or foreign key without a
-- name has the one that PostgreSQL gives it (<table>_pkey, <table>_<column>_fkey); everything else is named.
--
-- Named constraints carry the guarantees, so that a mistake in the gateway's code cannot write a wrong ledger:
--   account_available_covered   an intent never takes a guarded account's available balance below zero
--   account_posted_covered      nothing takes a guarded account's posted balance below zero
--   transfer_has_two_accounts   a transfer debits one account and credits another by the same amount
--   transfer_moves_one_asset    both of its accounts are of one asset
--   account_counts_its_entries  an account's posted balances change with its count of entries, which never goes back
--   entry_follows_entry         an account's entries are numbered without gaps, each balance is the one before plus or
--                               minus the amount, and the account's counters agree with its last entry
--   transfer_is_append_only     a transfer is never changed or deleted (ledger_payment_is_append_only: nor a payment)

CREATE DOMAIN units AS numeric CONSTRAINT units_are_whole CHECK (VALUE = trunc(VALUE));
CREATE DOMAIN amount AS numeric
    CONSTRAINT amount_is_positive CHECK (VALUE > 0)
    CONSTRAINT amount_is_whole CHECK (VALUE = trunc(VALUE))
    CONSTRAINT amount_fits_uint256
        CHECK (VALUE < 115792089237316195423570985008687907853269984665640564039457584007913129639936);
CREATE DOMAIN memo AS text CONSTRAINT memo_length CHECK (length(VALUE) <= 280);
CREATE TYPE side AS ENUM ('debit', 'credit');
CREATE TYPE hold_state AS ENUM ('pending', 'posted', 'voided', 'expired');

-- Used by the triggers of tables whose rows are never changed or deleted.
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
    closed boolean NOT NULL DEFAULT false,     -- its wallet was closed: nobody pays into it any more
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

-- Postings to an account only increase its counters.
CREATE FUNCTION account_counts_its_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account % has other balances and no further entry', OLD.code
        USING ERRCODE = 'check_violation', CONSTRAINT = 'account_counts_its_entries', TABLE = 'account';
END $$;
CREATE TRIGGER account_counts_its_entries AFTER UPDATE OF debits_posted, credits_posted, entries ON account
    FOR EACH ROW WHEN (
        NEW.entries < OLD.entries OR NEW.entries = OLD.entries
            AND (NEW.debits_posted <> OLD.debits_posted OR NEW.credits_posted <> OLD.credits_posted)
    ) EXECUTE FUNCTION account_counts_its_entries();

-- Refuses transfers and holds into a closed account. Payments to a closed wallet are normally refused earlier, by its
-- handle; one that was in progress when the wallet was closed is retried (40001). Tokens that arrive on the chain are
-- still posted: a transfer there cannot be refused, and tokens at a previous address are swept to the owner's current
-- one (custody/sweep.py).
CREATE FUNCTION account_is_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.credits_pending > OLD.credits_pending
        OR (NEW.debits_pending > OLD.debits_pending OR NEW.entries > OLD.entries)
            AND (SELECT kind FROM asset WHERE code = OLD.asset) = 'fiat' THEN
        RAISE EXCEPTION 'account % is closed', OLD.code USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER account_is_closed AFTER UPDATE ON account  -- not BEFORE, which would lock each row first, with a record in the log
    FOR EACH ROW WHEN (OLD.closed) EXECUTE FUNCTION account_is_closed();

-- A wallet's account is named wallet:<handle>:<asset>. Its owner is stored, so that the parties of a payment and their
-- accounts are found together.
CREATE FUNCTION account_owned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT id, closed_at IS NOT NULL INTO NEW.owner, NEW.closed FROM wallet WHERE handle = split_part(NEW.code, ':', 2);
    NEW.closed := coalesce(NEW.closed, false);
    RETURN NEW;
END $$;
CREATE TRIGGER account_owned BEFORE INSERT ON account
    FOR EACH ROW WHEN (NEW.code LIKE 'wallet:%') EXECUTE FUNCTION account_owned();

-- An amount that was posted from one account to another: one row has both of its entries. A movement of several legs (a
-- payment and its fee) is several transfers of one id, written together. Tables that are inserted into far more than
-- updated are vacuumed and analyzed often, in small steps.
--
-- There are no foreign keys to the accounts: `transfer_checked` verifies them for all rows of a statement at once, and
-- an account is never deleted.
CREATE TABLE transfer (
    debit_id bigint NOT NULL,
    debit_number bigint NOT NULL,      -- of the entry on the debited account
    credit_id bigint NOT NULL,
    credit_number bigint NOT NULL,
    posted_at timestamptz NOT NULL,    -- never earlier than that of the entry before, on either account
    id uuid NOT NULL,
    leg smallint NOT NULL,             -- from 1
    amount amount NOT NULL,
    debit_balance units NOT NULL,      -- of the debited account after this entry, on its normal side
    credit_balance units NOT NULL,
    purpose text NOT NULL,             -- payment, refund, deposit, withdrawal, conversion, observation, gas
    subject uuid,                      -- the payment, deposit, … that it is for, where that is another id than its own
    PRIMARY KEY (id, leg),
    CONSTRAINT transfer_debit_number_unique UNIQUE (debit_id, debit_number),
    CONSTRAINT transfer_credit_number_unique UNIQUE (credit_id, credit_number),
    CONSTRAINT transfer_has_two_accounts CHECK (debit_id <> credit_id),
    CONSTRAINT transfer_numbers_from_one CHECK (debit_number >= 1 AND credit_number >= 1)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE TRIGGER transfer_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A payment on the ledger rail that settled when it was accepted. One row is the payment, its transfer with both entries,
-- its idempotency key and its event in the log: nothing else is written for it. Where it has a fee, that is a second leg
-- with the same id, time and event. (What is held first, waits for an approval or goes by the chain is a
-- `staged_payment` and a `transfer`.)
--
-- The time is one for all that are accepted together, and after that of every entry before on their accounts; the id is
-- made of it and of the payment's place among them. So on each account ids and events rise with the numbers, and lists
-- by id and pages of events are found by number, without an index of their own (`last_payment`).
CREATE TABLE ledger_payment (
    debit_id bigint NOT NULL,
    debit_number bigint NOT NULL,
    credit_id bigint NOT NULL,
    credit_number bigint NOT NULL,
    posted_at timestamptz NOT NULL,
    event bigint NOT NULL,             -- the number of its event, payment.settled
    id uuid NOT NULL,
    leg smallint NOT NULL,             -- 1 is the payment, 2 its fee
    amount amount NOT NULL,
    debit_balance units NOT NULL,
    credit_balance units NOT NULL,
    idempotency_hash bytea,            -- of its idempotency key
    fingerprint bytea,                 -- of the request, as in `idempotency_key`
    refund_of uuid,
    fee amount,
    memo memo,
    PRIMARY KEY (id, leg),
    CONSTRAINT ledger_payment_debit_number_unique UNIQUE (debit_id, debit_number),
    CONSTRAINT ledger_payment_credit_number_unique UNIQUE (credit_id, credit_number),
    CONSTRAINT ledger_payment_idempotency_hash_unique UNIQUE (idempotency_hash),
    CONSTRAINT ledger_payment_event_unique UNIQUE (event, leg),
    CONSTRAINT transfer_has_two_accounts CHECK (debit_id <> credit_id),
    CONSTRAINT transfer_numbers_from_one CHECK (debit_number >= 1 AND credit_number >= 1)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE TRIGGER ledger_payment_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_payment
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- An account's statement: each transfer as it looks from either of its accounts.
CREATE VIEW entry AS
    SELECT debit_id AS account_id, debit_number AS number, id AS transfer_id, 'debit'::side AS side, amount,
        debit_balance AS balance, posted_at, CASE WHEN refund_of IS NULL THEN 'payment' ELSE 'refund' END AS purpose,
        id AS subject
    FROM ledger_payment
    UNION ALL
    SELECT credit_id, credit_number, id, 'credit'::side, amount, credit_balance, posted_at,
        CASE WHEN refund_of IS NULL THEN 'payment' ELSE 'refund' END, id
    FROM ledger_payment
    UNION ALL
    SELECT debit_id, debit_number, id, 'debit'::side, amount, debit_balance, posted_at, purpose, coalesce(subject, id)
    FROM transfer
    UNION ALL
    SELECT credit_id, credit_number, id, 'credit'::side, amount, credit_balance, posted_at, purpose,
        coalesce(subject, id)
    FROM transfer;

-- An amount that is set aside on one account for another, until it is captured (a transfer of the same id and leg posts
-- what was captured), voided or expires. A hold of several legs is several rows of one id, which end together.
CREATE TABLE hold (
    id uuid NOT NULL,
    leg smallint NOT NULL,
    state hold_state NOT NULL,
    debit_id bigint NOT NULL,
    credit_id bigint NOT NULL,
    amount amount NOT NULL,
    purpose text NOT NULL,
    subject uuid NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (id, leg),
    CONSTRAINT hold_has_two_accounts CHECK (debit_id <> credit_id),
    CONSTRAINT hold_pending_has_no_end CHECK ((state = 'pending') = (ended_at IS NULL))
) WITH (fillfactor = 50);  -- as of account: each hold ends once
CREATE TRIGGER hold_is_kept BEFORE DELETE OR TRUNCATE ON hold
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Checks the transfers of one statement on both of their accounts, against the accounts and the entries before them; only
-- what is wrong comes back. On each account the new entries have to be its last: numbered without gaps up to what the
-- account counts, the first of them following the last that was there. So no number is both a debit's and a credit's,
-- though each side has an index of its own (and account_counts_its_entries). The limits keep each join an index lookup,
-- however the writer's plans are made.
CREATE FUNCTION transfer_checked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT checked.id, checked.one_asset INTO wrong
    FROM (
        SELECT half.id,
            account.asset = (SELECT asset FROM account WHERE id = half.other_id) AS one_asset,
            (CASE WHEN half.previous_number IS NOT NULL THEN half.number = half.previous_number + 1
                ELSE half.number = 1 OR previous.balance IS NOT NULL END)
            AND half.posted_at >= coalesce(half.previous_posted_at, previous.posted_at, '-infinity')
            AND half.balance = coalesce(half.previous_balance, previous.balance, 0)
                + CASE account.normal WHEN half.side THEN half.amount ELSE -half.amount END
            AND (half.has_next OR half.number = account.entries AND half.balance =
                CASE account.normal WHEN 'credit' THEN account.credits_posted - account.debits_posted
                    ELSE account.debits_posted - account.credits_posted END) AS follows
        FROM (
            SELECT *, lag(number) OVER own AS previous_number, lag(balance) OVER own AS previous_balance,
                lag(posted_at) OVER own AS previous_posted_at, lead(number) OVER own IS NOT NULL AS has_next
            FROM (
                SELECT id, amount, posted_at, debit_id AS account_id, 'debit'::side AS side, debit_number AS number,
                    debit_balance AS balance, credit_id AS other_id
                FROM fresh
                UNION ALL
                SELECT id, amount, posted_at, credit_id, 'credit'::side, credit_number, credit_balance, debit_id
                FROM fresh
            ) AS half
            WINDOW own AS (PARTITION BY account_id ORDER BY number)
        ) AS half
        LEFT JOIN LATERAL (
            SELECT asset, normal, entries, credits_posted, debits_posted FROM account
            WHERE id = half.account_id LIMIT 1
        ) AS account ON true
        LEFT JOIN LATERAL (
            SELECT balance, posted_at FROM entry
            WHERE half.previous_number IS NULL AND account_id = half.account_id AND number = half.number - 1 LIMIT 1
        ) AS previous ON true
    ) AS checked
    WHERE checked.one_asset IS NOT TRUE OR checked.follows IS NOT TRUE
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF wrong.one_asset IS FALSE THEN
        RAISE EXCEPTION 'transfer % is between accounts of two assets', wrong.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_moves_one_asset', TABLE = TG_TABLE_NAME;
    END IF;
    RAISE EXCEPTION 'an entry of transfer % does not follow from the one before', wrong.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_follows_entry', TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER transfer_checked AFTER INSERT ON transfer
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION transfer_checked();
CREATE TRIGGER ledger_payment_checked AFTER INSERT ON ledger_payment
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION transfer_checked();

-- The functions that change accounts and write holds and transfers: ledger_write decides any mixture in order;
-- ledger_post and ledger_hold are for groups in which every payer has enough, and refuse the whole group otherwise;
-- ledger_end ends holds.

-- Decides steps, changes the accounts and the holds, and returns for each leg the entry numbers and balances of its
-- transfer, for the caller to write. Steps come in order, and so do their legs; a step is a new transfer, a new hold,
-- or the end of a hold, whose rows the caller has locked. A leg says how much it adds to posted and how much to pending
-- (negative when a hold ends). `accounts` are the ids used, ascending and each once; legs point into it, from 1. An
-- unconditional step posts whatever is available.
--
-- Accounts are locked in id order, so that two batches cannot deadlock. Steps are tried in order against arrays, and
-- each table is then written once per batch, however hot an account is.
--
-- The outcome has an element per step: 'done'; 'exists' when a new step's id is in the ledger already; 'ended' when a
-- hold to end is not pending; 'short' with the account and what it had available.
--
-- Plans are made once and kept (`plan_cache_mode = force_generic_plan`): PostgreSQL would otherwise plan every call
-- again, because it expects the plan for arrays of unknown length to cost more. A kept plan must be good at every size
-- of the tables, so everything that could read more than one index lookup per row is switched off for these functions:
-- what is left is nested loops over indexes.
CREATE FUNCTION ledger_decide(
    at timestamptz, accounts bigint[],
    step_id uuid[], step_new boolean[], step_state hold_state[], step_unconditional boolean[],
    step_purpose text[], step_subject uuid[],
    leg_step integer[], leg_debit integer[], leg_credit integer[], leg_post numeric[], leg_pend numeric[],
    OUT outcome text[], OUT short_account bigint[], OUT short_available numeric[],
    OUT leg_done boolean[], OUT leg_number smallint[], OUT posted_at timestamptz[],
    OUT debit_number bigint[], OUT credit_number bigint[], OUT debit_balance numeric[], OUT credit_balance numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    legs CONSTANT integer := cardinality(leg_step);
    by_credit boolean[]; guarded boolean[];              -- of each account: what increases its balance
    debits numeric[]; credits numeric[];                 -- posted so far
    debits_held numeric[]; credits_held numeric[];       -- pending now
    last bigint[]; time timestamptz[];                   -- of its last entry: no account's time goes back, a clock may
    touched boolean[] := array_fill(false, ARRAY[cardinality(accounts)]);
    unconditional boolean[] := touched;                  -- whether such a step or an end was among what touched it
    known boolean[];
    first integer := 1; final integer; short integer; d integer; c integer; post numeric; pend numeric;
BEGIN
    outcome := array_fill('done'::text, ARRAY[cardinality(step_id)]);
    short_account := array_fill(NULL::bigint, ARRAY[cardinality(step_id)]);
    short_available := array_fill(NULL::numeric, ARRAY[cardinality(step_id)]);
    leg_done := array_fill(false, ARRAY[legs]); leg_number := array_fill(1::smallint, ARRAY[legs]);
    debit_number := array_fill(0::bigint, ARRAY[legs]); credit_number := debit_number;
    debit_balance := array_fill(0::numeric, ARRAY[legs]); credit_balance := debit_balance;
    posted_at := array_fill(at, ARRAY[legs]);
    SELECT array_agg(a.normal = 'credit' ORDER BY a.id), array_agg(a.guarded ORDER BY a.id),
           array_agg(a.debits_posted ORDER BY a.id), array_agg(a.credits_posted ORDER BY a.id),
           array_agg(a.debits_pending ORDER BY a.id), array_agg(a.credits_pending ORDER BY a.id),
           array_agg(a.entries ORDER BY a.id), array_agg(a.posted_at ORDER BY a.id)
    INTO by_credit, guarded, debits, credits, debits_held, credits_held, last, time
    FROM (SELECT * FROM account WHERE id = ANY (accounts) ORDER BY id FOR NO KEY UPDATE) AS a;
    IF coalesce(cardinality(last), 0) <> cardinality(accounts) THEN
        RAISE EXCEPTION 'an account of the batch does not exist' USING ERRCODE = 'foreign_key_violation';
    END IF;

    SELECT array_agg(CASE
        WHEN step.new THEN (SELECT id FROM transfer WHERE transfer.id = step.id LIMIT 1) IS NOT NULL
            OR (SELECT id FROM hold WHERE hold.id = step.id LIMIT 1) IS NOT NULL
        ELSE (SELECT state FROM hold WHERE hold.id = step.id LIMIT 1) IS DISTINCT FROM 'pending' END ORDER BY step.n)
    INTO known
    FROM unnest(step_id, step_new) WITH ORDINALITY AS step (id, new, n);

    FOR i IN 1 .. cardinality(step_id) LOOP
        final := first - 1;
        WHILE leg_step[final + 1] = i LOOP final := final + 1; END LOOP;
        IF known[i] THEN
            outcome[i] := CASE WHEN step_new[i] THEN 'exists' ELSE 'ended' END;
            first := final + 1;
            CONTINUE;
        END IF;

        FOR l IN first .. final LOOP
            d := leg_debit[l]; c := leg_credit[l]; post := leg_post[l]; pend := leg_pend[l];
            leg_number[l] := l - first + 1;
            debits[d] := debits[d] + post; credits[c] := credits[c] + post;
            IF pend <> 0 THEN
                debits_held[d] := debits_held[d] + pend; credits_held[c] := credits_held[c] + pend;
            END IF;
            debit_balance[l] := CASE WHEN by_credit[d] THEN credits[d] - debits[d] ELSE debits[d] - credits[d] END;
            credit_balance[l] := CASE WHEN by_credit[c] THEN credits[c] - debits[c] ELSE debits[c] - credits[c] END;
        END LOOP;

        short := NULL;
        IF step_new[i] AND NOT step_unconditional[i] THEN
            FOR l IN first .. final LOOP
                d := leg_debit[l]; c := leg_credit[l];
                -- Only the side that a leg takes from can be left short by it.
                IF by_credit[d] AND guarded[d] AND credits[d] - debits[d] < debits_held[d] THEN
                    short := d;
                ELSIF NOT by_credit[c] AND guarded[c] AND debits[c] - credits[c] < credits_held[c] THEN
                    short := c;
                END IF;
            END LOOP;
        END IF;

        IF short IS NULL THEN
            FOR l IN first .. final LOOP
                d := leg_debit[l]; c := leg_credit[l];
                leg_done[l] := true; touched[d] := true; touched[c] := true;
                IF step_unconditional[i] OR NOT step_new[i] THEN
                    unconditional[d] := true; unconditional[c] := true;
                END IF;
                IF leg_post[l] > 0 THEN
                    last[d] := last[d] + 1; debit_number[l] := last[d];
                    last[c] := last[c] + 1; credit_number[l] := last[c];
                    posted_at[l] := greatest(at, time[d], time[c]);
                    time[d] := posted_at[l]; time[c] := posted_at[l];
                END IF;
            END LOOP;
        ELSE
            FOR l IN first .. final LOOP
                d := leg_debit[l]; c := leg_credit[l]; post := leg_post[l]; pend := leg_pend[l];
                debits[d] := debits[d] - post; credits[c] := credits[c] - post;
                debits_held[d] := debits_held[d] - pend; credits_held[c] := credits_held[c] - pend;
            END LOOP;
            outcome[i] := 'short';
            short_account[i] := accounts[short];
            short_available[i] := CASE WHEN by_credit[short] THEN credits[short] - debits[short] - debits_held[short]
                ELSE debits[short] - credits[short] - credits_held[short] END;
        END IF;
        first := final + 1;
    END LOOP;

    IF false = ANY (step_new) THEN
        UPDATE hold SET state = step.state, ended_at = at
        FROM unnest(step_id, step_new, step_state, outcome) AS step (id, new, state, outcome)
        WHERE hold.id = ANY (ARRAY[step.id]) AND NOT step.new AND step.outcome = 'done';  -- ANY: see ledger_end
    END IF;
    IF 'pending' = ANY (step_state) THEN
        INSERT INTO hold (id, leg, state, debit_id, credit_id, amount, purpose, subject, created_at)
        SELECT step_id[step], leg.number, 'pending', accounts[debit], accounts[credit], pend, step_purpose[step],
            step_subject[step], at
        FROM unnest(leg_step, leg_number, leg_debit, leg_credit, leg_pend, leg_done)
            AS leg (step, number, debit, credit, pend, done)
        WHERE done AND step_new[step] AND step_state[step] = 'pending';
    END IF;

    UPDATE account SET
        debits_posted = new.debits, credits_posted = new.credits,
        debits_pending = new.debits_held, credits_pending = new.credits_held,
        entries = new.last, posted_at = new.time,
        shortfall = CASE WHEN new.unconditional OR account.shortfall > new.missing THEN new.missing
            ELSE account.shortfall END
    FROM (
        SELECT *, greatest(0,
            CASE WHEN by_credit THEN debits_held - credits + debits ELSE credits_held - debits + credits END) AS missing
        FROM unnest(accounts, by_credit, debits, credits, debits_held, credits_held, last, time, unconditional, touched)
            AS a (id, by_credit, debits, credits, debits_held, credits_held, last, time, unconditional, touched)
    ) AS new
    WHERE account.id = new.id AND new.touched;
END $$;

-- Writes steps as ledger_decide decides them, each transfer as a row. The one writer of everything but payments that
-- settle at once (settle_payments).
CREATE FUNCTION ledger_write(
    at timestamptz, accounts bigint[],
    step_id uuid[], step_new boolean[], step_state hold_state[], step_unconditional boolean[],
    step_purpose text[], step_subject uuid[],
    leg_step integer[], leg_debit integer[], leg_credit integer[], leg_post numeric[], leg_pend numeric[],
    OUT outcome text[], OUT short_account bigint[], OUT short_available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    decided record;
BEGIN
    SELECT * INTO decided
    FROM ledger_decide(at, accounts, step_id, step_new, step_state, step_unconditional, step_purpose, step_subject,
        leg_step, leg_debit, leg_credit, leg_post, leg_pend);
    outcome := decided.outcome; short_account := decided.short_account; short_available := decided.short_available;
    INSERT INTO transfer (debit_id, debit_number, credit_id, credit_number, posted_at, id, leg, amount, debit_balance,
        credit_balance, purpose, subject)
    SELECT accounts[leg.debit], leg.debit_number, accounts[leg.credit], leg.credit_number, leg.posted_at,
        step_id[leg.step], leg.number, leg.post, leg.debit_balance, leg.credit_balance, step_purpose[leg.step],
        nullif(step_subject[leg.step], step_id[leg.step])
    FROM unnest(leg_step, decided.leg_number, leg_debit, leg_credit, leg_post, decided.leg_done, decided.debit_number,
            decided.credit_number, decided.debit_balance, decided.credit_balance, decided.posted_at)
        AS leg (step, number, debit, credit, post, done, debit_number, credit_number, debit_balance, credit_balance,
            posted_at)
    WHERE leg.done AND leg.post > 0;
END $$;

-- Changes the accounts for transfers that every account has enough for, whatever their order, and returns their entry
-- numbers and balances, for the caller to write; raises account_available_covered if an account has too little, and
-- then changes nothing. It does the same as ledger_decide at a lower cost: one statement locks and changes the
-- accounts, in the order of their ids, and nothing is decided.
--
-- Legs come in order, an element of each array; an account's entries are numbered in that order. Their time, one for
-- all, is `at`, or later where an account has an entry as late. With `released`, legs end holds of these amounts: an
-- amount is then at most the released one, and may be 0, which releases the hold without an entry.
CREATE FUNCTION ledger_post(
    at timestamptz, debit bigint[], credit bigint[], amount numeric[], released numeric[],
    OUT debit_number bigint[], OUT credit_number bigint[], OUT debit_balance numeric[], OUT credit_balance numeric[],
    OUT posted_at timestamptz
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    earliest timestamptz := 'infinity';
    one record; number bigint; balance numeric; place integer;
BEGIN
    debit_number := array_fill(0::bigint, ARRAY[cardinality(debit)]); credit_number := debit_number;
    debit_balance := array_fill(0::numeric, ARRAY[cardinality(debit)]); credit_balance := debit_balance;
    posted_at := at;
    FOR one IN
        WITH changed AS (
            UPDATE account SET
                debits_posted = account.debits_posted + part.given, credits_posted = account.credits_posted + part.got,
                debits_pending = account.debits_pending - part.not_given,
                credits_pending = account.credits_pending - part.not_got,
                entries = account.entries + cardinality(part.places),
                posted_at = CASE part.places WHEN '{}' THEN account.posted_at
                    ELSE greatest(account.posted_at + interval '1 microsecond', at) END,
                shortfall = least(account.shortfall, greatest(0, CASE account.normal
                    WHEN 'credit' THEN account.debits_pending - account.credits_posted + account.debits_posted
                        + part.given - part.got - part.not_given
                    ELSE account.credits_pending - account.debits_posted + account.credits_posted
                        + part.got - part.given - part.not_got END))
            FROM (
                SELECT account, sum(given) AS given, sum(got) AS got,
                    coalesce(sum(not_given), 0) AS not_given, coalesce(sum(not_got), 0) AS not_got,
                    coalesce(array_agg(place ORDER BY abs(place)) FILTER (WHERE place IS NOT NULL), '{}') AS places
                FROM (
                    SELECT debit AS account, amount AS given, 0 AS got, released AS not_given, NULL::numeric AS not_got,
                        CASE WHEN amount > 0 THEN -n::integer END AS place
                    FROM unnest(debit, amount, released) WITH ORDINALITY AS half (debit, amount, released, n)
                    UNION ALL
                    SELECT credit, 0, amount, NULL, released, CASE WHEN amount > 0 THEN n::integer END
                    FROM unnest(credit, amount, released) WITH ORDINALITY AS half (credit, amount, released, n)
                ) AS half
                GROUP BY account
                ORDER BY account
            ) AS part
            WHERE account.id = part.account
            RETURNING account.code, account.posted_at, account.entries - cardinality(part.places) AS entries,
                CASE account.normal WHEN 'credit' THEN 1 ELSE -1 END AS sign,
                CASE account.normal WHEN 'credit' THEN account.credits_posted - account.debits_posted
                    ELSE account.debits_posted - account.credits_posted END AS balance,
                CASE account.normal WHEN 'credit' THEN part.got - part.given ELSE part.given - part.got END AS gained,
                account.guarded AND CASE account.normal
                    WHEN 'credit' THEN part.given > part.not_given
                        AND account.credits_posted - part.got - account.debits_posted < account.debits_pending
                    ELSE part.got > part.not_got
                        AND account.debits_posted - part.given - account.credits_posted < account.credits_pending
                    END AS short,
                part.places
        )
        SELECT * FROM changed WHERE places <> '{}'
    LOOP
        IF one.short THEN
            RAISE EXCEPTION '% has not enough for all', one.code
                USING ERRCODE = 'check_violation', CONSTRAINT = 'account_available_covered', TABLE = 'account';
        END IF;
        number := one.entries; balance := one.balance - one.gained;
        posted_at := greatest(posted_at, one.posted_at); earliest := least(earliest, one.posted_at);
        FOREACH place IN ARRAY one.places LOOP
            number := number + 1;
            IF place < 0 THEN
                place := -place; balance := balance - one.sign * amount[place];
                debit_number[place] := number; debit_balance[place] := balance;
            ELSE
                balance := balance + one.sign * amount[place];
                credit_number[place] := number; credit_balance[place] := balance;
            END IF;
        END LOOP;
    END LOOP;
    IF earliest < posted_at THEN
        UPDATE account SET posted_at = ledger_post.posted_at
        WHERE account.posted_at < ledger_post.posted_at AND id = ANY (ARRAY(
            SELECT side FROM unnest(debit || credit, debit_number || credit_number) AS entry (side, number)
            WHERE entry.number > 0));
    END IF;
END $$;

-- Holds amounts that every payer has enough for, whatever their order; if a payer has too little,
-- account_available_covered refuses all of them. It writes the same as ledger_write at a lower cost: one statement
-- locks and changes the accounts, in the order of their ids, and nothing is decided. (A hold only reduces the available
-- balance, so `shortfall` stays.) Legs come in order, an element of each array, all of a hold together. Each hold is
-- its own subject.
CREATE FUNCTION ledger_hold(
    at timestamptz, hold_id uuid[], leg smallint[], debit bigint[], credit bigint[], amount numeric[], purpose text[]
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    UPDATE account SET
        debits_pending = account.debits_pending + part.given, credits_pending = account.credits_pending + part.got
    FROM (
        SELECT account, sum(given) AS given, sum(got) AS got
        FROM (
            SELECT debit AS account, amount AS given, 0 AS got FROM unnest(debit, amount) AS half (debit, amount)
            UNION ALL
            SELECT credit, 0, amount FROM unnest(credit, amount) AS half (credit, amount)
        ) AS half
        GROUP BY account
        ORDER BY account
    ) AS part
    WHERE account.id = part.account;
    INSERT INTO hold (id, leg, state, debit_id, credit_id, amount, purpose, subject, created_at)
    SELECT new.id, new.leg, 'pending', new.debit, new.credit, new.amount, new.purpose, new.id, at
    FROM unnest(hold_id, leg, debit, credit, amount, purpose) AS new (id, leg, debit, credit, amount, purpose);
END $$;

-- Holds amounts in order, each if the payer has it; arrays are those of ledger_hold. `enough`: every payer seems to
-- have enough. Then ledger_hold holds all amounts; if not, or if a balance has shrunk since, ledger_write decides hold
-- by hold. Returns per hold the payer's available balance if it is refused, otherwise NULL; a single NULL if none is
-- refused.
CREATE FUNCTION ledger_hold_each(
    at timestamptz, enough boolean, hold_id uuid[], leg smallint[], debit bigint[], credit bigint[], amount numeric[],
    purpose text[]
) RETURNS numeric[] LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    accounts bigint[]; step_id uuid[]; step_purpose text[];
BEGIN
    IF enough THEN
        BEGIN
            PERFORM ledger_hold(at, hold_id, leg, debit, credit, amount, purpose);
            RETURN NULL;
        EXCEPTION WHEN check_violation THEN
            NULL;  -- a balance has shrunk since: each is decided below
        END;
    END IF;
    accounts := ARRAY(SELECT DISTINCT account FROM unnest(debit || credit) AS account ORDER BY account);
    SELECT array_agg(begun.id ORDER BY n), array_agg(begun.purpose ORDER BY n) INTO step_id, step_purpose
    FROM unnest(hold_id, leg, purpose) WITH ORDINALITY AS begun (id, leg, purpose, n) WHERE begun.leg = 1;
    RETURN (
        SELECT short_available
        FROM ledger_write(
            at, accounts, step_id, array_fill(true, ARRAY[cardinality(step_id)]),
            array_fill('pending'::hold_state, ARRAY[cardinality(step_id)]), array_fill(false, ARRAY[cardinality(step_id)]),
            step_purpose, step_id,
            ARRAY(SELECT (sum((part.n = 1)::integer) OVER (ORDER BY place))::integer
                FROM unnest(leg) WITH ORDINALITY AS part (n, place)),
            ARRAY(SELECT width_bucket(account, accounts) FROM unnest(debit) AS account),
            ARRAY(SELECT width_bucket(account, accounts) FROM unnest(credit) AS account),
            array_fill(0::numeric, ARRAY[cardinality(amount)]), amount)
    );
END $$;

-- Ends holds: of each leg `units` are posted, and the rest is released. It writes the same as ledger_write at a lower
-- cost: the holds, the accounts (by ledger_post) and the transfers are one statement each, and nothing is decided,
-- since the end of a hold moves only money that was held. Legs come in order, all of a hold together. The caller has
-- locked the holds, or the payments that they are for. Raises hold_is_pending if one has ended.
--
-- A plan is kept, also one that was made while the table of holds was as good as empty. That plan may read all of an index
-- that can be merged with the steps, and `hold.id = step.id` can: of 5,000 holds, 50 ended in 139 ms. ANY cannot: 0.5 ms.
CREATE FUNCTION ledger_end(
    at timestamptz, hold_id uuid[], leg smallint[], state hold_state[], units numeric[]
) RETURNS void LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    debit bigint[]; credit bigint[]; held numeric[]; purpose text[]; subject uuid[];
    written record;
BEGIN
    WITH ended AS (
        UPDATE hold SET state = step.state, ended_at = at
        FROM (
            SELECT id, leg, state, n FROM unnest(hold_id, leg, state) WITH ORDINALITY AS step (id, leg, state, n)
            ORDER BY id, leg
        ) AS step
        WHERE hold.id = ANY (ARRAY[step.id]) AND hold.leg = step.leg AND hold.state = 'pending'
        RETURNING step.n, hold.debit_id, hold.credit_id, hold.amount, hold.purpose, hold.subject
    )
    SELECT array_agg(ended.debit_id ORDER BY n), array_agg(ended.credit_id ORDER BY n),
        array_agg(ended.amount::numeric ORDER BY n), array_agg(ended.purpose ORDER BY n), array_agg(ended.subject ORDER BY n)
    INTO debit, credit, held, purpose, subject
    FROM ended;
    IF cardinality(debit) IS DISTINCT FROM cardinality(hold_id) THEN
        RAISE EXCEPTION 'a hold that was to end is not pending'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'hold_is_pending', TABLE = 'hold';
    END IF;

    SELECT * INTO written FROM ledger_post(at, debit, credit, units, held);
    IF NOT 0 < ANY (units) THEN
        RETURN;  -- nothing is posted
    END IF;
    INSERT INTO transfer (debit_id, debit_number, credit_id, credit_number, posted_at, id, leg, amount, debit_balance,
        credit_balance, purpose, subject)
    SELECT new.debit, new.debit_number, new.credit, new.credit_number, written.posted_at, new.id, new.leg, new.units,
        new.debit_balance, new.credit_balance, new.purpose, nullif(new.subject, new.id)
    FROM unnest(hold_id, leg, units, debit, written.debit_number, written.debit_balance, credit, written.credit_number,
            written.credit_balance, purpose, subject)
        AS new (id, leg, units, debit, debit_number, debit_balance, credit, credit_number, credit_balance, purpose, subject)
    WHERE new.units > 0;
END $$;
-- Wallets, their handles and their addresses. Addresses are EIP-55 checksummed text.

-- The skeleton of a handle (UTS 39) for a-z, 0-9 and _, and for every spelling of it in capitals: 0 and o look alike,
-- and so do 1 and l, i and l (as a capital I), and m and rn. Beyond the standard: w and vv look alike, and
-- underscores are left out.
CREATE FUNCTION confusable_skeleton(handle text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN replace(replace(translate(handle, '01i_', 'oll'), 'm', 'rn'), 'w', 'vv');

-- A wallet: its handle, the address that it is paid at, and its restrictions. Other files add triggers:
-- wallet_keys_are_checked (04_identity.sql), wallet_has_policy and wallet_freezes_authorizations (10_controls.sql),
-- wallet_in_recovery (13_recovery.sql).
CREATE TABLE wallet (
    id uuid PRIMARY KEY,
    handle text NOT NULL CONSTRAINT wallet_handle_unique UNIQUE
        CONSTRAINT wallet_handle_shape CHECK (handle ~ '^[a-z0-9_]{2,30}$'),
    address text NOT NULL CONSTRAINT wallet_address_unique UNIQUE
        CONSTRAINT wallet_address_shape CHECK (address ~ '^0x[0-9a-fA-F]{40}$'),
    created_at timestamptz NOT NULL,
    custody text NOT NULL,             -- of its current address
    guarded boolean NOT NULL DEFAULT false,    -- from its first passkey on: its policy applies
    frozen_at timestamptz,             -- since when it is frozen
    skeleton text CONSTRAINT wallet_skeleton_unique UNIQUE,  -- NULL: another wallet had it first
    recovered_at timestamptz,          -- when its owner last signed in with a recovery code
    moved_at timestamptz,              -- when it last got another address: maintained by wallet_moves, below
    -- When somebody may have taken it over, which payers are warned of.
    changed_at timestamptz GENERATED ALWAYS AS (greatest(recovered_at, moved_at)) STORED,
    closed_at timestamptz              -- when its owner closed it permanently: it has no money, and its handle stays taken
);
-- A page of payments names the other party of each: fifty handles by id, from the index alone.
CREATE UNIQUE INDEX wallet_handle_of_id ON wallet (id) INCLUDE (handle);
CREATE TRIGGER wallet_is_kept BEFORE DELETE OR TRUNCATE ON wallet
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE FUNCTION handle_is_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a handle is its wallet''s for ever' USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER wallet_handle_is_for_ever BEFORE UPDATE OF handle, id ON wallet
    FOR EACH ROW WHEN (NEW.handle <> OLD.handle OR NEW.id <> OLD.id) EXECUTE FUNCTION handle_is_for_ever();

-- A closed wallet gets nothing new: no session, no key, no notification address. A transaction that adds one waits for
-- a wallet that is being closed, and is then refused.
CREATE FUNCTION wallet_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT closed_at FROM wallet WHERE id = NEW.wallet_id FOR SHARE) IS NOT NULL THEN
        RAISE EXCEPTION 'the wallet is closed' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION wallet_is_closed_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a closed wallet stays closed' USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER wallet_is_closed_for_ever BEFORE UPDATE OF closed_at ON wallet
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at)
    EXECUTE FUNCTION wallet_is_closed_for_ever();

-- Handles that could be mistaken for the operator, its staff or a part of the product. Nobody can claim one or a
-- lookalike of one; a wallet that has one already keeps it. An operator may add words. 'all' is left out, since it looks
-- like the name Ali.
CREATE TABLE reserved_handle (
    word text NOT NULL CONSTRAINT reserved_handle_shape CHECK (word ~ '^[a-z0-9_]{2,30}$'),
    skeleton text NOT NULL GENERATED ALWAYS AS (confusable_skeleton(word)) STORED
        CONSTRAINT reserved_handle_once PRIMARY KEY
);
INSERT INTO reserved_handle (word) VALUES
    ('admin'), ('administrator'), ('moderator'), ('official'), ('operator'), ('owner'), ('root'), ('staff'), ('system'),
    ('team'), ('abuse'), ('contact'), ('help'), ('helpdesk'), ('info'), ('support'), ('service'), ('security'),
    ('hostmaster'), ('postmaster'), ('webmaster'), ('noreply'), ('mail'), ('email'), ('www'), ('api'),
    ('bank'), ('billing'), ('compliance'), ('finance'), ('fraud'), ('legal'), ('police'), ('treasury'),
    ('account'), ('accounts'), ('gateway'), ('login'), ('logout'), ('passkey'), ('passkeys'), ('payment'), ('payments'),
    ('recovery'), ('refund'), ('refunds'), ('settings'), ('sign_in'), ('sign_out'), ('sign_up'), ('verify'),
    ('verification'), ('escrow'), ('fees'), ('relayer'), ('reserve'),
    ('anonymous'), ('anybody'), ('everybody'), ('everyone'), ('me'), ('nobody'), ('none'), ('null'),
    ('undefined'), ('unknown');

CREATE FUNCTION skeleton_of_a_new_handle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.skeleton := confusable_skeleton(NEW.handle);
    IF EXISTS (SELECT FROM reserved_handle WHERE skeleton = NEW.skeleton) THEN
        RAISE EXCEPTION '% is reserved', NEW.handle
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_handle_not_reserved';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallet_skeleton BEFORE INSERT ON wallet FOR EACH ROW EXECUTE FUNCTION skeleton_of_a_new_handle();

-- The current address of each wallet and those it had before. The holder of an address's key signs for it.
CREATE TABLE wallet_address (
    address text PRIMARY KEY CONSTRAINT wallet_address_is_one CHECK (address ~ '^0x[0-9a-fA-F]{40}$'),
    wallet_id uuid NOT NULL REFERENCES wallet (id),        -- never changes: an address stays with its wallet
    -- gateway: the gateway keeps the key, encrypted. owner: the owner bound it. contract: it signs by ERC-1271.
    custody text NOT NULL CONSTRAINT wallet_address_custody_known CHECK (custody IN ('gateway', 'owner', 'contract')),
    since timestamptz NOT NULL,
    -- The block at which the balance of a bound address was posted as one sum. Movements up to this block are not posted
    -- when a block is read again. Zero if the gateway keeps the key.
    read_to bigint NOT NULL DEFAULT 0,
    CONSTRAINT wallet_address_whole UNIQUE (wallet_id, address, custody)
);
CREATE UNIQUE INDEX wallet_address_custodial ON wallet_address (wallet_id) WHERE custody = 'gateway';
CREATE TRIGGER wallet_address_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_address
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE FUNCTION wallet_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE wallet SET moved_at = greatest(moved_at, NEW.since) WHERE id = NEW.wallet_id AND created_at < NEW.since;
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_moves AFTER INSERT ON wallet_address FOR EACH ROW EXECUTE FUNCTION wallet_moves();
ALTER TABLE wallet ADD CONSTRAINT wallet_has_its_address FOREIGN KEY (id, address, custody)
    REFERENCES wallet_address (wallet_id, address, custody);

-- The addresses whose tokens count as a wallet's: the current one, and any whose key the gateway keeps, because what
-- arrives there is swept to the current one. What arrives at another former address is outside the ledger.
CREATE VIEW counted_address AS
SELECT wallet_address.address, wallet.id AS wallet_id
FROM wallet_address JOIN wallet ON wallet.id = wallet_address.wallet_id
WHERE wallet_address.custody = 'gateway' OR wallet_address.address = wallet.address;

-- The parts of the EIP-4361 message that an owner is asked to sign to bind an address. The message is composed again when
-- the signature arrives. A wallet has one at a time.
CREATE TABLE address_challenge (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    nonce text NOT NULL CONSTRAINT address_challenge_nonce_once UNIQUE,
    address text NOT NULL,
    domain text NOT NULL,
    uri text NOT NULL,
    chain_id bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz                -- when it bound the address; it does so once
);
-- The private keys that the gateway keeps, encrypted, and which master key each is encrypted with.

-- Master keys by number. The greatest number encrypts; earlier ones decrypt what has not been encrypted again yet. Only
-- a check value is stored, so that a gateway with another key is refused before it encrypts anything.
CREATE TABLE master_key (
    check_value bytea NOT NULL CONSTRAINT master_key_check_value_unique UNIQUE,    -- reveals nothing about the key
    number integer PRIMARY KEY CONSTRAINT master_key_number_from_one CHECK (number >= 1),
    made_at timestamptz NOT NULL,
    retired_at timestamptz             -- nothing is encrypted with it from then on
);
CREATE TRIGGER master_key_is_kept BEFORE DELETE OR TRUNCATE ON master_key
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Retiring a master key waits for the transactions that are encrypting with it; later ones are refused.
CREATE FUNCTION master_key_is_active() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM master_key WHERE number = NEW.master AND retired_at IS NULL FOR SHARE;
    IF NOT FOUND AND EXISTS (SELECT FROM master_key) THEN
        RAISE EXCEPTION 'no key is encrypted under master key % any more', NEW.master
            USING ERRCODE = 'check_violation', CONSTRAINT = 'master_key_is_active';
    END IF;
    RETURN NEW;
END $$;

-- The private key of a wallet's address.
CREATE TABLE encrypted_key (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    ciphertext bytea NOT NULL,         -- AES-256-GCM: 12 bytes of nonce, then ciphertext and tag
    master integer NOT NULL            -- the number of its master key
);
CREATE TRIGGER master_key_is_active BEFORE INSERT OR UPDATE ON encrypted_key
    FOR EACH ROW EXECUTE FUNCTION master_key_is_active();

-- The check value of the root key, from which the keys of new wallets are derived: a gateway with another root key
-- would give handles other addresses, which a restore could not find again.
CREATE TABLE root_key (
    number integer PRIMARY KEY CONSTRAINT root_key_single CHECK (number = 1),
    check_value bytea NOT NULL CONSTRAINT root_key_check_value_is_a_hash CHECK (length(check_value) = 32),
    made_at timestamptz NOT NULL
);
CREATE TRIGGER root_key_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON root_key
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- Credentials: passkeys, sessions, recovery codes, an Ethereum wallet's signature, and API keys.

-- WebAuthn credentials that owners sign in and approve payments with.
CREATE TABLE passkey (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    credential_id bytea NOT NULL CONSTRAINT passkey_credential_unique UNIQUE
        CONSTRAINT passkey_credential_length CHECK (length(credential_id) BETWEEN 1 AND 1023),
    public_key bytea NOT NULL,         -- in COSE (RFC 9052)
    sign_count bigint NOT NULL CONSTRAINT passkey_sign_count_of_four_bytes CHECK (sign_count BETWEEN 0 AND 4294967295),
    backed_up boolean NOT NULL,
    name text NOT NULL CONSTRAINT passkey_name_length CHECK (length(name) BETWEEN 1 AND 60),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    ended_at timestamptz,
    ended_by text CONSTRAINT passkey_ended_by_known CHECK (ended_by IN ('revoked', 'cloned', 'closed')),
    CONSTRAINT passkey_ended_by_something CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX passkey_of_wallet ON passkey (wallet_id);
CREATE TRIGGER passkey_is_kept BEFORE DELETE OR TRUNCATE ON passkey
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Challenges to passkeys: a hash over the approved details and a nonce. Expired ones are deleted after a while.
CREATE TABLE passkey_challenge (
    challenge bytea PRIMARY KEY CONSTRAINT passkey_challenge_is_a_sha256 CHECK (length(challenge) = 32),
    wallet_id uuid REFERENCES wallet (id),     -- NULL: the answer says whose passkey it is
    purpose text NOT NULL,
    nonce bytea NOT NULL CONSTRAINT passkey_challenge_nonce_length CHECK (length(nonce) = 32),
    rp_id text NOT NULL,
    origin text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX passkey_challenge_over ON passkey_challenge (expires_at);

-- Sessions of owners in a browser.
CREATE TABLE session (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    sign_in_method text NOT NULL CONSTRAINT session_sign_in_method_known
        CHECK (sign_in_method IN ('passkey', 'ethereum', 'recovery_code', 'link')),
    passkey_id uuid REFERENCES passkey (id),
    device text NOT NULL CONSTRAINT session_device_length CHECK (length(device) <= 200),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text CONSTRAINT session_ended_by_known
        CHECK (ended_by IN ('signed_out', 'signed_in_again', 'passkey_ended', 'stolen', 'first_passkey', 'closed')),
    device_since timestamptz NOT NULL, -- since when its passkey is there, or else the session itself: session_has_device
    CONSTRAINT session_ended_by_something CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT session_passkey_is_its_sign_in_method CHECK ((passkey_id IS NOT NULL) = (sign_in_method = 'passkey'))
);
CREATE INDEX session_of_wallet ON session (wallet_id);
CREATE TRIGGER wallet_is_open BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION wallet_is_open();
CREATE INDEX session_of_passkey ON session (passkey_id) WHERE ended_at IS NULL;

CREATE FUNCTION session_has_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.device_since := coalesce((SELECT created_at FROM passkey WHERE id = NEW.passkey_id), NEW.created_at);
    RETURN NEW;
END $$;
CREATE TRIGGER session_has_device BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION session_has_device();

-- The tokens of a session by their hashes. One is valid; if a replaced one is used again, it was stolen.
CREATE TABLE session_token (
    hash bytea PRIMARY KEY CONSTRAINT session_token_is_a_sha256 CHECK (length(hash) = 32),
    session_id uuid NOT NULL REFERENCES session (id),
    made_at timestamptz NOT NULL,
    replaced_at timestamptz,
    wallet_id uuid NOT NULL            -- the session's: session_token_has_wallet
);
CREATE UNIQUE INDEX session_token_one_is_good ON session_token (session_id) WHERE replaced_at IS NULL;
CREATE INDEX session_token_of_session ON session_token (session_id);

CREATE FUNCTION session_token_has_wallet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.wallet_id := (SELECT wallet_id FROM session WHERE id = NEW.session_id);
    RETURN NEW;
END $$;
CREATE TRIGGER session_token_has_wallet BEFORE INSERT ON session_token
    FOR EACH ROW EXECUTE FUNCTION session_token_has_wallet();

-- One-time codes for an owner who has lost every passkey.
CREATE TABLE recovery_code (
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    hash bytea NOT NULL CONSTRAINT recovery_code_is_a_scrypt CHECK (length(hash) = 32),
    salt bytea NOT NULL CONSTRAINT recovery_code_salt_length CHECK (length(salt) = 16),
    made_at timestamptz NOT NULL,
    confirmed_at timestamptz,          -- when its owner typed it to show that the codes are kept
    used_at timestamptz,
    PRIMARY KEY (wallet_id, hash)
);

-- Links that sign in to a wallet once. `gateway up` makes them in the sandbox, for its own first handle.
CREATE TABLE sign_in_link (
    hash bytea PRIMARY KEY CONSTRAINT sign_in_link_is_a_sha256 CHECK (length(hash) = 32),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

-- Recent tries of a wallet's recovery codes.
CREATE TABLE recovery_try (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    began_at timestamptz NOT NULL,
    tries integer NOT NULL CONSTRAINT recovery_try_is_counted CHECK (tries > 0)
);

-- The parts of the EIP-4361 message that an owner is asked to sign in with. The message is composed again when the
-- signature arrives.
CREATE TABLE sign_in_challenge (
    nonce text PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    address text NOT NULL,
    domain text NOT NULL,
    uri text NOT NULL,
    chain_id bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX sign_in_challenge_over ON sign_in_challenge (expires_at);

-- The same for a message by which a handle is claimed for an address. It reserves nothing: the wallet that it names is
-- created when the signature arrives.
CREATE TABLE claim_challenge (
    nonce text PRIMARY KEY,
    wallet_id uuid NOT NULL CONSTRAINT claim_challenge_of_one_wallet UNIQUE,
    handle text NOT NULL,
    address text NOT NULL,
    domain text NOT NULL,
    uri text NOT NULL,
    chain_id bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX claim_challenge_over ON claim_challenge (expires_at);

-- API keys by their hashes, and what each may do, until when and from which networks.
CREATE TABLE api_key (
    hash bytea PRIMARY KEY CONSTRAINT api_key_is_a_sha256 CHECK (length(hash) = 32),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT api_key_id_unique UNIQUE,
    name text NOT NULL DEFAULT 'sign-up' CONSTRAINT api_key_name_length CHECK (length(name) BETWEEN 1 AND 60),
    scopes text[] NOT NULL DEFAULT '{read,pay,refund,webhooks,owner}' CONSTRAINT api_key_scopes_known
        CHECK (scopes <@ '{read,pay,refund,webhooks,owner}' AND cardinality(scopes) > 0),
    expires_at timestamptz,
    networks cidr[],                   -- NULL: from anywhere
    capped boolean NOT NULL DEFAULT false,     -- it has spending caps, which are checked with each payment
    last_used_at timestamptz,
    plain boolean NOT NULL DEFAULT true,       -- this and the next: maintained by api_key_is_checked, below
    only_caps boolean NOT NULL DEFAULT false,
    origin uuid NOT NULL,              -- the first key of a row of replacements: they share their spending caps
    approved boolean NOT NULL DEFAULT false    -- by a passkey, without which no capped key of a guarded wallet pays
);
CREATE TRIGGER wallet_is_open BEFORE INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION wallet_is_open();
CREATE INDEX api_key_wallet ON api_key (wallet_id);

CREATE FUNCTION api_key_has_origin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.origin := coalesce(NEW.origin, NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER api_key_has_origin BEFORE INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION api_key_has_origin();

-- A key is `plain` if it may pay and only its existence and expiry have to be checked, and `only_caps` if its spending caps
-- have to be checked as well. settle_payments and hold_payments take payments of both; all other payments by keys pass the
-- checks first. The wallet is locked, so that it does not become guarded or frozen while a key is added.
CREATE FUNCTION api_key_is_checked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may_pay boolean; guarded boolean;
BEGIN
    SELECT 'pay' = ANY (NEW.scopes) AND NEW.networks IS NULL AND wallet.frozen_at IS NULL, wallet.guarded
    INTO STRICT may_pay, guarded
    FROM wallet WHERE id = NEW.wallet_id FOR SHARE;
    NEW.plain := may_pay AND NOT NEW.capped AND NOT guarded;
    NEW.only_caps := may_pay AND NEW.capped AND (NEW.approved OR NOT guarded);
    RETURN NEW;
END $$;
CREATE TRIGGER api_key_is_checked BEFORE INSERT OR UPDATE OF scopes, networks, capped, approved, plain ON api_key
    FOR EACH ROW EXECUTE FUNCTION api_key_is_checked();

CREATE FUNCTION wallet_keys_are_checked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE api_key SET plain = plain WHERE wallet_id = NEW.id AND revoked_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_keys_are_checked AFTER UPDATE OF guarded, frozen_at ON wallet
    FOR EACH ROW WHEN ((OLD.guarded, OLD.frozen_at) IS DISTINCT FROM (NEW.guarded, NEW.frozen_at))
    EXECUTE FUNCTION wallet_keys_are_checked();

-- The wallets of these API keys, and what the keys may do; no row for a key that does not exist or is no longer valid.
CREATE FUNCTION api_keys_of(hashes bytea[], at timestamptz)
RETURNS TABLE (hash bytea, id uuid, handle text, address text, custody text, guarded boolean, key_id uuid, origin uuid,
    scopes text[], networks cidr[], capped boolean, approved boolean, last_used_at timestamptz) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT key.hash, wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded, key.id, key.origin, key.scopes,
        key.networks, key.capped, key.approved, key.last_used_at
    FROM api_key AS key JOIN wallet ON wallet.id = key.wallet_id
    WHERE key.hash = ANY (hashes) AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > at);
END $$;

-- The sessions of these tokens, including replaced tokens, and their wallets.
CREATE FUNCTION sessions_of(hashes bytea[])
RETURNS TABLE (hash bytea, id uuid, wallet_id uuid, sign_in_method text, passkey_id uuid, device text, created_at timestamptz,
    last_used_at timestamptz, expires_at timestamptz, ended_at timestamptz, made_at timestamptz, replaced_at timestamptz,
    handle text, address text, custody text, guarded boolean) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT token.hash, session.id, session.wallet_id, session.sign_in_method, session.passkey_id, session.device,
        session.created_at, session.last_used_at, session.expires_at, session.ended_at, token.made_at, token.replaced_at,
        wallet.handle, wallet.address, wallet.custody, wallet.guarded
    FROM session_token AS token
        JOIN session ON session.id = token.session_id
        JOIN wallet ON wallet.id = session.wallet_id
    WHERE token.hash = ANY (hashes);
END $$;

-- Rate limits: how often a caller did something in a window. A crash may lose the counts, so the table is unlogged.
CREATE UNLOGGED TABLE rate_limit_counter (
    kind text NOT NULL,
    who text NOT NULL,
    count bigint NOT NULL,
    ends_at timestamptz NOT NULL,      -- of the window
    PRIMARY KEY (kind, who)
);
CREATE INDEX rate_limit_counter_by_end ON rate_limit_counter (ends_at);
-- The event log, from which webhooks, event streams and notifications are read.

-- Events of wallets and of the gateway. Ids are assigned before transactions commit; events/log.py explains how readers
-- miss none. An event of two wallets is one row. A settled ledger payment has no row here: settled_event derives its event
-- from its row in ledger_payment.
CREATE TABLE logged_event (
    id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME event_id_seq) PRIMARY KEY,
    kind text NOT NULL,
    wallet_id uuid,                    -- the wallet that it belongs to; NULL: the gateway's
    subject uuid,
    payload jsonb NOT NULL,
    at timestamptz NOT NULL,
    other_id uuid                      -- the other wallet of an event of two
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX event_of_wallet ON logged_event (wallet_id, id);
CREATE INDEX event_of_other ON logged_event (other_id, id) WHERE other_id IS NOT NULL;
CREATE INDEX event_of_subject ON logged_event (subject, id);
CREATE TRIGGER logged_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON logged_event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Tells readers that this transaction will write events numbered above the last one so far, by an advisory lock that pg_locks
-- shows until the transaction ends. Until then no reader goes past that number (events/log.py). Call it before a number is
-- taken from event_id_seq: log_events does, and settle_payments, whose payments are events. (PL/pgSQL keeps the plan of its
-- query; a function in SQL that locks cannot be inlined, and would cost more at each call.)
CREATE FUNCTION announce_events() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared((1::bigint << 62) + CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM event_id_seq;
END $$;

-- Appends events of one time to the log, in the order given; each argument but the time has one element per event. The one
-- writer of logged_event.
CREATE FUNCTION log_events(kind text[], wallet uuid[], other uuid[], subject uuid[], payload jsonb[], at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM announce_events();
    INSERT INTO logged_event (kind, wallet_id, other_id, subject, payload, at)
    SELECT new.kind, new.wallet, new.other, new.subject, new.payload, log_events.at
    FROM unnest(kind, wallet, other, subject, payload) WITH ORDINALITY AS new (kind, wallet, other, subject, payload, n)
    ORDER BY new.n;
END $$;

-- An amount as text, with all decimals of its asset.
CREATE FUNCTION amount_text(units numeric, decimals smallint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN ((units::text || 'e-' || decimals)::numeric)::text;

-- A time as text (`rfc3339` in clock.py).
CREATE FUNCTION rfc3339(at timestamptz) RETURNS text LANGUAGE sql STABLE
    RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- The payload of a ledger payment's event, in the form of payments/model/payment_events.py.
CREATE FUNCTION event_payload(debit_id bigint, credit_id bigint, amount numeric, fee numeric) RETURNS jsonb
LANGUAGE sql STABLE
    RETURN (
        SELECT jsonb_strip_nulls(jsonb_build_object(
            'from', '@' || split_part(payer.code, ':', 2), 'to', '@' || split_part(payee.code, ':', 2),
            'amount', amount_text(event_payload.amount, decimals), 'asset', asset.code, 'fee', amount_text(event_payload.fee, decimals)))
        FROM account AS payer
        JOIN account AS payee ON payee.id = event_payload.credit_id
        JOIN asset ON asset.code = payer.asset
        WHERE payer.id = event_payload.debit_id
    );

-- The events of settled ledger payments. `checkpoint_payload` is the part of the payload that a checkpoint covers
-- (audit/checkpoint.py).
CREATE VIEW settled_event AS
    SELECT event AS id, 'payment.settled' AS kind, (SELECT owner FROM account WHERE account.id = debit_id) AS wallet_id,
        id AS subject, event_payload(debit_id, credit_id, amount, fee) AS payload, posted_at AS at,
        (SELECT owner FROM account WHERE account.id = credit_id) AS other_id,
        jsonb_build_object('from', debit_id, 'to', credit_id, 'amount', amount, 'fee', fee, 'memo', memo,
            'refund_of', refund_of) AS checkpoint_payload
    FROM ledger_payment WHERE leg = 1;

-- All events.
CREATE VIEW event AS
    SELECT id, kind, wallet_id, subject, payload, at, other_id, payload AS checkpoint_payload FROM logged_event
    UNION ALL
    SELECT * FROM settled_event;

-- The events of some wallets (NULL: all) numbered above `after` and up to `up_to`, once for each wallet that they concern.
-- `payload` is NULL for a ledger payment's event: its payload is in the payment. The payments are matched with a hash of the
-- wallets' accounts; if there are fewer numbers than wallets, the payments' own accounts are looked up instead.
CREATE FUNCTION events_told(wallets uuid[], after bigint, up_to bigint)
RETURNS TABLE (told uuid, number bigint, kind text, subject uuid, at timestamptz, payload jsonb) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off SET enable_hashjoin = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    accounts bigint[];
BEGIN
    IF cardinality(wallets) <= up_to - after THEN
        accounts := ARRAY(SELECT id FROM account WHERE owner = ANY (wallets));
    END IF;
    RETURN QUERY
    SELECT party.id, event.id, event.kind, event.subject, event.at, event.payload
    FROM logged_event AS event, unnest(ARRAY[event.wallet_id, event.other_id]) AS party (id)
    WHERE event.id > after AND event.id <= up_to AND party.id IS NOT NULL
        AND (wallets IS NULL OR party.id IN (SELECT unnest(wallets)))
    UNION ALL
    SELECT account.owner, side.event, 'payment.settled', side.id, side.posted_at, NULL
    FROM (
        SELECT event, id, posted_at, unnest(ARRAY[debit_id, credit_id]) AS account_id
        FROM ledger_payment
        WHERE event > after AND event <= up_to AND leg = 1 AND (
            accounts IS NULL OR debit_id IN (SELECT unnest(accounts)) OR credit_id IN (SELECT unnest(accounts))
        )
    ) AS side, LATERAL (SELECT owner FROM account WHERE account.id = side.account_id LIMIT 1) AS account
    WHERE account.owner IS NOT NULL AND (accounts IS NULL OR side.account_id IN (SELECT unnest(accounts)))
        AND (wallets IS NULL OR accounts IS NOT NULL OR account.owner IN (SELECT unnest(wallets)));
END $$;
-- The tokens' contracts, authorizations, relayer accounts and their transactions, and how far the chain was read.
-- Addresses are EIP-55 checksummed text; hashes are 32 bytes.

-- A rule about one column is in its domain; 07_payments.sql says why.
CREATE DOMAIN authorization_kind AS text CONSTRAINT authorization_kind_known
    CHECK (VALUE IN ('transfer', 'redemption', 'mint', 'sweep'));
CREATE FUNCTION batch_of(kind authorization_kind) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE kind WHEN 'mint' THEN 'mint' ELSE 'settle' END;
CREATE DOMAIN authorization_state AS text CONSTRAINT authorization_state_known
    CHECK (VALUE IN ('unsigned', 'queued', 'submitted', 'settled', 'skipped', 'expired'));
CREATE DOMAIN authorization_signer AS text CONSTRAINT authorization_signer_known
    CHECK (VALUE IN ('gateway', 'owner', 'contract'));
CREATE DOMAIN unix_seconds AS bigint CONSTRAINT unix_seconds_not_negative CHECK (VALUE >= 0);

-- The token contract of each asset.
CREATE TABLE contract (
    asset text PRIMARY KEY REFERENCES asset (code),
    chain_id bigint NOT NULL,
    address text NOT NULL,
    deployed_block bigint NOT NULL,
    genesis_hash bytea NOT NULL        -- of block 0: tells one local chain from another with the same id
);

-- The next EIP-3009 nonce of an address: assigned in order, so that the contract's bitmap words fill up.
CREATE TABLE authorization_nonce (
    asset text NOT NULL REFERENCES asset (code),
    address text NOT NULL,
    next numeric NOT NULL DEFAULT 0,
    closed boolean NOT NULL DEFAULT false,     -- its wallet no longer uses the address
    PRIMARY KEY (address, asset)       -- the address first: it is more selective than the asset
) WITH (fillfactor = 50);  -- as of account: each payment changes a row

-- An authorization lets a token move. It is an EIP-3009 message signed by the payer (a redemption is one to the contract
-- itself), or a mint, which has a single-use reference in place of the nonce and a zero `from_address`. It needs no foreign
-- key to asset: its asset has a contract, which has one. 13_recovery.sql adds the trigger authorization_in_recovery.
CREATE TABLE token_authorization (
    id uuid PRIMARY KEY,
    kind authorization_kind NOT NULL,
    asset text NOT NULL,
    from_address text NOT NULL,
    to_address text NOT NULL,
    value amount NOT NULL,
    nonce numeric NOT NULL,
    valid_before bigint NOT NULL,      -- Unix seconds; a mint is not batched after it, since the contract does not check it
    signature bytea,
    state authorization_state NOT NULL DEFAULT 'queued',
    transaction_id uuid,               -- the chain_transaction that carries it, or did last if it was queued again
    reason text,                       -- why it was skipped; before it has ended, what needs attention
    created_at timestamptz NOT NULL,
    frozen boolean NOT NULL DEFAULT false,   -- while it is queued: not batched and not expired before an unfreeze
    signed_by authorization_signer NOT NULL DEFAULT 'gateway', -- who is to sign; never changed afterwards
    -- From when it may be settled, in Unix seconds. External wallets sign a time in the past; the gateway signs 0.
    valid_after unix_seconds NOT NULL DEFAULT 0,
    CONSTRAINT token_authorization_used_once UNIQUE (from_address, asset, nonce),
    CONSTRAINT token_authorization_signed_by_its_payer
        CHECK (signed_by = 'gateway' OR state NOT IN ('queued', 'submitted') OR signature IS NOT NULL)
);
-- Queued authorizations by kind of batch, so that the oldest of one kind are found without reading the other kind.
CREATE INDEX token_authorization_queue ON token_authorization (asset, batch_of(kind), id) WHERE state = 'queued';
CREATE INDEX token_authorization_due ON token_authorization (asset, valid_before)
    WHERE state IN ('queued', 'submitted');
CREATE TRIGGER token_authorization_is_kept BEFORE DELETE OR TRUNCATE ON token_authorization
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Queues authorizations with their nonces; the one writer of those that come without a signature. Those that the gateway does not
-- sign wait for it. Each argument but the time has one element per authorization. `kind` is NULL if all are transfers, `reference`
-- if none is a mint (a mint has one in place of a nonce, and the zero address as payer), and `signed_by` if the gateway signs all.
--
-- The nonces of each payer are locked in order, and follow the order of the authorizations without a gap. If a payer
-- was bound to another address since `from_address` was read, its nonces there are closed: then nothing is queued, and
-- the caller starts again (40001). Sweeps, which come alone, are from such addresses.
CREATE FUNCTION queue_authorizations(
    at timestamptz, id uuid[], kind text[], asset text[], from_address text[], to_address text[], value numeric[],
    reference numeric[], valid_before bigint[], signed_by text[]
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    next numeric[];  -- per payer, by asset and address: the nonce after the last one taken here
    some_closed boolean;
BEGIN
    WITH taken AS (
        INSERT INTO authorization_nonce AS handed_out (asset, address, next)
        SELECT new.asset, new.address, count(*)
        FROM unnest(asset, from_address, reference) AS new (asset, address, reference)
        WHERE new.reference IS NULL
        GROUP BY new.asset, new.address
        ORDER BY new.asset, new.address
        ON CONFLICT (asset, address) DO UPDATE SET next = handed_out.next + excluded.next
        RETURNING asset, address, next, closed
    )
    SELECT array_agg(taken.next ORDER BY taken.asset, taken.address), bool_or(taken.closed) INTO next, some_closed FROM taken;
    IF some_closed AND kind[1] IS DISTINCT FROM 'sweep' THEN
        RAISE EXCEPTION 'a payer has another address now' USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO token_authorization (id, kind, asset, from_address, to_address, value, nonce, valid_before, created_at,
        signed_by, state)
    SELECT new.id, coalesce(new.kind, 'transfer'), new.asset, new.giver, new.taker, new.value,
        coalesce(new.reference, next[new.place] - new.left), new.valid_before, at, coalesce(new.signed_by, 'gateway'),
        CASE WHEN new.signed_by <> 'gateway' THEN 'unsigned' ELSE 'queued' END
    FROM (
        SELECT *,
            dense_rank() OVER (ORDER BY reference IS NOT NULL, asset, giver)::integer AS place,
            count(*) OVER (PARTITION BY asset, giver ORDER BY n DESC) AS left  -- nonces are counted back from the next one
        FROM unnest(id, kind, asset, from_address, to_address, value, reference, valid_before, signed_by) WITH ORDINALITY
            AS one (id, kind, asset, giver, taker, value, reference, valid_before, signed_by, n)
    ) AS new;
END $$;

-- A relayer account, shared by the workers of several machines. Times are by the database's clock, since machines' clocks
-- differ.
CREATE TABLE relayer (
    address text PRIMARY KEY,
    chain_id bigint NOT NULL,
    next_nonce bigint NOT NULL,
    stopped text,                      -- why, when it is
    sent_nonce bigint NOT NULL DEFAULT 0,  -- every stored nonce below it was sent to a node, in order
    resent_at timestamptz,             -- when a worker last began to resend
    gas_checked_at timestamptz,        -- when a worker last began to check the gas balance
    suspect_nonce bigint,              -- a nonce that somebody else seems to have used,
    suspected_at timestamptz,          -- and since when
    low boolean NOT NULL DEFAULT false,    -- its gas balance runs out; reported once each time
    refused text,                      -- why the node refuses its transactions, in the node's words; NULL: it accepts them
    refused_nonce bigint,              -- of the first transaction that the node refuses
    refused_at timestamptz             -- since when it has refused it
);

-- Transactions of relayer accounts: one for each nonce, with one or more attempts.
CREATE TABLE chain_transaction (
    id uuid PRIMARY KEY,
    relayer text NOT NULL REFERENCES relayer (address),
    nonce bigint NOT NULL,
    kind text NOT NULL CONSTRAINT chain_transaction_kind_known CHECK (kind IN ('settle', 'mint', 'deploy', 'grant')),
    asset text NOT NULL REFERENCES asset (code),
    gas_limit bigint NOT NULL,
    first_hash bytea NOT NULL,         -- of its first attempt
    state text NOT NULL DEFAULT 'stored' CONSTRAINT chain_transaction_state_known
        CHECK (state IN ('stored', 'succeeded', 'reverted', 'overtaken')),  -- a transaction ends in a final block
    final_hash bytea,                  -- the attempt that was mined; NULL if another transaction took the nonce
    created_at timestamptz NOT NULL,
    concluded_at timestamptz,          -- when its receipt in a final block was seen
    CONSTRAINT chain_transaction_nonce_once UNIQUE (relayer, nonce)
);
CREATE INDEX chain_transaction_open ON chain_transaction (relayer, nonce) WHERE state = 'stored';
CREATE INDEX chain_transaction_reverted ON chain_transaction (asset, concluded_at) WHERE state = 'reverted';

-- The authorizations that were submitted, each with the hash of the chain transaction that carries it, or that carried it last if
-- it was queued again.
CREATE VIEW submission AS
    SELECT carried.id AS authorization_id, '0x' || encode(sent.first_hash, 'hex') AS tx_hash
    FROM token_authorization AS carried JOIN chain_transaction AS sent ON sent.id = carried.transaction_id;

-- Raw bytes, stored before they are sent and only ever sent again as stored.
CREATE TABLE attempt (
    hash bytea PRIMARY KEY,
    transaction_id uuid NOT NULL REFERENCES chain_transaction (id),
    raw bytea NOT NULL,
    fee_wei_max numeric NOT NULL,
    tip_wei_max numeric NOT NULL,
    created_at timestamptz NOT NULL
);
ALTER TABLE attempt ALTER COLUMN raw SET STORAGE EXTERNAL;   -- compression took 4 µs per payment
CREATE INDEX attempt_of_transaction ON attempt (transaction_id);

-- How far the chain was read: everything up to and including this final block is in the ledger.
CREATE TABLE chain_cursor (
    chain_id bigint PRIMARY KEY,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    timestamp bigint NOT NULL          -- the block's, Unix seconds
);

-- Every final Transfer log, once, with the ledger transfer that posted it, if any. It needs no foreign keys: the same
-- transaction posts the transfer, and its asset is that of a contract.
CREATE TABLE observation (
    chain_id bigint NOT NULL,
    block_hash bytea NOT NULL,
    log_index integer NOT NULL,
    block_number bigint NOT NULL,
    transaction_hash bytea NOT NULL,
    asset text NOT NULL,
    from_address text NOT NULL,
    to_address text NOT NULL,
    value numeric NOT NULL,
    transfer_id uuid,
    -- The hash alone identifies a block; its number comes first so that the blocks of a range are found together.
    CONSTRAINT observation_once PRIMARY KEY (chain_id, block_number, block_hash, log_index)
);
CREATE INDEX observation_of_transfer ON observation (transfer_id);
CREATE TRIGGER observation_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON observation
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- Idempotency keys: each request is carried out once. A key names its wallet without a foreign key; 07_payments.sql
-- says why.

-- The first answer to each request, written in the transaction that moved the money. An answer that follows from a
-- payment's row is not stored: the key refers to the payment. A payment that is a `ledger_payment` has its key in its own row.
CREATE TABLE idempotency_key (
    wallet_id uuid NOT NULL,
    key text NOT NULL CONSTRAINT idempotency_key_length CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,        -- SHA-256 of the request
    status smallint,
    answer bytea,
    created_at timestamptz NOT NULL,
    payment_id uuid,
    PRIMARY KEY (wallet_id, key)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
-- The key of a payment is found by the payment's time (payments/timeline/). Rows are written in the order of their times, so this
-- index has a few bytes for each 64 pages, and costs a request next to nothing.
CREATE INDEX idempotency_key_created ON idempotency_key USING brin (created_at)
    WITH (pages_per_range = 64, autosummarize = on);

-- The hash by which a wallet's idempotency key is found in `ledger_payment`. It is as short as an id, however long the key.
CREATE FUNCTION idempotency_hash(wallet uuid, key text) RETURNS bytea LANGUAGE sql STABLE
    RETURN substr(sha256(uuid_send(wallet) || convert_to(key, 'UTF8')), 1, 16);

-- Locks these keys until the transaction ends. A key is kept in one of two tables, and no unique index can cover both. Call
-- this before keys are used and before any account is locked, so that no two calls deadlock. A wallet's keys share sixteen
-- locks, so that a call with a thousand keys does not fill PostgreSQL's lock table.
CREATE FUNCTION lock_keys(wallet uuid[], idempotency_hash bytea[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(1262836595, part)
    FROM (
        SELECT DISTINCT uuid_hash(wallet) # (get_byte(idempotency_hash, 0) & 15) AS part
        FROM unnest(wallet, idempotency_hash) AS used (wallet, idempotency_hash)
        ORDER BY part
    ) AS parts;
END $$;

-- What a key was used for, if it was used before; `idempotency_hash` is its hash. The caller has locked it. PostgreSQL inlines
-- this function into those that use it (tests/postgres/test_inlined.py).
CREATE FUNCTION used_key(wallet uuid, key text, idempotency_hash bytea)
RETURNS TABLE (fingerprint bytea, status smallint, answer bytea, payment_id uuid) LANGUAGE sql STABLE AS $$
    SELECT kept.fingerprint, kept.status, kept.answer, kept.payment_id FROM idempotency_key AS kept
    WHERE kept.wallet_id = used_key.wallet AND kept.key = used_key.key
    UNION ALL
    SELECT paid.fingerprint, 201::smallint, NULL, paid.id FROM ledger_payment AS paid
    WHERE paid.idempotency_hash = used_key.idempotency_hash
    LIMIT 1
$$;

-- Locks these keys. Returns those that were used before, with what they were used for; the others are the caller's until its
-- transaction ends. Waits while another transaction is using one of them.
CREATE FUNCTION use_keys(wallet uuid[], key text[])
RETURNS TABLE (place integer, fingerprint bytea, status smallint, answer bytea, payment_id uuid) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    idempotency_hash CONSTANT bytea[] :=
        ARRAY(SELECT idempotency_hash(wallet, key) FROM unnest(wallet, key) WITH ORDINALITY AS used (wallet, key, n) ORDER BY n);
BEGIN
    PERFORM lock_keys(wallet, idempotency_hash);
    RETURN QUERY
    SELECT asked.n::integer, used.*
    FROM unnest(wallet, key, idempotency_hash) WITH ORDINALITY AS asked (wallet, key, idempotency_hash, n),
        LATERAL used_key(asked.wallet, asked.key, asked.idempotency_hash) AS used;
END $$;

-- The same, and stores those that were not used, without an answer. Returns their places.
CREATE FUNCTION claim_keys(wallet uuid[], key text[], fingerprint bytea[], at timestamptz)
RETURNS SETOF integer LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    used CONSTANT integer[] := ARRAY(SELECT place FROM use_keys(wallet, key));
BEGIN
    INSERT INTO idempotency_key (wallet_id, key, fingerprint, created_at)
    SELECT asked.wallet, asked.key, asked.fingerprint, at
    FROM unnest(wallet, key, fingerprint) WITH ORDINALITY AS asked (wallet, key, fingerprint, n)
    WHERE NOT asked.n = ANY (used);
    RETURN QUERY SELECT n FROM generate_subscripts(key, 1) AS n WHERE NOT n = ANY (used);
END $$;
-- Payments, conversions and mandates.
--
-- Payments name wallets, assets and authorizations without a foreign key: the statement that writes looks those rows up
-- or has just written them, they are never deleted, and a foreign key would look each up again.

-- A CHECK of a table is parsed and planned again by every statement that writes to it; that of a domain is cached. So a
-- rule about one column is in its domain.
CREATE DOMAIN payment_state AS text CONSTRAINT payment_state_known CHECK (VALUE IN (
    'requires_confirmation', 'held', 'queued', 'submitted', 'settled', 'failed', 'voided', 'expired', 'declined'));
CREATE DOMAIN payment_rail AS text CONSTRAINT payment_rail_is_a_name CHECK (VALUE ~ '^[a-z_]{1,30}$');
CREATE DOMAIN payment_fee AS units CONSTRAINT payment_fee_not_negative CHECK (VALUE >= 0);

-- A payment that takes several steps: it is held, waits for an approval or a signature, or goes by the chain. (One that
-- settles at once by the ledger is a `ledger_payment`.)
CREATE TABLE staged_payment (
    id uuid PRIMARY KEY,
    state payment_state NOT NULL,
    rail payment_rail NOT NULL,
    payer uuid NOT NULL,
    payee uuid,
    payee_address text,                -- for a payee that is an address and nobody's handle
    asset text NOT NULL,
    amount amount NOT NULL,
    fee payment_fee NOT NULL,
    captured units NOT NULL DEFAULT 0,
    refunded units NOT NULL DEFAULT 0,
    memo memo,
    route json,                        -- the part of its route that the other columns do not give (payments/model/route.py)
    transfer_id uuid NOT NULL,         -- its transfer in the ledger: a hold until it is captured
    authorization_id uuid,
    refund_of uuid,                    -- which may be a ledger_payment
    tx_hash text,                      -- once it has ended, of its chain transaction; before that see submission
    failure text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    settled_at timestamptz,
    approval text[],                   -- the reasons that it needs or needed an approval; NULL: it needs none
    capture boolean NOT NULL DEFAULT true,     -- false: once approved it is only held
    undo_until timestamptz,            -- held until then, and only then queued
    hidden_from_payee boolean NOT NULL DEFAULT false,  -- its payer has not approved it, and the payee does not see it
    -- The state, except those that every token payment goes through. Indexes by state are over this column, so that no
    -- index changes while a payment is queued, submitted and settled (HOT updates).
    rare_state payment_state GENERATED ALWAYS AS (
        CASE WHEN state NOT IN ('queued', 'submitted', 'settled') THEN state END) STORED,
    CONSTRAINT payment_has_one_payee CHECK ((payee IS NULL) <> (payee_address IS NULL)),
    CONSTRAINT payment_is_not_to_oneself CHECK (payee IS DISTINCT FROM payer),
    CONSTRAINT payment_captured_within_amount CHECK (captured BETWEEN 0 AND amount),
    CONSTRAINT payment_refunded_within_captured CHECK (refunded BETWEEN 0 AND captured),
    CONSTRAINT payment_route_where_chosen CHECK (route IS NOT NULL OR rail = 'ledger'),
    CONSTRAINT payment_approval_has_reasons CHECK (cardinality(approval) > 0)
) WITH (
    fillfactor = 42,                   -- room on the page for what a token payment becomes; docs/operate/capacity.md has its cost
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
);
CREATE INDEX payment_of_payer ON staged_payment (payer, id DESC);
CREATE INDEX payment_of_payee ON staged_payment (payee, id DESC) WHERE NOT hidden_from_payee;
CREATE UNIQUE INDEX payment_authorization ON staged_payment (authorization_id) WHERE authorization_id IS NOT NULL;
CREATE INDEX payment_due ON staged_payment (expires_at) WHERE rare_state IN ('requires_confirmation', 'held');
CREATE INDEX payment_undo ON staged_payment (undo_until) WHERE rare_state = 'held' AND undo_until IS NOT NULL;
CREATE INDEX payment_state_of_payer ON staged_payment (payer, rare_state, id DESC) WHERE rare_state IS NOT NULL;
CREATE INDEX payment_state_of_payee ON staged_payment (payee, rare_state, id DESC)
    WHERE rare_state IS NOT NULL AND NOT hidden_from_payee;

-- What has been refunded of ledger payments, from the first refund on. Counted from the moment a refund is accepted, whose
-- writer has written or locked this row before it decides: a ledger payment itself is never locked.
CREATE TABLE refunded_payment (
    payment_id uuid PRIMARY KEY,
    amount amount NOT NULL,
    refunded units NOT NULL,
    CONSTRAINT payment_refunded_within_captured CHECK (refunded BETWEEN 0 AND amount)
);

-- All payments, of both tables. A queued payment whose authorization was submitted is submitted: its row is not written for that.
CREATE VIEW payment AS
    SELECT id, CASE WHEN submission.tx_hash IS NULL THEN state ELSE 'submitted'::payment_state END AS state, rail, payer,
        payee, payee_address, asset, amount, fee, captured, refunded, memo, route, transfer_id, staged.authorization_id, refund_of,
        coalesce(submission.tx_hash, staged.tx_hash) AS tx_hash, failure, created_at, expires_at, settled_at, approval, capture,
        undo_until, hidden_from_payee
    FROM staged_payment AS staged
    LEFT JOIN submission ON submission.authorization_id = staged.authorization_id AND staged.state = 'queued'
    UNION ALL
    SELECT id, 'settled'::payment_state, 'ledger'::payment_rail,
        (SELECT owner FROM account WHERE account.id = debit_id), (SELECT owner FROM account WHERE account.id = credit_id),
        NULL, (SELECT asset FROM account WHERE account.id = debit_id), amount, coalesce(fee, 0)::payment_fee,
        amount::units, coalesce((
            SELECT refunded FROM refunded_payment WHERE payment_id = ledger_payment.id), 0)::units,
        memo, NULL, id, NULL, refund_of, NULL, NULL, posted_at, NULL, posted_at, NULL, true, NULL, false
    FROM ledger_payment WHERE leg = 1;

-- The number of the last ledger payment on an account that was made before the payment `before`, or whose event is numbered
-- up to `up_to` (one of the two is given); 0: none. A payment on the account itself, as every cursor of a list is, has its
-- number; any other is found by binary search, since ids and events rise with the numbers: some 20 lookups in a million.
CREATE FUNCTION last_payment(of_account bigint, before uuid, up_to bigint) RETURNS bigint LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    low bigint := 0;
    high bigint; middle bigint; found record;
BEGIN
    SELECT entries INTO high FROM account WHERE id = of_account;
    IF before = '00000000-0000-0000-0000-000000000000' OR before = 'ffffffff-ffff-ffff-ffff-ffffffffffff' THEN
        RETURN CASE WHEN before > '0fffffff-ffff-ffff-ffff-ffffffffffff' THEN high ELSE 0 END;
    END IF;
    IF before IS NOT NULL THEN
        SELECT CASE of_account WHEN debit_id THEN debit_number WHEN credit_id THEN credit_number END - 1 INTO low
        FROM ledger_payment WHERE id = before AND leg = 1;
        IF low IS NOT NULL THEN
            RETURN low;
        END IF;
        low := 0;
    END IF;
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT * INTO found FROM (
            (SELECT debit_number AS number, id, event FROM ledger_payment
             WHERE debit_id = of_account AND debit_number <= middle ORDER BY debit_number DESC LIMIT 1)
            UNION ALL
            (SELECT credit_number, id, event FROM ledger_payment
             WHERE credit_id = of_account AND credit_number <= middle ORDER BY credit_number DESC LIMIT 1)
        ) AS side ORDER BY number DESC LIMIT 1;
        IF found.number IS NULL OR found.id < before OR found.event <= up_to THEN
            low := middle;
        ELSE
            high := found.number - 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;

-- The numbers of a wallet's events above `after` and below `before`: the `most` oldest of them, or the newest. Reads a
-- page of each index, then takes the first of all.
CREATE FUNCTION events_of_wallet(of_wallet uuid, after bigint, before bigint, most integer, newest_first boolean)
RETURNS SETOF bigint LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF newest_first THEN
        RETURN QUERY
        SELECT number FROM (
            (SELECT id AS number FROM logged_event WHERE wallet_id = of_wallet AND id > after AND id < before
             ORDER BY id DESC LIMIT most)
            UNION ALL
            (SELECT id FROM logged_event WHERE other_id = of_wallet AND id > after AND id < before
             ORDER BY id DESC LIMIT most)
            UNION ALL
            SELECT event FROM (
                SELECT id, last_payment(id, NULL, after) AS low, last_payment(id, NULL, before - 1) AS high
                FROM account WHERE owner = of_wallet
            ) AS own, LATERAL (
                (SELECT event FROM ledger_payment
                 WHERE debit_id = own.id AND debit_number > own.low AND debit_number <= own.high AND leg = 1
                 ORDER BY debit_number DESC LIMIT most)
                UNION ALL
                (SELECT event FROM ledger_payment
                 WHERE credit_id = own.id AND credit_number > own.low AND credit_number <= own.high AND leg = 1
                 ORDER BY credit_number DESC LIMIT most)
            ) AS side
        ) AS any_of_them
        ORDER BY number DESC LIMIT most;
    ELSE
        RETURN QUERY
        SELECT number FROM (
            (SELECT id AS number FROM logged_event WHERE wallet_id = of_wallet AND id > after AND id < before
             ORDER BY id LIMIT most)
            UNION ALL
            (SELECT id FROM logged_event WHERE other_id = of_wallet AND id > after AND id < before ORDER BY id LIMIT most)
            UNION ALL
            SELECT event FROM (
                SELECT id, last_payment(id, NULL, after) AS low FROM account WHERE owner = of_wallet
            ) AS own, LATERAL (
                (SELECT event FROM ledger_payment WHERE debit_id = own.id AND debit_number > own.low AND leg = 1
                    AND event < before
                 ORDER BY debit_number LIMIT most)
                UNION ALL
                (SELECT event FROM ledger_payment WHERE credit_id = own.id AND credit_number > own.low AND leg = 1
                    AND event < before
                 ORDER BY credit_number LIMIT most)
            ) AS side
        ) AS any_of_them
        ORDER BY number LIMIT most;
    END IF;
END $$;

-- The number of the last event that was made before a moment; 0: none. By binary search, since numbers rise with time,
-- except in overlapping transactions: a caller who searches for a time passes one that is some minutes off, and
-- examines each event from there.
CREATE FUNCTION event_before(moment timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    low bigint := 0;
    high bigint; middle bigint; found record;
BEGIN
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO high FROM event_id_seq;
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        SELECT * INTO found FROM (
            (SELECT id AS number, at FROM logged_event WHERE id >= middle AND id <= high ORDER BY id LIMIT 1)
            UNION ALL
            (SELECT event, posted_at FROM ledger_payment WHERE event >= middle AND event <= high ORDER BY event LIMIT 1)
        ) AS side ORDER BY number LIMIT 1;
        IF found.at < moment THEN
            low := found.number;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END $$;

-- The newest `most` payments of a wallet whose ids are from `low` on and below `high`, newest first: payments from it,
-- to it, or both. Reads a page of each index, then merges and cuts them before anything is looked up.
CREATE FUNCTION payments_of_wallet(of_wallet uuid, paid boolean, was_paid boolean, low uuid, high uuid, most integer)
RETURNS SETOF payment LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off SET enable_hashjoin = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    page uuid[];
BEGIN
    page := ARRAY(
        SELECT id FROM (
            (SELECT id FROM staged_payment WHERE paid AND payer = of_wallet AND id < high AND id >= low
             ORDER BY id DESC LIMIT most)
            UNION ALL
            (SELECT id FROM staged_payment WHERE was_paid AND payee = of_wallet AND NOT hidden_from_payee
                AND id < high AND id >= low
             ORDER BY id DESC LIMIT most)
            UNION ALL
            SELECT found.id
            FROM (
                SELECT id, last_payment(id, low, NULL) AS first, last_payment(id, high, NULL) AS last
                FROM account WHERE owner = of_wallet
            ) AS own, LATERAL (
                SELECT id FROM (
                    (SELECT id FROM ledger_payment
                     WHERE paid AND debit_id = own.id AND debit_number > own.first AND debit_number <= own.last AND leg = 1
                     ORDER BY debit_number DESC LIMIT most)
                    UNION ALL
                    (SELECT id FROM ledger_payment
                     WHERE was_paid AND credit_id = own.id AND credit_number > own.first AND credit_number <= own.last
                        AND leg = 1
                     ORDER BY credit_number DESC LIMIT most)
                ) AS either ORDER BY id DESC LIMIT most
            ) AS found
        ) AS all_of_them
        ORDER BY id DESC LIMIT most
    );
    RETURN QUERY SELECT * FROM payment WHERE id = ANY (page) ORDER BY id DESC;
END $$;

-- The note that a wallet put on a payment for its own systems. It is written in the payment's transaction, and a payment
-- without one costs nothing extra.
CREATE TABLE payment_note (
    payment_id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL,           -- its author: the payer, or the payee who drew on a mandate
    reference text CONSTRAINT payment_note_reference_length CHECK (length(reference) BETWEEN 1 AND 64),
    metadata json CONSTRAINT payment_note_metadata_size CHECK (octet_length(metadata::text) <= 2048),
    CONSTRAINT payment_note_is_not_empty CHECK (num_nonnulls(reference, metadata) > 0)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX payment_note_reference ON payment_note (wallet_id, reference, payment_id) WHERE reference IS NOT NULL;
CREATE TRIGGER payment_note_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_note
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- An exchange of one asset of a wallet into another: fiat into the token it backs, or a token back into fiat.
CREATE TABLE conversion (
    id uuid PRIMARY KEY,
    state text NOT NULL CONSTRAINT conversion_state_known CHECK (state IN ('queued', 'submitted', 'settled', 'failed')),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    amount amount NOT NULL,
    to_asset text NOT NULL REFERENCES asset (code),
    to_amount amount NOT NULL,
    transfer_id uuid NOT NULL,         -- the hold on what is given
    authorization_id uuid NOT NULL REFERENCES token_authorization (id),
    tx_hash text,
    failure text,
    created_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE UNIQUE INDEX conversion_authorization ON conversion (authorization_id);
CREATE INDEX conversion_of_wallet ON conversion (wallet_id, id DESC);

-- Tokens on their way from a wallet's first address, whose key the gateway keeps, to its current one. In the ledger
-- they are the wallet's throughout, and on hold until they arrive.
CREATE TABLE sweep (
    id uuid PRIMARY KEY,               -- of its hold as well
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    from_address text NOT NULL REFERENCES wallet_address (address),
    amount amount NOT NULL,
    state text NOT NULL CONSTRAINT sweep_state_known CHECK (state IN ('queued', 'waiting', 'settled', 'gone')),
    authorization_id uuid NOT NULL REFERENCES token_authorization (id),    -- the latest
    failure text,                      -- why the previous attempt failed, while it waits to be tried again
    tried_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE UNIQUE INDEX sweep_authorization ON sweep (authorization_id);
CREATE INDEX sweep_waiting ON sweep (tried_at) WHERE state = 'waiting';

-- A mandate: the limits within which another wallet may draw from the owner's.
CREATE TABLE mandate (
    id uuid PRIMARY KEY,
    payer uuid NOT NULL REFERENCES wallet (id),
    payee uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    rail payment_rail,                 -- NULL: any
    draw units,                        -- the most at once; NULL: any
    period_days integer NOT NULL CONSTRAINT mandate_period_range CHECK (period_days BETWEEN 1 AND 366),
    period units NOT NULL,             -- the most in any such period
    total units,                       -- the most in all; NULL: any
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    ended_at timestamptz,
    approved boolean NOT NULL DEFAULT false,   -- by a passkey, without which a guarded wallet is not drawn from
    CONSTRAINT mandate_is_to_another CHECK (payer <> payee)
);
CREATE INDEX mandate_of_payer ON mandate (payer, id DESC);
CREATE INDEX mandate_of_payee ON mandate (payee, id DESC);
CREATE TRIGGER mandate_is_kept BEFORE DELETE OR TRUNCATE ON mandate
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- Requests for money: one wallet requests an amount from another.

-- A request is paid by an ordinary payment. `payment_id` is set in the transaction that accepts the payment, while the
-- request's row is locked, and replaced only if that payment has ended without paying. The state is not stored; see
-- request_state.
CREATE TABLE payment_request (
    id uuid PRIMARY KEY,
    requester uuid NOT NULL REFERENCES wallet (id),
    payer uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    amount amount NOT NULL,
    memo memo,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    declined_at timestamptz,
    cancelled_at timestamptz,
    payment_id uuid,                   -- the payment that pays it, or the last one that did not
    paid_at timestamptz,               -- when that payment settled
    CONSTRAINT payment_request_is_not_to_oneself CHECK (requester <> payer),
    CONSTRAINT payment_request_expires_later CHECK (expires_at > created_at),
    CONSTRAINT payment_request_ends_once CHECK (num_nonnulls(declined_at, cancelled_at, paid_at) <= 1),
    CONSTRAINT payment_request_is_paid_by_a_payment CHECK (paid_at IS NULL OR payment_id IS NOT NULL)
);
CREATE UNIQUE INDEX payment_request_of_payment ON payment_request (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX payment_request_of_requester ON payment_request (requester, id DESC);
CREATE INDEX payment_request_of_payer ON payment_request (payer, id DESC);
CREATE INDEX payment_request_waiting ON payment_request (payer, requester, id DESC)
    WHERE declined_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL;
CREATE INDEX payment_request_unended_of_requester ON payment_request (requester, id DESC)
    WHERE declined_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL;
CREATE INDEX payment_request_unended_of_payer ON payment_request (payer, id DESC)
    WHERE declined_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL;

-- The state of a request whose payment is in the state `payment` (NULL: it has none, or one that settled at once). A payment
-- that ends without paying leaves the request as it was.
CREATE FUNCTION request_state(request payment_request, payment text, now timestamptz) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE
        WHEN request.paid_at IS NOT NULL THEN 'paid'
        WHEN payment NOT IN ('failed', 'voided', 'expired', 'declined') THEN 'pending'
        WHEN request.declined_at IS NOT NULL THEN 'declined'
        WHEN request.cancelled_at IS NOT NULL THEN 'cancelled'
        WHEN request.expires_at <= now THEN 'expired'
        ELSE 'open'
    END;
-- Captures and voids of payments that are held on the ledger rail.

-- Captures and voids payments, independently of each other, in a fixed number of statements. Each argument and result is an
-- array with one element per request. `amount` is the part to capture, as a decimal; NULL: all of it. Outcomes:
--   done        captured or voided; the other results are the payment after that
--   checks      nothing is written, and payments/ends/capture_void.py decides: there is no such key, or it may not pay or is
--               limited to some networks; the idempotency key was used before; or the payment is not the caller's, has a fee,
--               is a refund, counts against a limit, has ended or expired, its payer is frozen, less is held, or an earlier
--               request of this call ends it
--
-- Lock order: idempotency keys, payments, holds, accounts, each sorted, as everywhere. The conditions are read after the locks;
-- whether a payment counts against limits is fixed when it is accepted.
CREATE FUNCTION end_payments(
    at timestamptz, api_key_hash bytea[], idempotency_key text[], fingerprint bytea[],
    payment uuid[], capture boolean[], amount text[],
    OUT outcome text[], OUT caller uuid[], OUT payer uuid[], OUT payee uuid[], OUT payer_handle text[], OUT payee_handle text[],
    OUT asset text[], OUT units numeric[], OUT captured numeric[], OUT memo text[], OUT created_at timestamptz[],
    OUT expires_at timestamptz[], OUT reference text[], OUT metadata text[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    idempotency_hash bytea[]; payload jsonb[];
    good integer[];           -- requests to carry out, in order
BEGIN
    SELECT array_agg(CASE WHEN key.wallet_id IS NOT NULL AND asked.again = 1 THEN 'done' ELSE 'checks' END ORDER BY n),
        array_agg(key.wallet_id ORDER BY n),
        array_agg(CASE WHEN key.wallet_id IS NOT NULL THEN idempotency_hash(key.wallet_id, asked.idempotency_key) END ORDER BY n)
    INTO outcome, caller, idempotency_hash
    FROM (
        SELECT *, row_number() OVER (PARTITION BY payment ORDER BY n) AS again
        FROM unnest(api_key_hash, idempotency_key, payment) WITH ORDINALITY AS asked (hash, idempotency_key, payment, n)
    ) AS asked
    LEFT JOIN api_key AS key ON key.hash = asked.hash AND key.revoked_at IS NULL
        AND (key.expires_at IS NULL OR key.expires_at > at) AND key.networks IS NULL AND 'pay' = ANY (key.scopes);
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;
    PERFORM lock_keys(array_agg(caller[g]), array_agg(idempotency_hash[g])) FROM unnest(good) AS g;
    PERFORM FROM staged_payment WHERE id = ANY (ARRAY(SELECT payment[g] FROM unnest(good) AS g)) ORDER BY id FOR UPDATE;

    -- The statements after the locks see current rows.
    SELECT array_agg(CASE WHEN found.fits THEN 'done' ELSE 'checks' END ORDER BY n),
        array_agg(found.payer ORDER BY n), array_agg(found.payee ORDER BY n),
        array_agg(found.payer_handle ORDER BY n), array_agg(found.payee_handle ORDER BY n),
        array_agg(found.asset ORDER BY n), array_agg(found.amount ORDER BY n),
        array_agg(found.captured ORDER BY n), array_agg(found.memo ORDER BY n), array_agg(found.created_at ORDER BY n),
        array_agg(found.expires_at ORDER BY n), array_agg(found.reference ORDER BY n), array_agg(found.metadata ORDER BY n),
        array_agg(found.payload ORDER BY n)
    INTO outcome, payer, payee, payer_handle, payee_handle, asset, units, captured, memo, created_at, expires_at, reference,
        metadata, payload
    FROM (
        SELECT asked.n, held.payer, held.payee, giver.handle AS payer_handle, taker.handle AS payee_handle, held.asset,
            held.amount::numeric AS amount, part.units AS captured, held.memo::text AS memo, held.created_at, held.expires_at,
            note.reference, note.metadata::text AS metadata,
            asked.outcome = 'done' AND held.state = 'held' AND held.rail = 'ledger' AND held.transfer_id = held.id
                AND held.fee = 0 AND held.refund_of IS NULL AND asked.caller IN (held.payer, held.payee)
                AND (NOT asked.capture
                    OR held.undo_until IS NULL AND (held.expires_at IS NULL OR held.expires_at > at)
                        AND giver.frozen_at IS NULL AND part.units BETWEEN 1 AND held.amount
                        AND (asked.amount IS NULL OR scale(asked.amount::numeric) <= known.decimals))
                AND NOT EXISTS (SELECT FROM counted_payment AS counted
                    WHERE counted.scope = ANY ('{cap,policy,mandate,mandate_total}') AND counted.payment_id = held.id)
                AND NOT EXISTS (SELECT FROM used_key(asked.caller, asked.idempotency_key, asked.idempotency_hash)) AS fits,
            jsonb_strip_nulls(jsonb_build_object(
                'from', '@' || giver.handle, 'to', '@' || taker.handle, 'amount', amount_text(held.amount, known.decimals),
                'asset', held.asset, 'captured',
                CASE WHEN asked.capture AND part.units < held.amount THEN amount_text(part.units, known.decimals) END,
                'expires_at', rfc3339(held.expires_at))) AS payload
        FROM unnest(outcome, caller, idempotency_hash, idempotency_key, payment, capture, amount) WITH ORDINALITY
            AS asked (outcome, caller, idempotency_hash, idempotency_key, payment, capture, amount, n)
        LEFT JOIN staged_payment AS held ON held.id = asked.payment
        LEFT JOIN wallet AS giver ON giver.id = held.payer
        LEFT JOIN wallet AS taker ON taker.id = held.payee
        LEFT JOIN asset AS known ON known.code = held.asset
        LEFT JOIN payment_note AS note ON note.payment_id = held.id AND note.wallet_id = asked.caller
        CROSS JOIN LATERAL (SELECT CASE WHEN NOT asked.capture THEN 0 WHEN asked.amount IS NULL THEN held.amount
            ELSE trunc(asked.amount::numeric * ('1e' || known.decimals)::numeric) END AS units) AS part
    ) AS found;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    PERFORM ledger_end(at, array_agg(payment[g] ORDER BY g), array_agg(1::smallint),
        array_agg(CASE WHEN capture[g] THEN 'posted' ELSE 'voided' END::hold_state ORDER BY g),
        array_agg(captured[g] ORDER BY g))
    FROM unnest(good) AS g;
    UPDATE staged_payment AS ended SET state = new.state, captured = new.captured, settled_at = new.settled_at
    FROM (
        SELECT payment[g] AS id, CASE WHEN capture[g] THEN 'settled' ELSE 'voided' END AS state, captured[g] AS captured,
            CASE WHEN capture[g] THEN at END AS settled_at
        FROM unnest(good) AS g
    ) AS new
    WHERE ended.id = new.id;
    PERFORM log_events(
        array_agg(CASE WHEN capture[g] THEN 'payment.settled' ELSE 'payment.voided' END), array_agg(payer[g]),
        array_agg(payee[g]), array_agg(payment[g]), array_agg(payload[g]), at)
    FROM unnest(good) AS g;
    INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
    SELECT caller[g], idempotency_key[g], fingerprint[g], 200, payment[g], at FROM unnest(good) AS g;
END $$;
-- Payments whose money is held first: on the ledger rail until they are captured or voided (08_end_payments.sql), on the chain
-- rail until the chain has settled them, on any until they are approved. A payment is written with its hold, idempotency key and
-- event, and with its authorization and nonce if it has one, or not at all. One function takes any number of payments on one rail,
-- of any payers and any kind of caller.

-- Callers are those of payment_parties, whose payments have no fee; if `wallet` names the payers, the payments have passed every
-- check already. `idempotency_key` is NULL if the caller stores the keys. A payment without a `payee_handle` goes to
-- an address that is nobody's. A payment and its hold share one id.
--
-- `state`, `approval`, `expires_at`, `undo_until`, `capture`, `hidden` (from the payee) and `route` are those of the payments'
-- rows; `approval` are its reasons, with spaces in between. `payload` is the event's, a JSON object without the payer.
--
-- Payments with `valid_before` (in Unix seconds) are queued for the chain as `authorization_id`, which is the payment's id if it
-- is queued when it is accepted, and another id if it has to be signed by `signed_by` first. An authorization without
-- `valid_before` has been stored by the caller. Addresses are looked up if they are NULL.
--
-- Each argument and result is an array with one element per payment. An argument is NULL if no payment has it. Nothing is written
-- for an outcome other than `done`:
--   done             held or queued
--   short            the payer has too little: `available` says how much; the idempotency key can be used again
--   used             the idempotency key was used before
--   own_key          the payer keeps the key of the address, and has to sign
--   checks           as of payment_parties, or the policy of a session's wallet may ask
--   caps             the payments of this API key in the call do not all fit its caps
--   unknown          as of payment_parties. If `wallet` names the payers, nothing at all is written: the caller opens the accounts
--                    and calls again
--   unauthenticated  as of payment_parties
-- Two payments with the same idempotency key must not be in one call.
--
-- The last arguments are those of settle_payments, and so is what is counted against limits: that of payments of named payers comes
-- with them, that of keys with caps and of sessions is found here (payments_with_room).
--
-- When a wallet gets its first passkey, what it holds on the ledger rail begins to wait for an approval
-- (wallet_has_policy). So the payers' wallets are locked between the idempotency keys and the accounts, and plain API
-- keys are read again under that lock; the checks lock wallets, too. On the chain rail wallets are not locked: binding
-- one to another address locks accounts and nonces first (custody/bind.py).
--
-- Lock order: idempotency keys, limits and wallets (lock_limits), accounts, nonces, each sorted.
CREATE FUNCTION hold_payments(
    at timestamptz, rail text,
    api_key_hash bytea[], session_hash bytea[], wallet uuid[], idempotency_key text[], fingerprint bytea[],
    payee_handle text[], asset text[], amount numeric[], fee numeric[], memo text[], refund_of uuid[], id uuid[],
    state text[], approval text[], expires_at timestamptz[], undo_until timestamptz[], capture boolean[], hidden boolean[],
    route text[], payload text[],
    authorization_id uuid[], valid_before bigint[], signed_by text[], from_address text[], to_address text[],
    counter_place integer[], counter_scope text[], counter_id uuid[], counter_number integer[],
    day_since timestamptz, day_oldest timestamptz,
    signed_in_since timestamptz, day_first uuid, first_day timestamptz,
    usual_asset text[], usual_payment numeric[], usual_day numeric[], left_out text[],
    OUT outcome text[], OUT payer uuid[], OUT payer_handle text[], OUT available numeric[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    with_addresses CONSTANT boolean := rail = 'chain' AND from_address IS NULL;
    payee uuid[]; from_account bigint[]; to_account bigint[]; fee_account bigint[]; idempotency_hash bytea[];
    enough boolean;             -- every payer has enough for all of their payments
    key_origin uuid[];          -- of keys with caps
    session uuid[]; token_made_at timestamptz[];
    with_limits boolean;        -- whether any payment is by such a key or in a session
    met integer[];              -- of these: see payments_with_room
    good integer[];             -- the payments to accept, in order
    left_over numeric[]; one record;
BEGIN
    SELECT array_agg(CASE
            WHEN found.outcome IN ('done', 'unknown') AND giver.custody <> 'gateway' THEN 'own_key'
            ELSE found.outcome END ORDER BY n),
        array_agg(found.payer ORDER BY n), array_agg(found.payer_handle ORDER BY n), array_agg(found.payee ORDER BY n),
        array_agg(found.from_account ORDER BY n), array_agg(found.to_account ORDER BY n),
        array_agg(found.fee_account ORDER BY n), array_agg(found.idempotency_hash ORDER BY n),
        CASE WHEN with_addresses THEN array_agg(giver.address ORDER BY n) ELSE from_address END,
        CASE WHEN with_addresses THEN array_agg(taker.address ORDER BY n) ELSE to_address END,
        array_agg(NULL::numeric), bool_and(found.enough) FILTER (WHERE found.outcome = 'done'),
        array_agg(found.origin ORDER BY n), array_agg(found.session ORDER BY n), array_agg(found.token_made_at ORDER BY n),
        bool_or(found.origin IS NOT NULL OR found.session IS NOT NULL)
    INTO outcome, payer, payer_handle, payee, from_account, to_account, fee_account, idempotency_hash, from_address, to_address,
        available, enough, key_origin, session, token_made_at, with_limits
    FROM payment_parties(api_key_hash, session_hash, wallet, idempotency_key, payee_handle, asset, amount, fee, at) AS found
    LEFT JOIN wallet AS giver ON giver.id = CASE WHEN with_addresses THEN found.payer END
    LEFT JOIN wallet AS taker ON taker.id = CASE WHEN with_addresses THEN found.payee END;
    good := array_positions(outcome, 'done');
    IF good = '{}' OR 'unknown' = ANY (outcome) AND wallet IS NOT NULL THEN
        RETURN;
    END IF;
    IF idempotency_key IS NOT NULL THEN
        PERFORM lock_keys(array_agg(payer[g]), array_agg(idempotency_hash[g])) FROM unnest(good) AS g;
        FOR one IN SELECT g FROM unnest(good) AS g, LATERAL used_key(payer[g], idempotency_key[g], idempotency_hash[g]) LOOP
            outcome[one.g] := 'used';
        END LOOP;
    END IF;
    IF wallet IS NULL AND (rail <> 'chain' OR with_limits) THEN
        PERFORM lock_limits(array_agg(key_origin[g]) FILTER (WHERE key_origin[g] IS NOT NULL),
            CASE WHEN rail <> 'chain' THEN array_agg(payer[g]) END,
            array_agg(payer[g]) FILTER (WHERE key_origin[g] IS NOT NULL OR session[g] IS NOT NULL), NULL)
        FROM unnest(array_positions(outcome, 'done')) AS g;
        IF rail <> 'chain' THEN
            FOR one IN
                SELECT g FROM unnest(good) AS g JOIN api_key AS key ON key.hash = api_key_hash[g]
                WHERE key_origin[g] IS NULL AND (NOT key.plain OR key.revoked_at IS NOT NULL)
            LOOP
                outcome[one.g] := 'checks';
            END LOOP;
        END IF;
        IF with_limits THEN
            SELECT * INTO outcome, counter_place, counter_scope, counter_id, counter_number, met
            FROM payments_with_room(
                rail, outcome, api_key_hash, key_origin, session, token_made_at, payer, payee, asset, amount, at, day_since,
                day_oldest, signed_in_since, day_first, first_day, usual_asset, usual_payment, usual_day, left_out);
        END IF;
    END IF;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    SELECT ledger_hold_each(at, enough, array_agg(id[g] ORDER BY g, n), array_agg(n ORDER BY g, n),
        array_agg(from_account[g] ORDER BY g, n),
        array_agg(CASE n WHEN 1 THEN to_account[g] ELSE fee_account[g] END ORDER BY g, n),
        array_agg(CASE n WHEN 1 THEN amount[g] ELSE fee[g] END ORDER BY g, n),
        array_agg(CASE WHEN refund_of[g] IS NULL THEN 'payment' ELSE 'refund' END ORDER BY g, n))
    INTO left_over
    FROM unnest(good) AS g, (VALUES (1::smallint), (2::smallint)) AS leg (n)
    WHERE n = 1 OR fee[g] > 0;
    FOR one IN
        SELECT good[n] AS place, there FROM unnest(left_over) WITH ORDINALITY AS short (there, n) WHERE there IS NOT NULL
    LOOP
        outcome[one.place] := 'short'; available[one.place] := one.there;
    END LOOP;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    IF valid_before IS NOT NULL THEN
        PERFORM queue_authorizations(at, array_agg(authorization_id[g]), NULL, array_agg(asset[g]), array_agg(from_address[g]),
            array_agg(to_address[g]), array_agg(amount[g]), NULL, array_agg(valid_before[g]), array_agg(signed_by[g]))
        FROM unnest(good) AS g WHERE valid_before[g] IS NOT NULL;
    END IF;
    IF idempotency_key IS NOT NULL THEN
        INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
        SELECT payer[g], idempotency_key[g], fingerprint[g], CASE rail WHEN 'chain' THEN 202 ELSE 201 END, id[g], at
        FROM unnest(good) AS g;
    END IF;
    INSERT INTO staged_payment (id, state, rail, payer, payee, payee_address, asset, amount, fee, memo, route, transfer_id,
        authorization_id, refund_of, created_at, expires_at, approval, capture, undo_until, hidden_from_payee)
    SELECT new.id, new.state, rail, new.payer, new.payee, CASE WHEN new.payee IS NULL THEN new.address END, new.asset,
        new.amount, coalesce(new.fee, 0), new.memo, new.route::json, new.id, new.authorization_id, new.refund_of, at,
        new.expires_at, string_to_array(new.approval, ' '), new.capture, new.undo_until, coalesce(new.hidden, false)
    FROM unnest(outcome, id, state, payer, payee, to_address, asset, amount, fee, memo, route, authorization_id, refund_of,
            expires_at, approval, capture, undo_until, hidden)
        AS new (outcome, id, state, payer, payee, address, asset, amount, fee, memo, route, authorization_id, refund_of,
            expires_at, approval, capture, undo_until, hidden)
    WHERE new.outcome = 'done';
    PERFORM log_events(array_agg('payment.' || new.state), array_agg(new.payer),
        array_agg(CASE WHEN new.hidden THEN NULL ELSE new.payee END), array_agg(new.id),
        array_agg(('{"from":"@' || new.handle || '",' || substr(new.payload, 2))::jsonb), at)
    FROM unnest(outcome, id, state, payer, payer_handle, payee, payload, hidden)
        AS new (outcome, id, state, payer, handle, payee, payload, hidden)
    WHERE new.outcome = 'done';
    IF counter_place <> '{}' THEN
        PERFORM count_spending(at, spending_bucket(at), array_agg(counter.scope), array_agg(counter.scope_id),
            array_agg(counter.number), array_agg(asset[counter.place]), array_agg(id[counter.place]),
            array_agg(amount[counter.place]))
        FROM unnest(counter_place, counter_scope, counter_id, counter_number) AS counter (place, scope, scope_id, number)
        WHERE outcome[counter.place] = 'done';
    END IF;
    IF met <> '{}' THEN
        PERFORM know_payees(at, array_agg(payer[g]), array_agg(payee[g]), NULL) FROM unnest(met) AS g WHERE outcome[g] = 'done';
    END IF;
END $$;
-- The callers of payments, and the accounts that they go from and to.

-- Looks up, for each payment, its caller, payer, payee and accounts; settle_payments and hold_payments begin with it. The
-- caller is an API key (`api_key_hash`, SHA-256), a session (`session_hash`, the SHA-256 of its token) or, for payments that
-- have passed every check already, the payer's `wallet`. The payee is a handle, or NULL for an address that is nobody's. An
-- argument is NULL if no payment has it. `outcome` is
--   unauthenticated  no such API key, or no such session
--   checks           the payment has to pass the checks: its API key is neither plain nor limited by caps alone
--   unknown          no such payee, the payee is closed or is the payer, or an account is not open yet
--   done             none of these
-- `enough`: the payer seems to have enough for all payments of the call from this account. `last` is the time of the latest
-- entry of the accounts. `origin` is that of a key with caps, and `session` that of a session: those have limits to check.
--
-- PostgreSQL inlines this function into those that call it (tests/postgres/test_inlined.py), where its plan is kept.
CREATE FUNCTION payment_parties(
    api_key_hash bytea[], session_hash bytea[], wallet uuid[], idempotency_key text[], payee_handle text[], asset text[],
    amount numeric[], fee numeric[], at timestamptz
) RETURNS TABLE (
    n bigint, outcome text, payer uuid, payer_handle text, payee uuid, from_account bigint, to_account bigint,
    fee_account bigint, fee numeric, idempotency_hash bytea, enough boolean, last timestamptz, origin uuid, session uuid,
    token_made_at timestamptz
) LANGUAGE sql STABLE AS $$
    SELECT asked.n,
        CASE
            WHEN coalesce(asked.wallet, token.wallet_id, key.wallet_id) IS NULL THEN 'unauthenticated'
            WHEN NOT (key.plain OR key.only_caps) THEN 'checks'
            WHEN own.id IS NULL OR other.id IS NULL OR own.id = other.id OR asked.fee > 0 AND fees.id IS NULL
                OR other.closed AND asked.wallet IS NULL
                THEN 'unknown'
            ELSE 'done' END,
        own.owner, split_part(own.code, ':', 2), other.owner, own.id, other.id, fees.id, asked.fee,
        CASE WHEN asked.idempotency_key IS NOT NULL THEN idempotency_hash(own.owner, asked.idempotency_key) END,
        own.credits_posted - own.debits_posted - own.debits_pending
            >= sum(asked.amount + coalesce(asked.fee, 0)) OVER (PARTITION BY own.id),
        greatest(own.posted_at, other.posted_at, fees.posted_at),
        CASE WHEN key.only_caps THEN key.origin END, token.session_id, token.made_at
    FROM unnest(api_key_hash, session_hash, wallet, idempotency_key, payee_handle, asset, amount, fee) WITH ORDINALITY
        AS asked (api_key_hash, session_hash, wallet, idempotency_key, payee_handle, asset, amount, fee, n)
    LEFT JOIN api_key AS key ON key.hash = asked.api_key_hash AND key.revoked_at IS NULL
        AND (key.expires_at IS NULL OR key.expires_at > at)
    LEFT JOIN session_token AS token ON token.hash = asked.session_hash AND token.replaced_at IS NULL
    LEFT JOIN account AS own ON own.owner = coalesce(asked.wallet, token.wallet_id, key.wallet_id) AND own.asset = asked.asset
    LEFT JOIN account AS other ON other.code = coalesce('wallet:' || asked.payee_handle || ':', 'outside:') || asked.asset
    LEFT JOIN account AS fees ON fees.code = CASE WHEN asked.fee > 0 THEN 'fees:' || asked.asset END
$$;
-- Refunds of payments on the ledger rail that settled at once.

-- Refunds payments for plain API keys of their payees, independently of each other, in a fixed number of statements. A refund is
-- a payment of its own, written by settle_payments. Each argument and result is an array with one element per request. `amount` is
-- the part to refund, as a decimal; NULL: all that is left. Outcomes:
--   done        refunded; the other results are the refund
--   checks      nothing is refunded (a row of `refunded_payment` may be written, with 0), and payments/ends/refund.py decides:
--               there is no such key, it is not plain or may not refund; the idempotency key was used before; or the payment is
--               not a ledger payment to the caller, counts against a limit, has less left than asked, the caller has less
--               available, or an earlier request of this call refunds it
--
-- Lock order: idempotency keys, rows of `refunded_payment`, accounts, each sorted. The row of `refunded_payment` is written before
-- money moves, so concurrent refunds never exceed the payment.
CREATE FUNCTION refund_payments(
    at timestamptz, api_key_hash bytea[], idempotency_key text[], fingerprint bytea[], payment uuid[], amount text[],
    OUT outcome text[], OUT id uuid[], OUT paid_at timestamptz, OUT caller uuid[], OUT payee uuid[],
    OUT caller_handle text[], OUT payee_handle text[], OUT asset text[], OUT units numeric[], OUT memo text[]
) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    paid numeric[];           -- the amount of each payment
    good integer[];           -- requests to carry out, in order
    one record; written record;
BEGIN
    SELECT array_agg(CASE WHEN found.fits THEN 'done' ELSE 'checks' END ORDER BY n), array_agg(found.caller ORDER BY n),
        array_agg(found.payee ORDER BY n), array_agg(split_part(found.from_code, ':', 2) ORDER BY n),
        array_agg(split_part(found.to_code, ':', 2) ORDER BY n), array_agg(found.asset ORDER BY n),
        array_agg(found.units ORDER BY n), array_agg(found.memo ORDER BY n), array_agg(found.paid ORDER BY n),
        array_agg(NULL::uuid)
    INTO outcome, caller, payee, caller_handle, payee_handle, asset, units, memo, paid, id
    FROM (
        SELECT asked.n, key.wallet_id AS caller, other.owner AS payee, own.code AS from_code, other.code AS to_code,
            own.asset, part.units, first.memo::text AS memo, first.amount::numeric AS paid,
            asked.again = 1 AND key.plain AND 'refund' = ANY (key.scopes) AND own.owner = key.wallet_id
                AND other.owner IS NOT NULL AND NOT other.closed
                AND (asked.amount IS NULL OR part.units BETWEEN 1 AND first.amount
                    AND scale(asked.amount::numeric) <= known.decimals)
                AND NOT EXISTS (SELECT FROM counted_payment AS counted
                    WHERE counted.scope = ANY ('{cap,policy,mandate,mandate_total}') AND counted.payment_id = first.id) AS fits
        FROM (
            SELECT *, row_number() OVER (PARTITION BY payment ORDER BY n) AS again
            FROM unnest(api_key_hash, payment, amount) WITH ORDINALITY AS asked (hash, payment, amount, n)
        ) AS asked
        LEFT JOIN api_key AS key ON key.hash = asked.hash AND key.revoked_at IS NULL
            AND (key.expires_at IS NULL OR key.expires_at > at)
        LEFT JOIN ledger_payment AS first ON first.id = asked.payment AND first.leg = 1
        LEFT JOIN account AS own ON own.id = first.credit_id
        LEFT JOIN account AS other ON other.id = first.debit_id
        LEFT JOIN asset AS known ON known.code = own.asset
        CROSS JOIN LATERAL (
            SELECT trunc(asked.amount::numeric * ('1e' || known.decimals)::numeric) AS units) AS part
    ) AS found;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;
    PERFORM lock_keys(array_agg(caller[g]), array_agg(idempotency_hash(caller[g], idempotency_key[g]))) FROM unnest(good) AS g;

    outcome := array_fill('checks'::text, ARRAY[cardinality(payment)]);
    FOR one IN
        INSERT INTO refunded_payment AS kept (payment_id, amount, refunded)
        SELECT payment[g], paid[g], coalesce(units[g], paid[g]) FROM unnest(good) AS g ORDER BY payment[g]
        ON CONFLICT (payment_id) DO UPDATE SET refunded = kept.refunded + coalesce(
            units[array_position(payment, kept.payment_id)], kept.amount - kept.refunded)
        WHERE kept.refunded < kept.amount
            AND kept.refunded + coalesce(units[array_position(payment, kept.payment_id)], 0) <= kept.amount
            -- `refunded` is compared with its value in this statement's snapshot: if another refund committed since, the
            -- outcome is `checks`.
            AND (units[array_position(payment, kept.payment_id)] IS NOT NULL OR kept.refunded = (
                SELECT before.refunded FROM refunded_payment AS before WHERE before.payment_id = kept.payment_id))
        RETURNING array_position(payment, kept.payment_id) AS place,
            coalesce(units[array_position(payment, kept.payment_id)], kept.refunded::numeric - coalesce((
                SELECT before.refunded::numeric FROM refunded_payment AS before
                WHERE before.payment_id = kept.payment_id), 0)) AS units
    LOOP
        outcome[one.place] := 'done'; units[one.place] := one.units;
    END LOOP;
    good := array_positions(outcome, 'done');
    IF good = '{}' THEN
        RETURN;
    END IF;

    SELECT * INTO written
    FROM settle_payments(
        at, NULL, NULL, ARRAY(SELECT caller[g] FROM unnest(good) AS g), ARRAY(SELECT idempotency_key[g] FROM unnest(good) AS g),
        ARRAY(SELECT fingerprint[g] FROM unnest(good) AS g), ARRAY(SELECT payee_handle[g] FROM unnest(good) AS g),
        ARRAY(SELECT asset[g] FROM unnest(good) AS g), ARRAY(SELECT units[g] FROM unnest(good) AS g),
        array_fill(0::numeric, ARRAY[cardinality(good)]), ARRAY(SELECT memo[g] FROM unnest(good) AS g),
        ARRAY(SELECT payment[g] FROM unnest(good) AS g),
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    paid_at := written.paid_at;
    FOR i IN 1 .. cardinality(good) LOOP
        id[good[i]] := written.id[i];
        IF written.outcome[i] <> 'done' OR written.id[i] IS NULL THEN
            outcome[good[i]] := 'checks';
        END IF;
    END LOOP;
    IF 'checks' = ANY (ARRAY(SELECT outcome[g] FROM unnest(good) AS g)) THEN
        UPDATE refunded_payment AS kept SET refunded = kept.refunded - back.units
        FROM (SELECT payment[g] AS id, units[g] AS units, outcome[g] AS outcome FROM unnest(good) AS g) AS back
        WHERE kept.payment_id = back.id AND back.outcome = 'checks';
    END IF;
END $$;
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
-- Token payments that a stored chain transaction carries.

-- Logs that the payments of these authorizations, which the caller has claimed, are in the chain transaction `tx_hash`. Their rows
-- do not change (see submission). Returns the payments with their authorizations and states, in the order of their ids.
--
-- The event says what the one before it says, of a payment that was queued or submitted, and the hash: nothing else has changed.
-- Where that was archived, nothing is logged here (`logged` is false).
CREATE FUNCTION submit_payments(authorizations uuid[], tx_hash text, at timestamptz)
RETURNS TABLE (authorization_id uuid, id uuid, state text, logged boolean) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    carried uuid[]; signed uuid[]; states text[]; wallets uuid[]; others uuid[]; payloads jsonb[]; logged integer[];
BEGIN
    SELECT array_agg(payment.id ORDER BY payment.id), array_agg(payment.authorization_id ORDER BY payment.id),
        array_agg(payment.state::text ORDER BY payment.id)
    INTO carried, signed, states
    FROM staged_payment AS payment
    WHERE payment.authorization_id = ANY (authorizations) AND payment.authorization_id IS NOT NULL;
    SELECT array_agg(own.n::integer ORDER BY own.n), array_agg(latest.wallet_id ORDER BY own.n),
        array_agg(latest.other_id ORDER BY own.n),
        array_agg(latest.payload || jsonb_build_object('tx_hash', tx_hash) ORDER BY own.n)
    INTO logged, wallets, others, payloads
    FROM unnest(carried) WITH ORDINALITY AS own (id, n), LATERAL (
        SELECT wallet_id, other_id, payload FROM logged_event
        WHERE subject = own.id AND kind IN ('payment.queued', 'payment.submitted')
        ORDER BY logged_event.id DESC LIMIT 1
    ) AS latest;
    IF logged IS NOT NULL THEN
        PERFORM log_events(array_fill('payment.submitted'::text, ARRAY[cardinality(logged)]), wallets, others,
            ARRAY(SELECT carried[place] FROM unnest(logged) AS place), payloads, at);
    END IF;
    RETURN QUERY
    SELECT own.signed, own.id, own.state, cardinality(carried) = cardinality(logged) OR own.n = ANY (coalesce(logged, '{}'))
    FROM unnest(signed, carried, states) WITH ORDINALITY AS own (signed, id, state, n);
END $$;
-- Controls on money that leaves a wallet: freezes, and the policy of a guarded wallet. Spending caps are in
-- 10_spending.sql.

-- Freezes of withdrawals. Withdrawals of an asset are frozen while a row has no `unfrozen_at`.
CREATE TABLE withdrawal_freeze (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset text NOT NULL REFERENCES asset (code),
    frozen_at timestamptz NOT NULL,
    unfrozen_at timestamptz
);
CREATE UNIQUE INDEX withdrawal_freeze_once ON withdrawal_freeze (asset) WHERE unfrozen_at IS NULL;

-- Freezes of wallets. A wallet is frozen while one of its freezes has not ended.
CREATE TABLE wallet_freeze (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    reason text NOT NULL,
    placed_at timestamptz NOT NULL,
    expires_at timestamptz,             -- when it expires unless it is confirmed
    ended_at timestamptz,
    payment_id uuid                           -- the payment that its owner reported; NULL: an operator's
);
CREATE INDEX wallet_freeze_open ON wallet_freeze (wallet_id) WHERE ended_at IS NULL;
CREATE INDEX wallet_freeze_of_wallet ON wallet_freeze (wallet_id);
CREATE INDEX wallet_freeze_expiry ON wallet_freeze (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;
CREATE UNIQUE INDEX wallet_freeze_of_payment_once ON wallet_freeze (payment_id) WHERE ended_at IS NULL;
CREATE INDEX wallet_freeze_of_payment ON wallet_freeze (payment_id) WHERE payment_id IS NOT NULL;
CREATE TRIGGER wallet_freeze_is_kept BEFORE DELETE OR TRUNCATE ON wallet_freeze
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Tokens of the links in notifications that report a payment as unauthorized. A token can freeze the wallet and show this
-- payment, and nothing else.
CREATE TABLE report_link (
    hash bytea PRIMARY KEY CONSTRAINT report_link_is_a_sha256 CHECK (length(hash) = 32),
    payment_id uuid NOT NULL,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    expires_at timestamptz NOT NULL
);
CREATE INDEX report_link_over ON report_link (expires_at);

-- Authorizations of a frozen wallet wait: they are not batched and do not expire. After the unfreeze they continue, except
-- withdrawals while those are frozen; the ones that are not signed yet get their full time again.
CREATE FUNCTION wallet_freezes_authorizations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Waits for payments that are being decided; later ones see the freeze (payments/checks/wallet_freeze.py).
    UPDATE policy SET frozen = NEW.frozen_at IS NOT NULL WHERE wallet_id = NEW.id;
    PERFORM FROM token_authorization AS a JOIN wallet_address ON wallet_address.address = a.from_address
    WHERE wallet_address.wallet_id = NEW.id AND a.state IN ('queued', 'submitted')
        AND a.kind IN ('transfer', 'redemption')
    ORDER BY a.id FOR UPDATE OF a;
    UPDATE token_authorization AS a SET
        frozen = NEW.frozen_at IS NOT NULL OR (
            EXISTS (SELECT FROM withdrawal_freeze AS stopped
                WHERE stopped.asset = a.asset AND stopped.unfrozen_at IS NULL)
            AND (a.kind = 'redemption' OR EXISTS (
                SELECT FROM staged_payment AS paid WHERE paid.authorization_id = a.id AND paid.payee IS NULL))),
        valid_before = CASE
            WHEN NEW.frozen_at IS NOT NULL OR a.signature IS NOT NULL THEN a.valid_before
            ELSE greatest(a.valid_before,
                floor(extract(epoch FROM now())) + a.valid_before - floor(extract(epoch FROM a.created_at))) END
    FROM wallet_address
    WHERE wallet_address.wallet_id = NEW.id AND wallet_address.address = a.from_address
        AND a.state IN ('queued', 'submitted') AND a.kind IN ('transfer', 'redemption');
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_freezes_authorizations AFTER UPDATE OF frozen_at ON wallet
    FOR EACH ROW WHEN ((OLD.frozen_at IS NULL) <> (NEW.frozen_at IS NULL)) EXECUTE FUNCTION wallet_freezes_authorizations();

-- The policy of a guarded wallet: which payments need its owner's approval.
CREATE TABLE policy (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    since timestamptz NOT NULL DEFAULT now(),  -- its payments count from then on
    frozen boolean NOT NULL DEFAULT false,     -- as its wallet: maintained by wallet_freezes_authorizations and wallet_has_policy
    approve_new_payee boolean NOT NULL DEFAULT true,
    approve_address boolean NOT NULL DEFAULT true,
    changed_payee_days smallint NOT NULL DEFAULT 7
        CONSTRAINT policy_changed_payee_days_within_a_year CHECK (changed_payee_days BETWEEN 0 AND 365),
    new_device_hours smallint NOT NULL DEFAULT 24
        CONSTRAINT policy_new_device_hours_within_a_month CHECK (new_device_hours BETWEEN 0 AND 720),
    undo_seconds smallint NOT NULL DEFAULT 0
        CONSTRAINT policy_undo_seconds_known CHECK (undo_seconds = 0 OR undo_seconds BETWEEN 10 AND 60)
);

-- Limits per asset. The defaults, for an asset without a row, are in policy.py.
CREATE TABLE policy_limit (
    wallet_id uuid NOT NULL REFERENCES policy (wallet_id),
    asset text NOT NULL REFERENCES asset (code),
    payment units NOT NULL CONSTRAINT policy_limit_payment_not_negative CHECK (payment >= 0),
    day units NOT NULL,
    PRIMARY KEY (wallet_id, asset),
    CONSTRAINT policy_limit_day_no_less_than_a_payment CHECK (day >= payment)
);

-- Payees that need no approval. A payee is a wallet, or an address that has no handle; names are not stored.
CREATE TABLE trusted_payee (
    wallet_id uuid NOT NULL REFERENCES policy (wallet_id),
    payee uuid REFERENCES wallet (id),
    address text,
    CONSTRAINT trusted_payee_is_one CHECK ((payee IS NULL) <> (address IS NULL)),
    CONSTRAINT trusted_payee_once UNIQUE NULLS NOT DISTINCT (wallet_id, payee, address)
);

-- The payees that a guarded wallet has paid before. A foreign key to the wallet would lock it for each payee, and is not
-- needed: writers hold a lock on the wallet's policy, and wallets are never deleted.
CREATE TABLE known_payee (
    wallet_id uuid NOT NULL,
    payee uuid,
    address text,
    first_paid_at timestamptz NOT NULL,
    CONSTRAINT known_payee_is_one CHECK ((payee IS NULL) <> (address IS NULL)),
    CONSTRAINT known_payee_once UNIQUE NULLS NOT DISTINCT (wallet_id, payee, address)
);

-- The first passkey ends the authority that was given before it. In the transaction that adds the passkey, the wallet gets
-- a policy without known payees (anybody with the sign-up key may have paid them), recovery codes and the sessions that
-- they began end, and held payments need an approval. API keys and mandates need an approval before they work again.
CREATE FUNCTION wallet_has_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO policy (wallet_id, frozen) VALUES (NEW.id, NEW.frozen_at IS NOT NULL) ON CONFLICT DO NOTHING;
    DELETE FROM recovery_code WHERE wallet_id = NEW.id;
    UPDATE session SET ended_at = now(), ended_by = 'first_passkey'
    WHERE wallet_id = NEW.id AND sign_in_method = 'recovery_code' AND ended_at IS NULL;
    UPDATE staged_payment SET state = 'requires_confirmation', approval = '{before_passkey}', capture = false
    WHERE payer = NEW.id AND rare_state = 'held' AND authorization_id IS NULL AND refund_of IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_has_policy AFTER UPDATE OF guarded ON wallet
    FOR EACH ROW WHEN (NEW.guarded AND NOT OLD.guarded) EXECUTE FUNCTION wallet_has_policy();

-- Spending caps of API keys, and what counts against the limits of keys, policies and mandates (payments/checks/).

-- A capped key pays only what a cap covers (its asset and, where they are given, its rail and payee),
-- and no more than every cap that covers it allows, at once and in any twenty-four hours.
CREATE TABLE api_key_cap (
    origin uuid NOT NULL REFERENCES api_key (id),
    number integer NOT NULL,
    asset text NOT NULL REFERENCES asset (code),
    rail payment_rail,
    payee uuid REFERENCES wallet (id),
    payment units,
    day units,
    PRIMARY KEY (origin, number),
    CONSTRAINT api_key_cap_says_how_much CHECK (payment IS NOT NULL OR day IS NOT NULL)
);
CREATE TRIGGER api_key_cap_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON api_key_cap
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- What counts against limits over time (payments/checks/spending.py): the day caps of keys, the day of a wallet's policy, and
-- mandates. A bucket is the sum of the payments counted in it.
CREATE DOMAIN spending_scope AS text
    CONSTRAINT spending_scope_known CHECK (VALUE IN ('cap', 'policy', 'mandate', 'mandate_total'));
CREATE TABLE spending (
    scope spending_scope NOT NULL,
    scope_id uuid NOT NULL,            -- the key's origin, the wallet or the mandate
    number integer NOT NULL,           -- of the cap; 0: of no cap
    asset text NOT NULL,
    bucket timestamptz NOT NULL,       -- when it begins
    amount units NOT NULL CONSTRAINT spending_not_negative CHECK (amount >= 0),
    PRIMARY KEY (scope, scope_id, number, asset, bucket)
) WITH (fillfactor = 70);
-- By expressions, so that this index serves the deletion of old buckets alone: while the table is small PostgreSQL would
-- add up a limit by it, keep to that plan, and later read all the other limits for each.
CREATE INDEX spending_old ON spending ((scope || ''), (bucket AT TIME ZONE 'UTC'));
CREATE TABLE counted_payment (
    scope spending_scope NOT NULL,
    scope_id uuid NOT NULL,
    number integer NOT NULL,
    asset text NOT NULL,
    bucket timestamptz NOT NULL,
    payment_id uuid NOT NULL,          -- a payment, or a withdrawal to the bank
    at timestamptz NOT NULL,
    amount units NOT NULL CONSTRAINT counted_payment_not_negative CHECK (amount >= 0),
    PRIMARY KEY (scope, payment_id, number)
) WITH (fillfactor = 90);
CREATE INDEX counted_payment_bucket ON counted_payment (scope, scope_id, number, asset, bucket);

-- What counts against one limit since a time, by bucket. Of the bucket that contains the time (`oldest`), only the payments
-- from that time on count. PostgreSQL inlines this function into those that use it, whose plans are kept as ledger_write's.
CREATE FUNCTION spent_since(
    scope text, scope_id uuid, number integer, asset text, since timestamptz, oldest timestamptz
) RETURNS TABLE (bucket timestamptz, amount numeric) LANGUAGE sql STABLE AS $$
    SELECT spending.bucket, CASE WHEN spending.bucket > spent_since.oldest THEN spending.amount::numeric
        ELSE (SELECT coalesce(sum(counted.amount), 0) FROM counted_payment AS counted
            WHERE counted.scope = spent_since.scope AND counted.scope_id = spent_since.scope_id
                AND counted.number = spent_since.number AND counted.asset = spent_since.asset
                AND counted.bucket = spent_since.oldest AND counted.at >= spent_since.since) END
    FROM spending
    WHERE spending.scope = spent_since.scope AND spending.scope_id = spent_since.scope_id
        AND spending.number = spent_since.number AND spending.asset = spent_since.asset
        AND spending.bucket >= spent_since.oldest
$$;

-- What counts against each of these limits since its time.
CREATE FUNCTION spent(
    scope text[], scope_id uuid[], number integer[], asset text[], since timestamptz[], oldest timestamptz[]
) RETURNS TABLE (place bigint, bucket timestamptz, amount numeric) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT asked.place, counts.bucket, counts.amount
    FROM unnest(scope, scope_id, number, asset, since, oldest) WITH ORDINALITY
            AS asked (scope, scope_id, number, asset, since, oldest, place),
        LATERAL spent_since(asked.scope, asked.scope_id, asked.number, asked.asset, asked.since, asked.oldest) AS counts;
END $$;

-- The caps of keys, and what counts against those of a day.
CREATE FUNCTION caps_spent(origins uuid[], since timestamptz, oldest timestamptz)
RETURNS TABLE (origin uuid, number integer, asset text, rail text, payee uuid, payment numeric, day numeric,
    buckets timestamptz[], amounts numeric[]) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT cap.origin, cap.number, cap.asset, cap.rail::text, cap.payee, cap.payment::numeric, cap.day::numeric,
        counts.buckets, counts.amounts
    FROM unnest(origins) AS asked (origin)
    JOIN api_key_cap AS cap ON cap.origin = asked.origin
    LEFT JOIN LATERAL (
        SELECT array_agg(one.bucket) AS buckets, array_agg(one.amount) AS amounts
        FROM spent_since('cap', cap.origin, cap.number, cap.asset, caps_spent.since, oldest) AS one
    ) AS counts ON cap.day IS NOT NULL
    ORDER BY cap.origin, cap.number;
END $$;

-- The beginning of the bucket that a time lies in (payments/checks/spending.py).
CREATE FUNCTION spending_bucket(at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
    RETURN date_bin(interval '10 minutes', at, timestamptz 'epoch');

-- Counts payments and withdrawals of one moment, each against a limit. Totals of mandates have a bucket of their own.
CREATE FUNCTION count_spending(
    at timestamptz, bucket timestamptz, scope text[], scope_id uuid[], number integer[], asset text[], source uuid[],
    amount numeric[]
) RETURNS void LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO counted_payment (scope, scope_id, number, asset, bucket, payment_id, at, amount)
    SELECT fresh.scope, fresh.scope_id, fresh.number, fresh.asset,
        CASE fresh.scope WHEN 'mandate_total' THEN 'epoch' ELSE count_spending.bucket END, fresh.source, count_spending.at,
        fresh.amount
    FROM unnest(scope, scope_id, number, asset, source, amount)
        AS fresh (scope, scope_id, number, asset, source, amount);
    INSERT INTO spending AS there (scope, scope_id, number, asset, bucket, amount)
    SELECT fresh.scope, fresh.scope_id, fresh.number, fresh.asset,
        CASE fresh.scope WHEN 'mandate_total' THEN 'epoch' ELSE count_spending.bucket END, sum(fresh.amount)
    FROM unnest(scope, scope_id, number, asset, amount) AS fresh (scope, scope_id, number, asset, amount)
    GROUP BY fresh.scope, fresh.scope_id, fresh.number, fresh.asset
    ORDER BY fresh.scope, fresh.scope_id, fresh.number, fresh.asset
    ON CONFLICT (scope, scope_id, number, asset, bucket) DO UPDATE SET amount = there.amount + EXCLUDED.amount;
END $$;

-- Adds these payees to those that the payers have paid before.
CREATE FUNCTION know_payees(at timestamptz, payers uuid[], payees uuid[], addresses text[]) RETURNS void LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    INSERT INTO known_payee (wallet_id, payee, address, first_paid_at)
    SELECT paid.payer, paid.payee, paid.address, at
    FROM unnest(payers, payees, addresses) AS paid (payer, payee, address)
    ON CONFLICT DO NOTHING;
END $$;
-- Bank transfers in and out of fiat accounts, and the sandbox bank.

-- A deposit that the bank reported, or a withdrawal that it was instructed to pay.
CREATE TABLE bank_movement (
    id uuid PRIMARY KEY,
    direction text NOT NULL CONSTRAINT bank_movement_direction_known CHECK (direction IN ('deposit', 'withdrawal')),
    state text NOT NULL CONSTRAINT bank_movement_state_known CHECK (state IN ('pending', 'settled', 'failed')),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    amount amount NOT NULL,
    transfer_id uuid NOT NULL,
    bank_reference text NOT NULL CONSTRAINT bank_movement_reference_once UNIQUE,
    created_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE INDEX bank_movement_of_wallet ON bank_movement (wallet_id, id DESC);

-- The statement of the sandbox bank, which is reconciled with the ledger like a real bank's.
CREATE TABLE sandbox_bank_line (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference text NOT NULL CONSTRAINT sandbox_bank_line_once UNIQUE,
    asset text NOT NULL REFERENCES asset (code),
    amount units NOT NULL CONSTRAINT sandbox_bank_line_not_zero CHECK (amount <> 0),  -- below zero: paid out
    balance units NOT NULL CONSTRAINT sandbox_bank_not_overdrawn CHECK (balance >= 0),
    booked_at timestamptz NOT NULL
);
CREATE INDEX sandbox_bank_line_of_asset ON sandbox_bank_line (asset, id DESC);
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
-- Reconciliation of the ledger with the chain and the bank: its progress, and the differences found.

-- The reconciliation of each chain, one row per chain. Times are by the database's clock, since machines' clocks differ.
CREATE TABLE reconciliation_run (
    chain_id bigint PRIMARY KEY,
    number bigint NOT NULL DEFAULT -1,  -- final blocks up to this one are reconciled
    run bigint NOT NULL DEFAULT 0,      -- counts the runs: a run that was overtaken writes no findings
    taken_at timestamptz,               -- when the current run began
    all_at timestamptz                  -- when every wallet was last reconciled
);

-- Differences. One run suspects a difference and the next confirms it; one that the next does not find is deleted.
CREATE TABLE difference (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    asset text NOT NULL REFERENCES asset (code),   -- its withdrawals are frozen once the difference is confirmed
    against text NOT NULL,              -- what the ledger was reconciled with: balanceOf, totalSupply, a bank statement
    block bigint,                       -- the final block at which the chain was read; NULL: it was not read
    ledger units NOT NULL,
    other units NOT NULL,
    seen_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    ended_at timestamptz,               -- when withdrawals were unfrozen, once the difference was gone
    CONSTRAINT difference_is_one CHECK (ledger <> other)
);
CREATE UNIQUE INDEX difference_once ON difference (account, against) WHERE ended_at IS NULL;

-- The totals of each token, once an hour and whenever its differences have changed (reconciliation/history.py).
CREATE TABLE solvency_point (
    asset text NOT NULL REFERENCES asset (code),
    at timestamptz NOT NULL,
    block bigint,                       -- the final block that the ledger was at
    supply units NOT NULL,
    wallets units NOT NULL,
    outside units NOT NULL,
    reserve units NOT NULL,             -- of the currency that backs it
    difference units NOT NULL,          -- the sum of the differences within the ledger
    unreconciled units NOT NULL,        -- the sum of all confirmed differences: with the chain, the bank and within the ledger
    CONSTRAINT solvency_point_pkey PRIMARY KEY (asset, at),
    CONSTRAINT solvency_point_differs_by_some CHECK (difference >= 0 AND unreconciled >= 0)
);
-- Recovery after a restore from an older copy: the chain has payments that the database does not have. Until operators
-- have confirmed the findings, nothing is sent to the chain and no handle can be claimed.

-- The recoveries of this database; the gateway is in recovery while one has not ended.
CREATE TABLE recovery (
    id uuid PRIMARY KEY,
    chain_id bigint NOT NULL,
    reason text NOT NULL,              -- the first thing found, as a sentence
    entered_at timestamptz NOT NULL,
    read_at timestamptz,               -- when the ledger had everything that the relayers did; NULL: a worker is still reading
    ended_at timestamptz,
    ended_by text,
    CONSTRAINT recovery_ends_by_somebody CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT recovery_ends_once_all_is_read CHECK (ended_at IS NULL OR read_at IS NOT NULL)
);
CREATE UNIQUE INDEX recovery_one_at_a_time ON recovery ((true)) WHERE ended_at IS NULL;
CREATE TRIGGER recovery_is_kept BEFORE DELETE OR TRUNCATE ON recovery
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A payment, mint or redemption that the gateway has sent and the database has no row of. Its idempotency key was lost,
-- so the first request for the same payment is answered with it instead of paying twice.
CREATE TABLE restored_payment (
    id uuid PRIMARY KEY,
    recovery_id uuid NOT NULL REFERENCES recovery (id),
    kind text NOT NULL CONSTRAINT restored_payment_kind_known CHECK (kind IN ('transfer', 'redemption', 'mint')),
    asset text NOT NULL REFERENCES asset (code),
    from_address text NOT NULL,
    to_address text NOT NULL,
    value amount NOT NULL,
    nonce numeric NOT NULL,            -- of a mint, its reference
    payer uuid REFERENCES wallet (id), -- who asked for it; NULL: a wallet that was lost too
    payee uuid REFERENCES wallet (id),
    block_number bigint NOT NULL,
    transaction_hash bytea NOT NULL,
    met_at timestamptz,
    met_by uuid REFERENCES wallet (id),
    met_key text,                      -- the idempotency key of the request that it answered
    CONSTRAINT restored_payment_once UNIQUE (asset, from_address, nonce),
    CONSTRAINT restored_payment_met_by_a_request CHECK (num_nulls(met_at, met_by, met_key) IN (0, 3))
);
CREATE INDEX restored_payment_not_met ON restored_payment (asset, value) WHERE met_at IS NULL;
CREATE TRIGGER restored_payment_is_kept BEFORE DELETE OR TRUNCATE ON restored_payment
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Addresses in the gateway's payments that belong to no wallet here. Each may be the address of a lost handle, which
-- nobody can claim until operators have returned it.
CREATE TABLE lost_address (
    address text PRIMARY KEY,
    recovery_id uuid NOT NULL REFERENCES recovery (id),
    returned_at timestamptz,           -- its handle may be claimed from then on
    wallet_id uuid REFERENCES wallet (id) DEFERRABLE INITIALLY DEFERRED,    -- who claimed it
    taken_block bigint,                -- the last block read then: the balance of the address at it has to be posted,
    opened_at timestamptz,             -- when that balance was posted
    CONSTRAINT lost_address_is_returned_first CHECK (wallet_id IS NULL OR returned_at IS NOT NULL)
);
CREATE INDEX lost_address_to_open ON lost_address (address) WHERE wallet_id IS NOT NULL AND opened_at IS NULL;
CREATE TRIGGER lost_address_is_kept BEFORE DELETE OR TRUNCATE ON lost_address
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The restored payments that a request repeats, of those that are not matched yet: of the same kind, asset and value,
-- from the same wallet or address, and to the same one. Previous addresses of a wallet count as its own. A mint has no
-- payer, and is its payee's request; a redemption has no payee.
CREATE FUNCTION repeated_payments(kind text, asset text, value numeric, from_address text, to_address text)
RETURNS SETOF restored_payment LANGUAGE sql STABLE
AS $$
    SELECT there.* FROM restored_payment AS there
    WHERE there.met_at IS NULL AND there.kind = repeated_payments.kind AND there.asset = repeated_payments.asset
        AND there.value = repeated_payments.value
        AND (there.kind = 'mint' OR there.from_address = repeated_payments.from_address
            OR there.payer = (SELECT wallet_id FROM wallet_address WHERE address = repeated_payments.from_address))
        AND (there.kind = 'redemption' OR there.to_address = repeated_payments.to_address
            OR there.payee = (SELECT wallet_id FROM wallet_address WHERE address = repeated_payments.to_address))
$$;

-- Refuses authorizations during recovery (GWR01) and those that repeat a restored payment (GWR02); errors.py tells the
-- caller. Sweeps are not requests: their tokens stay in one wallet, and no relayer sends them before recovery has ended.
-- An authorization that its owner signed is recognized by its nonce.
CREATE FUNCTION authorization_in_recovery() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    met record;
BEGIN
    IF NOT EXISTS (SELECT FROM recovery WHERE ended_at IS NULL)
        AND NOT EXISTS (SELECT FROM restored_payment WHERE met_at IS NULL) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM recovery WHERE ended_at IS NULL) AND EXISTS (SELECT FROM fresh WHERE kind <> 'sweep') THEN
        RAISE EXCEPTION 'the gateway is in recovery' USING ERRCODE = 'GWR01';
    END IF;
    SELECT there.id, there.transaction_hash INTO met
    FROM fresh,
        LATERAL repeated_payments(fresh.kind, fresh.asset, fresh.value, fresh.from_address, fresh.to_address) AS there
    WHERE fresh.signature IS NULL
    ORDER BY there.block_number, there.id
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a payment like this is on the chain already'
            USING ERRCODE = 'GWR02', DETAIL = met.id || ' 0x' || encode(met.transaction_hash, 'hex');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER authorization_in_recovery AFTER INSERT ON token_authorization
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION authorization_in_recovery();

-- Refuses new wallets during recovery (GWR01) and a handle that was lost and not returned (GWR03). A returned one comes
-- with the balance at its address and the nonces that were used there, from the block on that the ledger has read; that
-- block stays the same until this transaction ends.
CREATE FUNCTION wallet_in_recovery() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    returned timestamptz;
BEGIN
    IF EXISTS (SELECT FROM recovery WHERE ended_at IS NULL) THEN
        RAISE EXCEPTION 'the gateway is in recovery' USING ERRCODE = 'GWR01';
    END IF;
    SELECT returned_at INTO returned FROM lost_address WHERE address = NEW.address FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    IF returned IS NULL THEN
        RAISE EXCEPTION 'a lost handle' USING ERRCODE = 'GWR03', DETAIL = NEW.handle;
    END IF;
    UPDATE lost_address SET wallet_id = NEW.id, taken_block = (SELECT number FROM chain_cursor
        WHERE chain_id = (SELECT chain_id FROM recovery WHERE id = lost_address.recovery_id) FOR UPDATE)
    WHERE address = NEW.address;
    INSERT INTO authorization_nonce (asset, address, next)
    SELECT asset, from_address, max(nonce) + 1 FROM restored_payment
    WHERE from_address = NEW.address AND kind <> 'mint' AND nonce < 2::numeric ^ 32
    GROUP BY asset, from_address ORDER BY asset
    ON CONFLICT DO NOTHING;
    RETURN NEW;
END $$;
CREATE TRIGGER wallet_in_recovery BEFORE INSERT ON wallet FOR EACH ROW EXECUTE FUNCTION wallet_in_recovery();
-- Operators: staff who act on other people's wallets and on the gateway itself, always two together.

CREATE TABLE operator (
    id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT operator_name_unique UNIQUE
        CONSTRAINT operator_name_shape CHECK (name ~ '^[a-z0-9_]{2,30}$'),
    role text NOT NULL                 -- its rights are in gateway/operators/roles.py
        CONSTRAINT operator_role_known CHECK (role IN ('read_only', 'support', 'finance', 'security')),
    enrolment bytea,                   -- SHA-256 of the code that enrols their passkey; none once it is used
    enrolment_until timestamptz,
    link bytea,                        -- SHA-256 of a link that signs in once, as `gateway up` prints it in the sandbox
    link_until timestamptz,
    credential_id bytea CONSTRAINT operator_credential_unique UNIQUE,
    public_key bytea,                  -- in COSE (RFC 9052)
    sign_count bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT operator_has_a_whole_passkey CHECK ((credential_id IS NULL) = (public_key IS NULL)),
    CONSTRAINT operator_enrols_once CHECK (enrolment IS NULL OR credential_id IS NULL),
    CONSTRAINT operator_link_only_without_passkey CHECK (link IS NULL OR credential_id IS NULL)
);
CREATE TRIGGER operator_is_kept BEFORE DELETE OR TRUNCATE ON operator
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TABLE operator_session (
    hash bytea PRIMARY KEY,            -- SHA-256 of the token
    operator_id uuid NOT NULL REFERENCES operator (id),
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);

-- Challenges to operators' passkeys.
CREATE TABLE operator_challenge (
    challenge bytea PRIMARY KEY,
    operator_id uuid REFERENCES operator (id),   -- NULL: the response says whose passkey it is
    purpose text NOT NULL,
    nonce bytea NOT NULL,
    rp_id text NOT NULL,
    origin text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX operator_challenge_over ON operator_challenge (expires_at);

-- Proposals by one operator that another approves: to freeze or unfreeze a wallet, to set the limits of a guarded
-- wallet, to confirm a recovery, to return a lost handle, to correct the ledger.
CREATE TABLE proposal (
    id uuid PRIMARY KEY,
    kind text NOT NULL CONSTRAINT proposal_kind_known CHECK (kind IN (
        'wallet.freeze', 'wallet.unfreeze', 'wallet.limit', 'recovery.confirm', 'handle.return', 'ledger.correct')),
    wallet_id uuid REFERENCES wallet (id),
    reason text NOT NULL,
    freeze_id uuid REFERENCES wallet_freeze (id),   -- the freeze that is confirmed
    proposed_by uuid NOT NULL REFERENCES operator (id),
    proposed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    approved_by uuid REFERENCES operator (id),
    done_at timestamptz,
    asset text REFERENCES asset (code),
    payment units,
    day units,
    terms text,                        -- the proposal in words, which is what is approved
    recovery_id uuid REFERENCES recovery (id),
    address text REFERENCES lost_address (address),
    debit text,                        -- the codes of two accounts
    credit text,
    amount amount,
    CONSTRAINT proposal_four_eyes CHECK (approved_by <> proposed_by),
    CONSTRAINT proposal_done_by_somebody CHECK ((approved_by IS NULL) = (done_at IS NULL)),
    CONSTRAINT proposal_done_in_time CHECK (done_at < expires_at),
    CONSTRAINT proposal_is_whole CHECK (CASE kind
        WHEN 'wallet.limit' THEN num_nulls(wallet_id, asset, payment, day, terms) = 0
            AND num_nonnulls(recovery_id, address, debit, credit, amount) = 0
        WHEN 'recovery.confirm' THEN num_nulls(recovery_id, terms) = 0
            AND num_nonnulls(wallet_id, asset, payment, day, address, debit, credit, amount) = 0
        WHEN 'handle.return' THEN num_nulls(address, terms) = 0
            AND num_nonnulls(wallet_id, asset, payment, day, recovery_id, debit, credit, amount) = 0
        WHEN 'ledger.correct' THEN num_nulls(asset, debit, credit, amount, terms) = 0
            AND num_nonnulls(wallet_id, payment, day, recovery_id, address) = 0
        ELSE wallet_id IS NOT NULL
            AND num_nonnulls(asset, payment, day, terms, recovery_id, address, debit, credit, amount) = 0 END)
);
CREATE INDEX proposal_open ON proposal (expires_at) WHERE done_at IS NULL;
CREATE TRIGGER proposal_is_kept BEFORE DELETE OR TRUNCATE ON proposal
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A transfer that corrects the ledger, with its reason and who approved it.
CREATE TABLE correction (
    id uuid PRIMARY KEY,               -- of its transfer as well
    debit text NOT NULL,
    credit text NOT NULL,
    asset text NOT NULL REFERENCES asset (code),
    amount amount NOT NULL,
    reason text NOT NULL,
    by text[] NOT NULL CONSTRAINT correction_has_somebody CHECK (cardinality(by) > 0),
    posted_at timestamptz NOT NULL
);
CREATE TRIGGER correction_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON correction
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- The audit log, and the checkpoints of the event log and the audit log.

-- Audit events: security-relevant actions and their actors. Numbered like events (audit/log.py).
CREATE TABLE audit_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    wallet_id uuid,                    -- the wallet that it is about; NULL: the gateway
    by_kind text NOT NULL CONSTRAINT audit_event_by_known CHECK (
        by_kind IN ('anyone', 'api_key', 'session', 'passkey', 'recovery', 'operator', 'worker', 'command')
    ),
    by_id text NOT NULL,
    subject uuid,
    details jsonb NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX audit_event_of_wallet ON audit_event (wallet_id, id);
CREATE INDEX audit_event_of_kind ON audit_event (kind, id);
CREATE INDEX audit_event_of_subject ON audit_event (subject, id) WHERE subject IS NOT NULL;
CREATE TRIGGER audit_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The keys of checkpoints, encrypted under a master key as a wallet's key is.
CREATE TABLE checkpoint_key (
    id uuid PRIMARY KEY,
    number integer NOT NULL CONSTRAINT checkpoint_key_number_unique UNIQUE,   -- the greatest makes new checkpoints
    ciphertext bytea NOT NULL,
    made_at timestamptz NOT NULL,
    master integer NOT NULL            -- the number of its master key
);
CREATE TRIGGER checkpoint_key_is_kept BEFORE DELETE OR TRUNCATE ON checkpoint_key
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER master_key_is_active BEFORE INSERT OR UPDATE ON checkpoint_key
    FOR EACH ROW EXECUTE FUNCTION master_key_is_active();

-- Checkpoints (audit/checkpoint.py): each covers the events and audit events of a range of numbers, and the checkpoint
-- before it.
CREATE TABLE checkpoint (
    number bigint PRIMARY KEY CONSTRAINT checkpoint_number_from_one CHECK (number >= 1),
    previous bytea NOT NULL CONSTRAINT checkpoint_previous_unique UNIQUE,     -- the hash of the checkpoint before
    at timestamptz NOT NULL,
    key_id uuid NOT NULL REFERENCES checkpoint_key (id),
    hash bytea NOT NULL CONSTRAINT checkpoint_hash_is_a_sha256 CHECK (length(hash) = 32 AND length(previous) = 32),
    events_after bigint NOT NULL,      -- it covers the events numbered above this,
    events_to bigint NOT NULL,         -- up to this,
    events bytea NOT NULL,             -- which were these: eight bytes of number and a SHA-256 each
    audit_events_after bigint NOT NULL,
    audit_events_to bigint NOT NULL,
    audit_events bytea NOT NULL,
    CONSTRAINT checkpoint_covers_something CHECK (length(events) + length(audit_events) > 0),
    CONSTRAINT checkpoint_goes_on CHECK (events_to >= events_after AND audit_events_to >= audit_events_after)
);
CREATE INDEX checkpoint_of_event ON checkpoint (events_to, number);
-- Hashes do not compress.
ALTER TABLE checkpoint ALTER events SET STORAGE EXTERNAL, ALTER audit_events SET STORAGE EXTERNAL;
CREATE TRIGGER checkpoint_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
-- Webhooks: the endpoints that a wallet's events are sent to, and the state of each delivery.

-- An endpoint. `reached` is its cursor into the event log: events up to this number are deliveries, or are not for it.
CREATE TABLE webhook_endpoint (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    url text NOT NULL CONSTRAINT webhook_endpoint_url_length CHECK (length(url) BETWEEN 1 AND 2000),
    types text[] NOT NULL CONSTRAINT webhook_endpoint_has_types CHECK (cardinality(types) BETWEEN 1 AND 100),
    description text NOT NULL CONSTRAINT webhook_endpoint_description_length CHECK (length(description) <= 200),
    disabled_by text CONSTRAINT webhook_endpoint_disabled_by_known CHECK (disabled_by IN ('owner', 'gone', 'failing')),
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,            -- its deliveries are deleted in batches, and then the row
    reached bigint NOT NULL,
    has_news boolean NOT NULL DEFAULT true,    -- there may be events after `reached`
    failures integer NOT NULL DEFAULT 0 CONSTRAINT webhook_endpoint_counts_failures CHECK (failures >= 0),
    failing_since timestamptz,         -- none of its deliveries succeeded since
    resumes_at timestamptz,            -- nothing is sent to it before this time
    served_at timestamptz NOT NULL     -- when deliveries of it were last claimed
);
CREATE TRIGGER wallet_is_open BEFORE INSERT ON webhook_endpoint FOR EACH ROW EXECUTE FUNCTION wallet_is_open();
CREATE INDEX webhook_endpoint_of_wallet ON webhook_endpoint (wallet_id) WHERE deleted_at IS NULL;
CREATE INDEX webhook_endpoint_with_news ON webhook_endpoint (served_at)
    WHERE has_news AND disabled_by IS NULL AND deleted_at IS NULL;
CREATE INDEX webhook_endpoint_failing ON webhook_endpoint (id)
    WHERE deleted_at IS NULL AND (failing_since IS NOT NULL OR disabled_by IN ('gone', 'failing'));
CREATE INDEX webhook_endpoint_deleted ON webhook_endpoint (id) WHERE deleted_at IS NOT NULL;

-- The secrets that deliveries are signed with, encrypted under a master key as a wallet's key is.
CREATE TABLE webhook_secret (
    id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoint (id),
    ciphertext bytea NOT NULL,
    master integer NOT NULL,           -- the number of its master key
    made_at timestamptz NOT NULL,
    expires_at timestamptz             -- NULL: it is the newest of its endpoint
);
CREATE UNIQUE INDEX webhook_secret_newest ON webhook_secret (endpoint_id) WHERE expires_at IS NULL;
CREATE INDEX webhook_secret_of_endpoint ON webhook_secret (endpoint_id);
CREATE INDEX webhook_secret_of_master ON webhook_secret (master);
CREATE TRIGGER master_key_is_active BEFORE INSERT OR UPDATE ON webhook_secret
    FOR EACH ROW EXECUTE FUNCTION master_key_is_active();

-- An event for an endpoint. While it is pending, later events of the same object wait for it.
CREATE TABLE webhook_delivery (
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoint (id),
    event bigint NOT NULL,
    kind text NOT NULL,
    object uuid NOT NULL,
    event_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'pending'
        CONSTRAINT webhook_delivery_state_known CHECK (state IN ('pending', 'delivered', 'failed')),
    queued_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,  -- since it was queued
    next_at timestamptz NOT NULL,      -- while it is pending: not tried before
    lease uuid,                        -- of the worker that is sending it
    leased_until timestamptz,
    PRIMARY KEY (endpoint_id, event),
    CONSTRAINT webhook_delivery_is_leased_for_a_time CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CONSTRAINT webhook_delivery_is_leased_while_pending CHECK (lease IS NULL OR state = 'pending')
);
CREATE INDEX webhook_delivery_pending ON webhook_delivery (endpoint_id, next_at, event) WHERE state = 'pending';
CREATE INDEX webhook_delivery_under_way ON webhook_delivery (endpoint_id, leased_until) WHERE lease IS NOT NULL;
CREATE INDEX webhook_delivery_in_order ON webhook_delivery (endpoint_id, object, event) WHERE state = 'pending';
CREATE INDEX webhook_delivery_ended ON webhook_delivery (queued_at) WHERE state <> 'pending';

-- Each try of a delivery, and its outcome.
CREATE TABLE webhook_attempt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id uuid NOT NULL,
    event bigint NOT NULL,
    at timestamptz NOT NULL,
    milliseconds integer NOT NULL CONSTRAINT webhook_attempt_takes_time CHECK (milliseconds >= 0),
    outcome text NOT NULL,
    status integer,                    -- the HTTP status, if there was an answer
    CONSTRAINT webhook_attempt_of_a_delivery FOREIGN KEY (endpoint_id, event) REFERENCES webhook_delivery ON DELETE CASCADE
);
CREATE INDEX webhook_attempt_of_delivery ON webhook_attempt (endpoint_id, event, id);

-- How far the event log was read for wallets with endpoints.
CREATE TABLE webhook_position (
    number integer PRIMARY KEY CONSTRAINT webhook_position_single CHECK (number = 1),
    reached bigint NOT NULL
);
INSERT INTO webhook_position (number, reached) VALUES (1, 0);
-- Notifications: the addresses that they are sent to, their owners' preferences, and the state of each delivery.

-- An address of a channel: an e-mail address, a browser that takes push messages. Until it is confirmed, only the code
-- that confirms it is sent to it. The address is encrypted under a master key, and is deleted with the row.
CREATE TABLE notification_address (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    channel text NOT NULL CONSTRAINT notification_address_channel_named CHECK (channel ~ '^[a-z_]{1,20}$'),
    ciphertext bytea NOT NULL,
    master integer NOT NULL,           -- the number of its master key
    lookup bytea,                      -- HMAC of the address under a key derived from the root key, by which operators find its wallet
    locale text NOT NULL,
    time_zone text NOT NULL,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,          -- it is notified of events after this
    failure text,                      -- why nothing is sent to it any more
    failed_at timestamptz,
    removed_at timestamptz,            -- its owner no longer sees it; it is deleted once it was notified of that
    code_expires_at timestamptz,       -- while it waits to be confirmed: when the code expires
    code_tries integer NOT NULL DEFAULT 0 CONSTRAINT notification_address_counts_tries CHECK (code_tries >= 0),
    unsubscribe bytea NOT NULL CONSTRAINT notification_address_unsubscribe_unique UNIQUE
        CONSTRAINT notification_address_unsubscribe_is_a_sha256 CHECK (length(unsubscribe) = 32),
    CONSTRAINT notification_address_fails_for_a_reason CHECK ((failure IS NULL) = (failed_at IS NULL)),
    CONSTRAINT notification_address_is_confirmed_or_pending CHECK ((confirmed_at IS NULL) = (code_expires_at IS NOT NULL))
);
CREATE TRIGGER wallet_is_open BEFORE INSERT ON notification_address FOR EACH ROW EXECUTE FUNCTION wallet_is_open();
CREATE INDEX notification_address_of_wallet ON notification_address (wallet_id);
CREATE INDEX notification_address_lookup ON notification_address (lookup) WHERE lookup IS NOT NULL;
CREATE INDEX notification_address_of_master ON notification_address (master);
CREATE INDEX notification_address_removed ON notification_address (id) WHERE removed_at IS NOT NULL;
CREATE INDEX notification_address_unconfirmed ON notification_address (code_expires_at) WHERE confirmed_at IS NULL;
CREATE TRIGGER master_key_is_active BEFORE INSERT OR UPDATE ON notification_address
    FOR EACH ROW EXECUTE FUNCTION master_key_is_active();

-- The owner's mode of a channel for a kind of notification, if it differs from the default.
CREATE TABLE notification_preference (
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    kind text NOT NULL,
    channel text NOT NULL,
    mode text NOT NULL CONSTRAINT notification_preference_mode_known CHECK (mode IN ('on', 'fallback', 'off')),
    PRIMARY KEY (wallet_id, kind, channel)
);

-- The last event whose notification the owner has seen.
CREATE TABLE notification_seen (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    event bigint NOT NULL
);

-- An event that a wallet with confirmed addresses is notified of. Only one notification of a kind is `about` the same
-- thing.
CREATE TABLE notification (
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    event bigint NOT NULL,
    kind text NOT NULL,
    about uuid,
    event_at timestamptz NOT NULL,
    queued_at timestamptz NOT NULL,
    PRIMARY KEY (wallet_id, event),
    CONSTRAINT notification_is_one_about UNIQUE (wallet_id, kind, about)
);
CREATE INDEX notification_of_time ON notification (queued_at);

-- A notification for one address, or the code that confirms the address (then there is no event).
CREATE TABLE notification_delivery (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL,
    event bigint,
    address_id uuid NOT NULL,          -- which may have been removed since
    channel text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CONSTRAINT notification_delivery_state_known
        CHECK (state IN ('pending', 'sent', 'failed', 'skipped')),
    reason text,                       -- the outcome of the last try, or why there is none
    falls_back_from text,              -- the channel that failed before
    tries integer NOT NULL DEFAULT 0,
    queued_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,      -- while it is pending: not tried before
    ended_at timestamptz,
    lease uuid,                        -- of the worker that is sending it
    leased_until timestamptz,
    CONSTRAINT notification_delivery_once UNIQUE NULLS NOT DISTINCT (address_id, event),
    CONSTRAINT notification_delivery_of_a_notification FOREIGN KEY (wallet_id, event) REFERENCES notification ON DELETE CASCADE,
    CONSTRAINT notification_delivery_is_leased_for_a_time CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CONSTRAINT notification_delivery_is_leased_while_pending CHECK (lease IS NULL OR state = 'pending'),
    CONSTRAINT notification_delivery_ends_once CHECK ((state = 'pending') = (ended_at IS NULL))
);
CREATE INDEX notification_delivery_due ON notification_delivery (channel, next_at) WHERE state = 'pending';
CREATE INDEX notification_delivery_of_notification ON notification_delivery (wallet_id, event);

-- How far the event log was read for notifications.
CREATE TABLE notification_position (
    number integer PRIMARY KEY CONSTRAINT notification_position_single CHECK (number = 1),
    reached bigint NOT NULL
);
INSERT INTO notification_position (number, reached) VALUES (1, 0);
