-- announce_audit_events
-- Announce to readers (in pg_locks), until this transaction ends, that its audit events get numbers above the last one.
SELECT pg_advisory_xact_lock_shared($1 + CASE WHEN is_called THEN last_value ELSE 0 END) FROM audit_event_id_seq;

-- append_audit_events
-- Audit events of one moment, in the order given.
INSERT INTO audit_event (kind, wallet_id, by_kind, by_id, subject, details, at)
SELECT kind, wallet_id, by_kind, by_id, subject, details::jsonb, $7
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[]) WITH ORDINALITY
    AS a (kind, wallet_id, by_kind, by_id, subject, details, n)
ORDER BY n;

-- audit_events
-- The newest audit events: of a wallet, of a kind or of all kinds that begin with it, below a number.
SELECT id, kind, wallet_id, by_kind, by_id, subject, details, at FROM audit_event
WHERE ($1::uuid IS NULL OR wallet_id = $1) AND ($2::text IS NULL OR kind = $2 OR starts_with(kind, $2 || '.'))
    AND ($3::bigint IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4;

-- audit_events_of_kind
-- The newest audit events of a kind or of all that begin with it, below a number. A loose index scan finds the kinds that there
-- are, and an index the newest of each, so a kind without events does not read the whole log.
WITH RECURSIVE kinds AS (
    (SELECT kind FROM audit_event ORDER BY kind LIMIT 1)
    UNION ALL
    SELECT (SELECT event.kind FROM audit_event AS event WHERE event.kind > kinds.kind ORDER BY event.kind LIMIT 1)
    FROM kinds WHERE kinds.kind IS NOT NULL
)
SELECT event.* FROM kinds, LATERAL (
    SELECT id, kind, wallet_id, by_kind, by_id, subject, details, at FROM audit_event
    WHERE audit_event.kind = kinds.kind AND ($2::bigint IS NULL OR id < $2)
    ORDER BY id DESC LIMIT $3
) AS event
WHERE kinds.kind = $1::text OR starts_with(kinds.kind, $1 || '.')
ORDER BY id DESC LIMIT $3;

-- lock_checkpoints
-- One transaction at a time writes a checkpoint; the others do not wait for it.
SELECT pg_try_advisory_xact_lock(7302518002);

-- complete_to
-- The numbers up to which no event and no audit event can be added any more, as in events/log.sql. The locks are read
-- after the last numbers, because the subqueries depend on these.
SELECT
    least(last.event, (
        SELECT min((classid::bigint << 32 | objid::bigint) - $1) FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::bigint << 32 | objid::bigint BETWEEN $1 AND $1 + last.event
    )) AS event,
    least(last.audit_event, (
        SELECT min((classid::bigint << 32 | objid::bigint) - $2) FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::bigint << 32 | objid::bigint BETWEEN $2 AND $2 + last.audit_event
    )) AS audit_event
FROM (
    SELECT
        (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_id_seq) AS event,
        (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM audit_event_id_seq) AS audit_event
    OFFSET 0
) AS last;

-- newest_checkpoint
-- The end of the chain, without its leaves.
SELECT number, hash, at, events_to, audit_events_to FROM checkpoint ORDER BY number DESC LIMIT 1;

-- add_checkpoint
-- The next checkpoint. Its number is unique, so the chain does not fork.
INSERT INTO checkpoint
    (
        number, previous, at, key_id, hash,
        events_after, events_to, events, audit_events_after, audit_events_to, audit_events
    )
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- checkpoint_before
-- The checkpoint before the last so many; no row if there are not more.
SELECT * FROM checkpoint ORDER BY number DESC OFFSET $1 LIMIT 1;

-- checkpoints
-- Some checkpoints, in order.
SELECT * FROM checkpoint WHERE number > $1 ORDER BY number LIMIT $2;

-- pending_since
-- The time of the first row of either log that no checkpoint covers yet.
SELECT least((SELECT min(at) FROM event WHERE id > $1), (SELECT min(at) FROM audit_event WHERE id > $2));

-- pending
-- How many rows of each log no checkpoint covers yet.
SELECT
    (SELECT count(*) FROM event WHERE id > $1) AS event,
    (SELECT count(*) FROM audit_event WHERE id > $2) AS audit_event;
