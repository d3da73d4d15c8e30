-- Sessions of people, recovery codes for who has lost every passkey, and signing in with an Ethereum wallet.

CREATE TABLE session (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    begun_by text NOT NULL CONSTRAINT session_begun_by_known CHECK (begun_by IN ('passkey', 'ethereum', 'recovery_code')),
    passkey_id uuid REFERENCES passkey (id),
    device text NOT NULL CONSTRAINT session_device_length CHECK (length(device) <= 200),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text CONSTRAINT session_ended_by_known
        CHECK (ended_by IN ('signed_out', 'signed_in_again', 'passkey_ended', 'stolen')),
    CONSTRAINT session_ended_by_something CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT session_begun_by_its_passkey CHECK ((passkey_id IS NOT NULL) = (begun_by = 'passkey'))
);
CREATE INDEX session_of_wallet ON session (wallet_id);
CREATE INDEX session_of_passkey ON session (passkey_id) WHERE ended_at IS NULL;

-- The tokens that have opened a session, by their hashes: one is good, those before tell that one was stolen.
CREATE TABLE session_token (
    hash bytea PRIMARY KEY CONSTRAINT session_token_is_a_sha256 CHECK (length(hash) = 32),
    session_id uuid NOT NULL REFERENCES session (id),
    made_at timestamptz NOT NULL,
    replaced_at timestamptz
);
CREATE UNIQUE INDEX session_token_one_is_good ON session_token (session_id) WHERE replaced_at IS NULL;
CREATE INDEX session_token_of_session ON session_token (session_id);

CREATE TABLE recovery_code (
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    hash bytea NOT NULL CONSTRAINT recovery_code_is_a_scrypt CHECK (length(hash) = 32),
    salt bytea NOT NULL CONSTRAINT recovery_code_salt_length CHECK (length(salt) = 16),
    made_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (wallet_id, hash)
);

-- How often somebody has tried a recovery code of a wallet lately.
CREATE TABLE recovery_try (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    began_at timestamptz NOT NULL,
    tries integer NOT NULL CONSTRAINT recovery_try_is_counted CHECK (tries > 0)
);

-- The text that somebody is asked to sign in with (EIP-4361), by its parts: it is written anew when it comes back.
CREATE TABLE sign_in_challenge (
    nonce text PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    address text NOT NULL,
    domain text NOT NULL,
    uri text NOT NULL,
    chain_id bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX sign_in_challenge_over ON sign_in_challenge (expires_at);
