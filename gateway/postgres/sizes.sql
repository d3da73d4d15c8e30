-- sizes
-- Approximate rows of each table, and the bytes of it and its indexes.
SELECT class.relname AS name, greatest(class.reltuples, stat.n_live_tup, 0)::bigint AS rows,
    pg_table_size(class.oid) AS table_bytes, pg_indexes_size(class.oid) AS index_bytes
FROM pg_class AS class JOIN pg_stat_user_tables AS stat ON stat.relid = class.oid
WHERE class.relkind = 'r' AND class.relnamespace = 'public'::regnamespace
ORDER BY pg_total_relation_size(class.oid) DESC;

-- working_set_bytes
-- The size of these tables and indexes, which a payment touches at random places, wherever its two wallets are. The
-- others grow at their end, because their keys begin with the time: however large they are, only their last pages are
-- in use.
SELECT sum(pg_relation_size(coalesce(part.relid, name::regclass)))::bigint
FROM unnest($1::text[]) AS name LEFT JOIN LATERAL pg_partition_tree(name::regclass) AS part ON true;

-- cache_bytes
-- The size of PostgreSQL's cache.
SELECT setting::bigint * current_setting('block_size')::bigint FROM pg_settings WHERE name = 'shared_buffers';
