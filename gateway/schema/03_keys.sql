-- The private keys that the gateway keeps, encrypted, and which master key each is encrypted with.

-- Master keys by number. The greatest number encrypts; earlier ones decrypt what has not been encrypted again yet. Only
-- a check value is stored, so that a gateway with another key is refused before it encrypts anything.
CREATE TABLE master_key (
    check_value bytea NOT NULL CONSTRAINT master_key_check_value_unique UNIQUE,    -- reveals nothing about the key
    number integer PRIMARY KEY CONSTRAINT master_key_number_from_one CHECK (number >= 1),
    made_at timestamptz NOT NULL,
    retired_at timestamptz             -- nothing is encrypted with it from then on
);
CREATE TRIGGER master_key_is_kept BEFORE DELETE OR TRUNCATE ON master_key
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Retiring a master key waits for the transactions that are encrypting with it; later ones are refused.
CREATE FUNCTION master_key_is_active() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM master_key WHERE number = NEW.master AND retired_at IS NULL FOR SHARE;
    IF NOT FOUND AND EXISTS (SELECT FROM master_key) THEN
        RAISE EXCEPTION 'no key is encrypted under master key % any more', NEW.master
            USING ERRCODE = 'check_violation', CONSTRAINT = 'master_key_is_active';
    END IF;
    RETURN NEW;
END $$;

-- The private key of a wallet's address.
CREATE TABLE encrypted_key (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    ciphertext bytea NOT NULL,         -- AES-256-GCM: 12 bytes of nonce, then ciphertext and tag
    master integer NOT NULL            -- the number of its master key
);
CREATE TRIGGER master_key_is_active BEFORE INSERT OR UPDATE ON encrypted_key
    FOR EACH ROW EXECUTE FUNCTION master_key_is_active();

-- The check value of the root key, from which the keys of new wallets are derived: a gateway with another root key
-- would give handles other addresses, which a restore could not find again.
CREATE TABLE root_key (
    number integer PRIMARY KEY CONSTRAINT root_key_single CHECK (number = 1),
    check_value bytea NOT NULL CONSTRAINT root_key_check_value_is_a_hash CHECK (length(check_value) = 32),
    made_at timestamptz NOT NULL
);
CREATE TRIGGER root_key_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON root_key
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
