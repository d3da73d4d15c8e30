-- The root key, from which the keys of new wallets are derived, by its check value: a gateway with another one would give
-- handles other addresses, which a restore could not find again.
CREATE TABLE root_key (
    number integer PRIMARY KEY CONSTRAINT root_key_single CHECK (number = 1),
    check_value bytea NOT NULL CONSTRAINT root_key_check_value_is_a_hash CHECK (length(check_value) = 32),
    made_at timestamptz NOT NULL
);
CREATE TRIGGER root_key_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON root_key
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
