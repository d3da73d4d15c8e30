-- append
-- Append events of one time, in the order given; see schema/05_events.sql.
SELECT log_events($1, $2, $3, $4, ($5::text[])::jsonb[], $6);

-- complete_to
-- The number up to which the log is complete, and the last number so far. The first is smaller while a transaction that announced
-- a smaller number is still writing. The subquery depends on the outer row, so the locks are read after the last number.
SELECT last.number AS last, least(last.number, (
    SELECT min((classid::bigint << 32 | objid::bigint) - $1)
    FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ShareLock'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid::bigint << 32 | objid::bigint BETWEEN $1 AND $1 + last.number
)) AS complete_to
FROM (SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS number FROM event_id_seq) AS last;

-- page
-- Events of a wallet numbered above one number and below another, oldest or newest first: of the next $5, at most $6 of the kinds
-- $7, from the time $8 on and before $9 (NULL: no limit). Each has its sequence among the wallet's events of its object. Each row
-- also says how many events were examined and up to which number; if none matched, one row says only that.
WITH walked AS MATERIALIZED (
    SELECT number, place FROM events_of_wallet($1, $2, $3, $5, $4) WITH ORDINALITY AS walked (number, place)
), page AS MATERIALIZED (
    SELECT number, place
    FROM walked, LATERAL (SELECT kind, at FROM event WHERE id = number LIMIT 1) AS event
    WHERE ($7::text[] IS NULL OR kind = ANY ($7)) AND ($8::timestamptz IS NULL OR at >= $8)
        AND ($9::timestamptz IS NULL OR at < $9)
    ORDER BY place LIMIT $6
)
SELECT walks.*, event.*, (
        SELECT count(*) FROM logged_event AS earlier
        WHERE earlier.subject = event.subject AND earlier.id <= event.id AND $1 IN (earlier.wallet_id, earlier.other_id)
    ) AS logged
FROM (
    SELECT walked, walked_to, (SELECT at FROM event WHERE id = walked_to LIMIT 1) AS walked_at
    FROM (SELECT count(*) AS walked, (array_agg(number ORDER BY place DESC))[1] AS walked_to FROM walked) AS counted
) AS walks
LEFT JOIN page ON true
LEFT JOIN LATERAL (
    SELECT id, kind, subject, payload, at FROM event WHERE id = page.number LIMIT 1
) AS event ON true
ORDER BY page.place;

-- of_object
-- A wallet's events of one object, numbered above one number and below another, in order.
SELECT id, kind, subject, payload, at, logged FROM (
    SELECT id, kind, subject, payload, at, row_number() OVER (ORDER BY id) AS logged
    FROM logged_event WHERE subject = $2 AND $1 IN (wallet_id, other_id)
    UNION ALL
    SELECT id, kind, subject, payload, at, 0 FROM settled_event WHERE subject = $2 AND $1 IN (wallet_id, other_id)
) AS told
WHERE id > $3 AND id < $4
ORDER BY id LIMIT 10000;

-- first_of
-- The first event of these kinds of one object.
SELECT id, kind, subject, payload, at, 1 AS logged FROM logged_event WHERE subject = $1 AND kind = ANY ($2) ORDER BY id LIMIT 1;

-- event_before
-- The number of the last event before a moment.
SELECT event_before($1);

-- tail
-- Events of many wallets between two numbers, in order, once for each wallet that an event concerns.
SELECT told AS wallet_id, number AS id, kind, subject, at,
    coalesce(payload, (
        SELECT event_payload(debit_id, credit_id, amount, fee) FROM ledger_payment WHERE event = number AND leg = 1 LIMIT 1
    )) AS payload,
    CASE WHEN payload IS NULL THEN 1 ELSE (
        SELECT count(*) FROM logged_event AS earlier
        WHERE earlier.subject = event.subject AND earlier.id <= number AND told IN (earlier.wallet_id, earlier.other_id)
    ) END AS logged
FROM events_told($1, $2, $3) AS event
ORDER BY number;

-- numbered
-- Events by number, each for a wallet that it concerns, with its sequence among the wallet's events of its object.
SELECT asked.wallet_id AS told, event.*, (
        SELECT count(*) FROM logged_event AS earlier
        WHERE earlier.subject = event.subject AND earlier.id <= event.id
            AND asked.wallet_id IN (earlier.wallet_id, earlier.other_id)
    ) AS logged
FROM unnest($1::uuid[], $2::bigint[]) AS asked (wallet_id, number), LATERAL (
    SELECT id, kind, subject, payload, at FROM event
    WHERE id = asked.number AND asked.wallet_id IN (wallet_id, other_id) LIMIT 1
) AS event
ORDER BY event.id;

-- first_since
-- The number of the first event made at a time or later, among those numbered above $1.
SELECT id FROM event WHERE id > $1 AND at >= $2 ORDER BY id LIMIT 1;
