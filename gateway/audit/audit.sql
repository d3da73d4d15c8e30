-- announce_acts
-- Until this transaction ends, let readers see (in pg_locks) that its acts will be numbered above the last one so far.
SELECT pg_advisory_xact_lock_shared($1 + CASE WHEN is_called THEN last_value ELSE 0 END) FROM act_id_seq;

-- append_acts
-- Acts of one moment, in the order given.
INSERT INTO act (kind, wallet_id, by_kind, by_id, subject, facts, at)
SELECT kind, wallet_id, by_kind, by_id, subject, facts::jsonb, $7
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[]) WITH ORDINALITY
    AS a (kind, wallet_id, by_kind, by_id, subject, facts, n)
ORDER BY n;

-- acts
-- The newest acts: of a wallet, of a kind or of all that begin with it, below a number.
SELECT id, kind, wallet_id, by_kind, by_id, subject, facts, at FROM act
WHERE ($1::uuid IS NULL OR wallet_id = $1) AND ($2::text IS NULL OR kind = $2 OR starts_with(kind, $2 || '.'))
    AND ($3::bigint IS NULL OR id < $3)
ORDER BY id DESC LIMIT $4;
