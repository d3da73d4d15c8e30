-- turn_to_weigh
-- Whose gas money is to be looked at, in the same way.
UPDATE relayer SET weighed_at = clock_timestamp() WHERE address IN (
    SELECT address FROM relayer
    WHERE address = ANY ($1) AND coalesce(weighed_at + $2::interval <= clock_timestamp(), true)
    FOR UPDATE SKIP LOCKED
)
RETURNING address;

-- note_low
-- That a relayer's gas money runs out, or does no more; a row where that is new.
UPDATE relayer SET low = $2 WHERE address = $1 AND low <> $2 RETURNING address;
