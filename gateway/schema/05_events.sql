-- The event log, from which webhooks, event streams and notifications are read.

-- Events of wallets and of the gateway. Ids are assigned before transactions commit; events/log.py explains how readers
-- miss none. An event of two wallets is one row. A settled ledger payment has no row here: settled_event derives its event
-- from its row in ledger_payment.
CREATE TABLE logged_event (
    id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME event_id_seq) PRIMARY KEY,
    kind text NOT NULL,
    wallet_id uuid,                    -- the wallet that it belongs to; NULL: the gateway's
    subject uuid,
    payload jsonb NOT NULL,
    at timestamptz NOT NULL,
    other_id uuid                      -- the other wallet of an event of two
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX event_of_wallet ON logged_event (wallet_id, id);
CREATE INDEX event_of_other ON logged_event (other_id, id) WHERE other_id IS NOT NULL;
CREATE INDEX event_of_subject ON logged_event (subject, id);
CREATE TRIGGER logged_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON logged_event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Tells readers that this transaction will write events numbered above the last one so far, by an advisory lock that pg_locks
-- shows until the transaction ends. Until then no reader goes past that number (events/log.py). Call it before a number is
-- taken from event_id_seq: log_events does, and settle_payments, whose payments are events. (PL/pgSQL keeps the plan of its
-- query; a function in SQL that locks cannot be inlined, and would cost more at each call.)
CREATE FUNCTION announce_events() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared((1::bigint << 62) + CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM event_id_seq;
END $$;

-- Appends events of one time to the log, in the order given; each argument but the time has one element per event. The one
-- writer of logged_event.
CREATE FUNCTION log_events(kind text[], wallet uuid[], other uuid[], subject uuid[], payload jsonb[], at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM announce_events();
    INSERT INTO logged_event (kind, wallet_id, other_id, subject, payload, at)
    SELECT new.kind, new.wallet, new.other, new.subject, new.payload, log_events.at
    FROM unnest(kind, wallet, other, subject, payload) WITH ORDINALITY AS new (kind, wallet, other, subject, payload, n)
    ORDER BY new.n;
END $$;

-- An amount as text, with all decimals of its asset.
CREATE FUNCTION amount_text(units numeric, decimals smallint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN ((units::text || 'e-' || decimals)::numeric)::text;

-- A time as text (`rfc3339` in clock.py).
CREATE FUNCTION rfc3339(at timestamptz) RETURNS text LANGUAGE sql STABLE
    RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- The payload of a ledger payment's event, in the form of payments/model/payment_events.py.
CREATE FUNCTION event_payload(debit_id bigint, credit_id bigint, amount numeric, fee numeric) RETURNS jsonb
LANGUAGE sql STABLE
    RETURN (
        SELECT jsonb_strip_nulls(jsonb_build_object(
            'from', '@' || split_part(payer.code, ':', 2), 'to', '@' || split_part(payee.code, ':', 2),
            'amount', amount_text(event_payload.amount, decimals), 'asset', asset.code, 'fee', amount_text(event_payload.fee, decimals)))
        FROM account AS payer
        JOIN account AS payee ON payee.id = event_payload.credit_id
        JOIN asset ON asset.code = payer.asset
        WHERE payer.id = event_payload.debit_id
    );

-- The events of settled ledger payments. `checkpoint_payload` is the part of the payload that a checkpoint covers
-- (audit/checkpoint.py).
CREATE VIEW settled_event AS
    SELECT event AS id, 'payment.settled' AS kind, (SELECT owner FROM account WHERE account.id = debit_id) AS wallet_id,
        id AS subject, event_payload(debit_id, credit_id, amount, fee) AS payload, posted_at AS at,
        (SELECT owner FROM account WHERE account.id = credit_id) AS other_id,
        jsonb_build_object('from', debit_id, 'to', credit_id, 'amount', amount, 'fee', fee, 'memo', memo,
            'refund_of', refund_of) AS checkpoint_payload
    FROM ledger_payment WHERE leg = 1;

-- All events.
CREATE VIEW event AS
    SELECT id, kind, wallet_id, subject, payload, at, other_id, payload AS checkpoint_payload FROM logged_event
    UNION ALL
    SELECT * FROM settled_event;

-- The events of some wallets (NULL: all) numbered above `after` and up to `up_to`, once for each wallet that they concern.
-- `payload` is NULL for a ledger payment's event: its payload is in the payment. The payments are matched with a hash of the
-- wallets' accounts; if there are fewer numbers than wallets, the payments' own accounts are looked up instead.
CREATE FUNCTION events_told(wallets uuid[], after bigint, up_to bigint)
RETURNS TABLE (told uuid, number bigint, kind text, subject uuid, at timestamptz, payload jsonb) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_mergejoin = off SET enable_hashjoin = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    accounts bigint[];
BEGIN
    IF cardinality(wallets) <= up_to - after THEN
        accounts := ARRAY(SELECT id FROM account WHERE owner = ANY (wallets));
    END IF;
    RETURN QUERY
    SELECT party.id, event.id, event.kind, event.subject, event.at, event.payload
    FROM logged_event AS event, unnest(ARRAY[event.wallet_id, event.other_id]) AS party (id)
    WHERE event.id > after AND event.id <= up_to AND party.id IS NOT NULL
        AND (wallets IS NULL OR party.id IN (SELECT unnest(wallets)))
    UNION ALL
    SELECT account.owner, side.event, 'payment.settled', side.id, side.posted_at, NULL
    FROM (
        SELECT event, id, posted_at, unnest(ARRAY[debit_id, credit_id]) AS account_id
        FROM ledger_payment
        WHERE event > after AND event <= up_to AND leg = 1 AND (
            accounts IS NULL OR debit_id IN (SELECT unnest(accounts)) OR credit_id IN (SELECT unnest(accounts))
        )
    ) AS side, LATERAL (SELECT owner FROM account WHERE account.id = side.account_id LIMIT 1) AS account
    WHERE account.owner IS NOT NULL AND (accounts IS NULL OR side.account_id IN (SELECT unnest(accounts)))
        AND (wallets IS NULL OR accounts IS NOT NULL OR account.owner IN (SELECT unnest(wallets)));
END $$;
