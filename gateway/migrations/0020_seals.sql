-- Seals over what the event log and the audit log say (audit/seal.py), and the keys that they are made with.

CREATE TABLE seal_key (
    id uuid PRIMARY KEY,
    number integer NOT NULL CONSTRAINT seal_key_number_unique UNIQUE,   -- the greatest is the one to seal with
    sealed bytea NOT NULL,             -- under the master key, as a wallet's is
    made_at timestamptz NOT NULL
);
CREATE TRIGGER seal_key_is_kept BEFORE DELETE OR TRUNCATE ON seal_key
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TABLE seal (
    number bigint PRIMARY KEY CONSTRAINT seal_number_from_one CHECK (number >= 1),
    previous bytea NOT NULL CONSTRAINT seal_previous_unique UNIQUE,     -- the hash of the seal before
    at timestamptz NOT NULL,
    key_id uuid NOT NULL REFERENCES seal_key (id),
    hash bytea NOT NULL CONSTRAINT seal_hash_is_a_sha256 CHECK (length(hash) = 32 AND length(previous) = 32),
    events_after bigint NOT NULL,      -- it covers the events numbered above this,
    events_to bigint NOT NULL,         -- up to this,
    events bytea NOT NULL,             -- which were these: eight bytes of number and a SHA-256 each
    acts_after bigint NOT NULL,
    acts_to bigint NOT NULL,
    acts bytea NOT NULL,
    CONSTRAINT seal_covers_something CHECK (length(events) + length(acts) > 0),
    CONSTRAINT seal_goes_on CHECK (events_to >= events_after AND acts_to >= acts_after)
);
ALTER TABLE seal ALTER events SET STORAGE EXTERNAL, ALTER acts SET STORAGE EXTERNAL;   -- hashes do not compress
CREATE TRIGGER seal_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seal
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
