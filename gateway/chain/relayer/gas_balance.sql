-- take_due
-- Take the relayers whose gas balance is due for a check.
UPDATE relayer SET gas_checked_at = clock_timestamp() WHERE address IN (
    SELECT address FROM relayer
    WHERE address = ANY ($1) AND coalesce(gas_checked_at + $2::interval <= clock_timestamp(), true)
    FOR UPDATE SKIP LOCKED
)
RETURNING address;

-- record_low
-- Record whether a relayer's gas balance is low; a row if that has changed.
UPDATE relayer SET low = $2 WHERE address = $1 AND low <> $2 RETURNING address;
