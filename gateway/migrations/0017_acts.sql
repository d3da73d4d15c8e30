-- The audit log: who did what that matters to security. Numbered as events are (audit/log.py).

CREATE TABLE act (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    wallet_id uuid,                    -- whom it concerns; none: the house
    by_kind text NOT NULL CONSTRAINT act_by_known CHECK (
        by_kind IN ('anyone', 'api_key', 'session', 'passkey', 'recovery', 'operator', 'worker', 'command')
    ),
    by_id text NOT NULL,
    subject uuid,
    facts jsonb NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX act_of_wallet ON act (wallet_id, id);
CREATE TRIGGER act_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON act
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
