-- The event log, which webhooks and streams are read from.

-- What happened to a wallet, or to the gateway. Ids are assigned before transactions commit; events/log.py says how a
-- reader misses none. An event of two wallets is one row. That a ledger payment has settled is in its own row.
CREATE TABLE logged_event (
    id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME event_id_seq) PRIMARY KEY,
    kind text NOT NULL,
    wallet_id uuid,                    -- whose event it is; none: the gateway's
    subject uuid,
    facts jsonb NOT NULL,
    at timestamptz NOT NULL,
    other_id uuid                      -- the second of two wallets whose event it is
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX event_of_wallet ON logged_event (wallet_id, id);
CREATE INDEX event_of_other ON logged_event (other_id, id) WHERE other_id IS NOT NULL;
CREATE TRIGGER logged_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON logged_event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- An amount as it is shown, with all of its asset's decimals.
CREATE FUNCTION amount_text(units numeric, decimals smallint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN ((units::text || 'e-' || decimals)::numeric)::text;

-- The facts of a ledger payment's event, as payments/records.py has them of other payments.
CREATE FUNCTION event_facts(paid ledger_payment) RETURNS jsonb LANGUAGE sql STABLE
    RETURN (
        SELECT jsonb_strip_nulls(jsonb_build_object(
            'from', '@' || split_part(payer.code, ':', 2), 'to', '@' || split_part(payee.code, ':', 2),
            'amount', amount_text(paid.amount, decimals), 'asset', asset.code, 'fee', amount_text(paid.fee, decimals)))
        FROM account AS payer
        JOIN account AS payee ON payee.id = paid.credit_id
        JOIN asset ON asset.code = payer.asset
        WHERE payer.id = paid.debit_id
    );

-- Every event. `sealed` is what its seal covers of what it says (audit/seal.py).
CREATE VIEW event AS
    SELECT id, kind, wallet_id, subject, facts, at, other_id, facts AS sealed FROM logged_event
    UNION ALL
    SELECT event, 'payment.settled', (SELECT owner FROM account WHERE account.id = debit_id), id,
        event_facts(ledger_payment), posted_at, (SELECT owner FROM account WHERE account.id = credit_id),
        jsonb_build_object('from', debit_id, 'to', credit_id, 'amount', amount, 'fee', fee, 'memo', memo,
            'refund_of', refund_of)
    FROM ledger_payment WHERE leg = 1;
