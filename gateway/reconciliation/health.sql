-- submitted
-- How many chain transactions are in no final block, and since when the oldest is stored.
SELECT count(*) AS count, min(created_at) AS oldest FROM chain_transaction WHERE state = 'stored';

-- relayers
-- How many relayers are stopped, refused by the node, or low on gas, and when a worker last maintained one.
SELECT count(stopped) AS stopped, count(refused) FILTER (WHERE stopped IS NULL) AS refused,
    count(*) FILTER (WHERE low AND stopped IS NULL AND refused IS NULL) AS low, max(greatest(resent_at, gas_checked_at)) AS seen
FROM relayer;
