-- Entries say what they are for, so that a page of a statement is read from them alone: looking up fifty transfers was
-- two thirds of what such a page read in a book of ten million entries.
--
-- An entry that was written before has neither: its transfer says so still.

ALTER TABLE entry
    ADD COLUMN purpose text,           -- as its transfer's; none: ask the transfer
    ADD COLUMN subject uuid;           -- as its transfer's, where that is another id than the transfer's own


-- As it was, but for what an entry says of its purpose.
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
