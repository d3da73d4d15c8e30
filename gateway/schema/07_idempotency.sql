-- Idempotency keys: each request is carried out once. A key names its wallet without a foreign key; 07_payments.sql
-- says why.

-- The first answer to each request, written in the transaction that moved the money. An answer that follows from a
-- payment's row is not stored: the key refers to the payment. A payment that is a `ledger_payment` has its key in its own row.
CREATE TABLE idempotency_key (
    wallet_id uuid NOT NULL,
    key text NOT NULL CONSTRAINT idempotency_key_length CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,        -- SHA-256 of the request
    status smallint,
    answer bytea,
    created_at timestamptz NOT NULL,
    payment_id uuid,
    PRIMARY KEY (wallet_id, key)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
-- The key of a payment is found by the payment's time (payments/timeline/). Rows are written in the order of their times, so this
-- index has a few bytes for each 64 pages, and costs a request next to nothing.
CREATE INDEX idempotency_key_created ON idempotency_key USING brin (created_at)
    WITH (pages_per_range = 64, autosummarize = on);

-- The hash by which a wallet's idempotency key is found in `ledger_payment`. It is as short as an id, however long the key.
CREATE FUNCTION idempotency_hash(wallet uuid, key text) RETURNS bytea LANGUAGE sql STABLE
    RETURN substr(sha256(uuid_send(wallet) || convert_to(key, 'UTF8')), 1, 16);

-- Locks these keys until the transaction ends. A key is kept in one of two tables, and no unique index can cover both. Call
-- this before keys are used and before any account is locked, so that no two calls deadlock. A wallet's keys share sixteen
-- locks, so that a call with a thousand keys does not fill PostgreSQL's lock table.
CREATE FUNCTION lock_keys(wallet uuid[], idempotency_hash bytea[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(1262836595, part)
    FROM (
        SELECT DISTINCT uuid_hash(wallet) # (get_byte(idempotency_hash, 0) & 15) AS part
        FROM unnest(wallet, idempotency_hash) AS used (wallet, idempotency_hash)
        ORDER BY part
    ) AS parts;
END $$;

-- What a key was used for, if it was used before; `idempotency_hash` is its hash. The caller has locked it. PostgreSQL inlines
-- this function into those that use it (tests/postgres/test_inlined.py).
CREATE FUNCTION used_key(wallet uuid, key text, idempotency_hash bytea)
RETURNS TABLE (fingerprint bytea, status smallint, answer bytea, payment_id uuid) LANGUAGE sql STABLE AS $$
    SELECT kept.fingerprint, kept.status, kept.answer, kept.payment_id FROM idempotency_key AS kept
    WHERE kept.wallet_id = used_key.wallet AND kept.key = used_key.key
    UNION ALL
    SELECT paid.fingerprint, 201::smallint, NULL, paid.id FROM ledger_payment AS paid
    WHERE paid.idempotency_hash = used_key.idempotency_hash
    LIMIT 1
$$;

-- Locks these keys. Returns those that were used before, with what they were used for; the others are the caller's until its
-- transaction ends. Waits while another transaction is using one of them.
CREATE FUNCTION use_keys(wallet uuid[], key text[])
RETURNS TABLE (place integer, fingerprint bytea, status smallint, answer bytea, payment_id uuid) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    idempotency_hash CONSTANT bytea[] :=
        ARRAY(SELECT idempotency_hash(wallet, key) FROM unnest(wallet, key) WITH ORDINALITY AS used (wallet, key, n) ORDER BY n);
BEGIN
    PERFORM lock_keys(wallet, idempotency_hash);
    RETURN QUERY
    SELECT asked.n::integer, used.*
    FROM unnest(wallet, key, idempotency_hash) WITH ORDINALITY AS asked (wallet, key, idempotency_hash, n),
        LATERAL used_key(asked.wallet, asked.key, asked.idempotency_hash) AS used;
END $$;

-- The same, and stores those that were not used, without an answer. Returns their places.
CREATE FUNCTION claim_keys(wallet uuid[], key text[], fingerprint bytea[], at timestamptz)
RETURNS SETOF integer LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    used CONSTANT integer[] := ARRAY(SELECT place FROM use_keys(wallet, key));
BEGIN
    INSERT INTO idempotency_key (wallet_id, key, fingerprint, created_at)
    SELECT asked.wallet, asked.key, asked.fingerprint, at
    FROM unnest(wallet, key, fingerprint) WITH ORDINALITY AS asked (wallet, key, fingerprint, n)
    WHERE NOT asked.n = ANY (used);
    RETURN QUERY SELECT n FROM generate_subscripts(key, 1) AS n WHERE NOT n = ANY (used);
END $$;
