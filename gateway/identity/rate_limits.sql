-- count_tallies
-- Add to each count. A window that has ended starts again.
INSERT INTO rate_limit_counter AS had (kind, who, count, ends_at)
SELECT kind, who, count, ends_at
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) AS done (kind, who, count, ends_at)
ORDER BY kind, who                                 -- in the order of every other writer, so that none waits in a ring
ON CONFLICT (kind, who) DO UPDATE SET
    count = excluded.count + CASE WHEN had.ends_at > $5 THEN had.count ELSE 0 END,
    ends_at = CASE WHEN had.ends_at > $5 THEN had.ends_at ELSE excluded.ends_at END
RETURNING kind, who, count, ends_at;

-- forget_tallies
-- Delete some windows that have ended, as forget_challenges does.
DELETE FROM rate_limit_counter WHERE (kind, who) IN (
    SELECT kind, who FROM rate_limit_counter WHERE ends_at < $1 ORDER BY ends_at LIMIT 100 FOR UPDATE SKIP LOCKED
);
