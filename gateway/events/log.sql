-- announce
-- Until this transaction ends, let readers see (in pg_locks) that its events will be numbered above the last one so far.
SELECT pg_advisory_xact_lock_shared($1 + CASE WHEN is_called THEN last_value ELSE 0 END) FROM event_id_seq;

-- append
-- Events of one moment, in the order given.
INSERT INTO logged_event (kind, wallet_id, other_id, subject, facts, at)
SELECT kind, wallet_id, other_id, subject, facts::jsonb, $6
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[]) WITH ORDINALITY
    AS e (kind, wallet_id, other_id, subject, facts, n)
ORDER BY n;

-- complete_to
-- The number up to which no event can be added any more: the last one so far, or less where somebody who announced less
-- is still writing. The subquery depends on the outer row, so that locks are looked at after the last number.
SELECT least(last.number, (
    SELECT min((classid::bigint << 32 | objid::bigint) - $1)
    FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid::bigint << 32 | objid::bigint BETWEEN $1 AND $1 + last.number
))
FROM (SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS number FROM event_id_seq) AS last;

-- page
-- What happened to one wallet after a number, up to another: a page of each index, then the oldest of all.
SELECT id, kind, subject, facts, at FROM (
    (SELECT id, kind, subject, facts, at FROM logged_event
     WHERE wallet_id = $1 AND id > $2 AND id <= $4 ORDER BY id LIMIT $3)
    UNION ALL
    (SELECT id, kind, subject, facts, at FROM logged_event
     WHERE other_id = $1 AND id > $2 AND id <= $4 ORDER BY id LIMIT $3)
    UNION ALL
    (SELECT event.id, kind, subject, facts, at
     FROM settled_after($1, $2, $3::integer) AS number, LATERAL (SELECT * FROM event WHERE id = number LIMIT 1) AS event
     WHERE number <= $4)
) AS any_of_them
ORDER BY id LIMIT $3;
