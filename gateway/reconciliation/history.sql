-- due
-- The tokens whose last point was made at $2 or before, or whose confirmed differences have changed since, with the sum
-- of these differences now.
SELECT token.code, open.units AS unreconciled
FROM unnest($1::text[]) WITH ORDINALITY AS token (code, place)
LEFT JOIN LATERAL (
    SELECT at, unreconciled FROM solvency_point WHERE asset = token.code ORDER BY at DESC LIMIT 1
) AS last ON true, LATERAL (
    SELECT coalesce(sum(abs(ledger - other)), 0) AS units FROM difference
    WHERE asset = token.code AND confirmed_at IS NOT NULL AND ended_at IS NULL
) AS open
WHERE last.at IS NULL OR last.at <= $2 OR last.unreconciled <> open.units
ORDER BY token.place;

-- add_points
-- Add the totals of some tokens now. If two workers add a point at once, both say the same, and one is kept.
INSERT INTO solvency_point (asset, at, block, supply, wallets, outside, reserve, difference, unreconciled)
SELECT asset, $9, block, supply, wallets, outside, reserve, difference, unreconciled
FROM unnest($1::text[], $2::bigint[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[])
    AS new (asset, block, supply, wallets, outside, reserve, difference, unreconciled)
ON CONFLICT ON CONSTRAINT solvency_point_pkey DO NOTHING;

-- forget_points
-- Delete the points that are too old to be shown.
DELETE FROM solvency_point WHERE asset = ANY ($1) AND at < $2;

-- points
-- A token's points from $2 on, at most one for each interval of $3: its last totals, and its largest differences.
SELECT max(at) AS at,
    (array_agg(block ORDER BY at DESC))[1] AS block,
    (array_agg(supply::numeric ORDER BY at DESC))[1] AS supply,
    (array_agg(wallets::numeric ORDER BY at DESC))[1] AS wallets,
    (array_agg(outside::numeric ORDER BY at DESC))[1] AS outside,
    (array_agg(reserve::numeric ORDER BY at DESC))[1] AS reserve,
    max(difference) AS difference,
    max(unreconciled) AS unreconciled
FROM solvency_point WHERE asset = $1 AND at >= $2
GROUP BY date_bin($3::interval, at, $2::timestamptz)
ORDER BY at;
