-- count_tallies
-- Each has done it so often more. A window that is over begins anew.
INSERT INTO tally AS had (kind, who, count, ends_at)
SELECT kind, who, count, ends_at
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) AS done (kind, who, count, ends_at)
ORDER BY kind, who                                 -- as whoever else counts: none waits for one that waits for it
ON CONFLICT (kind, who) DO UPDATE SET
    count = excluded.count + CASE WHEN had.ends_at > $5 THEN had.count ELSE 0 END,
    ends_at = CASE WHEN had.ends_at > $5 THEN had.ends_at ELSE excluded.ends_at END
RETURNING kind, who, count, ends_at;

-- forget_tallies
-- As forget_challenges.
DELETE FROM tally WHERE (kind, who) IN (
    SELECT kind, who FROM tally WHERE ends_at < $1 ORDER BY ends_at LIMIT 100 FOR UPDATE SKIP LOCKED
);
