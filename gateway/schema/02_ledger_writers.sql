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
