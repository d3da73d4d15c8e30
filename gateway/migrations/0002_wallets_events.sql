-- Who: a wallet is a handle, an address, the sealed key of that address, and the API keys that speak for it.
-- And what happened, in order.

CREATE TABLE wallet (
    id uuid PRIMARY KEY,
    handle text NOT NULL CONSTRAINT wallet_handle_unique UNIQUE
        CONSTRAINT wallet_handle_shape CHECK (handle ~ '^[a-z0-9_]{2,30}$'),
    address text NOT NULL CONSTRAINT wallet_address_unique UNIQUE
        CONSTRAINT wallet_address_shape CHECK (address ~ '^0x[0-9a-fA-F]{40}$'),   -- EIP-55 checksummed
    created_at timestamptz NOT NULL
);

CREATE TRIGGER wallet_is_kept BEFORE DELETE OR TRUNCATE ON wallet
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TABLE sealed_key (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    sealed bytea NOT NULL              -- AES-256-GCM: 12 bytes of nonce, then ciphertext and tag
);

-- Which master key the sealed keys are under, so that another one is refused before it seals anything.
CREATE TABLE master_key (
    single boolean PRIMARY KEY DEFAULT true CONSTRAINT master_key_only_one CHECK (single),
    check_value bytea NOT NULL         -- says nothing about the key
);

CREATE TABLE api_key (
    hash bytea PRIMARY KEY CONSTRAINT api_key_is_a_sha256 CHECK (length(hash) = 32),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX api_key_wallet ON api_key (wallet_id);

-- Ids are handed out before transactions commit: how a reader misses none all the same is told in events/log.py.
CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    wallet_id uuid,                    -- whose event it is; none: the house's. Wallets are kept for ever
    subject uuid,
    facts jsonb NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX event_of_wallet ON event (wallet_id, id);
CREATE TRIGGER event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
