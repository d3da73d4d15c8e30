-- The audit log, and the checkpoints of the event log and the audit log.

-- Audit events: security-relevant actions and their actors. Numbered like events (audit/log.py).
CREATE TABLE audit_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    wallet_id uuid,                    -- the wallet that it is about; NULL: the gateway
    by_kind text NOT NULL CONSTRAINT audit_event_by_known CHECK (
        by_kind IN ('anyone', 'api_key', 'session', 'passkey', 'recovery', 'operator', 'worker', 'command')
    ),
    by_id text NOT NULL,
    subject uuid,
    details jsonb NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX audit_event_of_wallet ON audit_event (wallet_id, id);
CREATE INDEX audit_event_of_kind ON audit_event (kind, id);
CREATE INDEX audit_event_of_subject ON audit_event (subject, id) WHERE subject IS NOT NULL;
CREATE TRIGGER audit_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The keys of checkpoints, encrypted under a master key as a wallet's key is.
CREATE TABLE checkpoint_key (
    id uuid PRIMARY KEY,
    number integer NOT NULL CONSTRAINT checkpoint_key_number_unique UNIQUE,   -- the greatest makes new checkpoints
    ciphertext bytea NOT NULL,
    made_at timestamptz NOT NULL,
    master integer NOT NULL            -- the number of its master key
);
CREATE TRIGGER checkpoint_key_is_kept BEFORE DELETE OR TRUNCATE ON checkpoint_key
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER master_key_is_active BEFORE INSERT OR UPDATE ON checkpoint_key
    FOR EACH ROW EXECUTE FUNCTION master_key_is_active();

-- Checkpoints (audit/checkpoint.py): each covers the events and audit events of a range of numbers, and the checkpoint
-- before it.
CREATE TABLE checkpoint (
    number bigint PRIMARY KEY CONSTRAINT checkpoint_number_from_one CHECK (number >= 1),
    previous bytea NOT NULL CONSTRAINT checkpoint_previous_unique UNIQUE,     -- the hash of the checkpoint before
    at timestamptz NOT NULL,
    key_id uuid NOT NULL REFERENCES checkpoint_key (id),
    hash bytea NOT NULL CONSTRAINT checkpoint_hash_is_a_sha256 CHECK (length(hash) = 32 AND length(previous) = 32),
    events_after bigint NOT NULL,      -- it covers the events numbered above this,
    events_to bigint NOT NULL,         -- up to this,
    events bytea NOT NULL,             -- which were these: eight bytes of number and a SHA-256 each
    audit_events_after bigint NOT NULL,
    audit_events_to bigint NOT NULL,
    audit_events bytea NOT NULL,
    CONSTRAINT checkpoint_covers_something CHECK (length(events) + length(audit_events) > 0),
    CONSTRAINT checkpoint_goes_on CHECK (events_to >= events_after AND audit_events_to >= audit_events_after)
);
CREATE INDEX checkpoint_of_event ON checkpoint (events_to, number);
-- Hashes do not compress.
ALTER TABLE checkpoint ALTER events SET STORAGE EXTERNAL, ALTER audit_events SET STORAGE EXTERNAL;
CREATE TRIGGER checkpoint_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
