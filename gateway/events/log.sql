-- append
-- Events of one moment, in the order given.
INSERT INTO event (kind, wallet_id, subject, facts, at)
SELECT kind, wallet_id, subject, facts::jsonb, $5
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[]) WITH ORDINALITY AS e (kind, wallet_id, subject, facts, n)
ORDER BY n;

-- page
-- What happened to one wallet after a number, as far as no open transaction can still add to it.
SELECT id, kind, subject, facts, at FROM event
WHERE wallet_id = $1 AND id > $2 AND written < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY id LIMIT $3;
