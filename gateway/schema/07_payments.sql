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
