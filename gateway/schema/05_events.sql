-- The event log, which webhooks and streams are read from.

-- What happened to a wallet, or to the gateway. Ids are assigned before transactions commit; events/log.py says how a
-- reader misses none. An event of two wallets is one row.
CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    wallet_id uuid,                    -- whose event it is; none: the gateway's
    subject uuid,
    facts jsonb NOT NULL,
    at timestamptz NOT NULL,
    other_id uuid                      -- the second of two wallets whose event it is
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX event_of_wallet ON event (wallet_id, id);
CREATE INDEX event_of_other ON event (other_id, id) WHERE other_id IS NOT NULL;
CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
