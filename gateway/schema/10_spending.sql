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
