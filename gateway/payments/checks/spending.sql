-- spent
-- What counts against limits since a time, by bucket; see schema/10_spending.sql.
SELECT place, bucket, amount FROM spent($1, $2, $3, $4, $5, $6);

-- count
-- Payments that are accepted, against each limit that they count against; see schema/10_spending.sql.
SELECT count_spending($1, $2, $3, $4, $5, $6, $7, $8);

-- limits_of
-- What payments count against; see schema/11_check_payments.sql.
SELECT api_keys, policies, mandates FROM limits_of($1);

-- give_back
-- What counts no longer of payments ($2; null: all), taken off the buckets in which it was counted.
WITH back AS (
    SELECT counted.scope, counted.scope_id, counted.number, counted.asset, counted.bucket, counted.payment_id,
        coalesce(asked.units, counted.amount) AS units
    FROM unnest($1::uuid[], $2::numeric[]) AS asked (payment_id, units)
    JOIN counted_payment AS counted
        ON counted.scope = ANY ('{cap,policy,mandate,mandate_total}') AND counted.payment_id = asked.payment_id
    WHERE asked.units IS NULL OR counted.scope <> 'policy'
), changed AS (
    UPDATE counted_payment AS counted SET amount = counted.amount - back.units FROM back
    WHERE counted.scope = back.scope AND counted.payment_id = back.payment_id AND counted.number = back.number
), locked AS (
    SELECT there.scope, there.scope_id, there.number, there.asset, there.bucket, sums.units
    FROM (
        SELECT scope, scope_id, number, asset, bucket, sum(units) AS units FROM back
        GROUP BY scope, scope_id, number, asset, bucket
    ) AS sums
    JOIN spending AS there USING (scope, scope_id, number, asset, bucket)
    ORDER BY scope, scope_id, number, asset, bucket
    FOR UPDATE OF there
)
UPDATE spending AS there SET amount = there.amount - locked.units FROM locked
WHERE there.scope = locked.scope AND there.scope_id = locked.scope_id AND there.number = locked.number
    AND there.asset = locked.asset AND there.bucket = locked.bucket;

-- forget_payments
-- Payments that are too old to count, of a scope; others may be deleting too.
WITH old AS (
    DELETE FROM counted_payment AS counted USING (
        SELECT payment_id, number FROM counted_payment
        WHERE scope = $1 AND payment_id < $2 ORDER BY payment_id LIMIT $3 FOR UPDATE SKIP LOCKED
    ) AS gone
    WHERE counted.scope = $1 AND counted.payment_id = gone.payment_id AND counted.number = gone.number
    RETURNING 1
)
SELECT count(*) FROM old;

-- forget_buckets
-- The same of buckets; that of what counts for ever stays.
WITH old AS (
    DELETE FROM spending AS there USING (
        SELECT scope_id, number, asset, bucket FROM spending
        WHERE scope || '' = $1 AND bucket AT TIME ZONE 'UTC' < $2::timestamptz AT TIME ZONE 'UTC'
        ORDER BY bucket AT TIME ZONE 'UTC' LIMIT $3 FOR UPDATE SKIP LOCKED
    ) AS gone
    WHERE there.scope = $1 AND there.scope_id = gone.scope_id AND there.number = gone.number
        AND there.asset = gone.asset AND there.bucket = gone.bucket
    RETURNING 1
)
SELECT count(*) FROM old;
