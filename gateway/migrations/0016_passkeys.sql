-- Passkeys: what people sign in and approve with, and the challenges that they answer.

CREATE TABLE passkey (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    credential_id bytea NOT NULL CONSTRAINT passkey_credential_unique UNIQUE
        CONSTRAINT passkey_credential_length CHECK (length(credential_id) BETWEEN 1 AND 1023),
    public_key bytea NOT NULL,         -- in COSE (RFC 9052)
    sign_count bigint NOT NULL CONSTRAINT passkey_sign_count_of_four_bytes CHECK (sign_count BETWEEN 0 AND 4294967295),
    backed_up boolean NOT NULL,
    name text NOT NULL CONSTRAINT passkey_name_length CHECK (length(name) BETWEEN 1 AND 60),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    ended_at timestamptz,
    ended_by text CONSTRAINT passkey_ended_by_known CHECK (ended_by IN ('revoked', 'cloned')),
    CONSTRAINT passkey_ended_by_something CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX passkey_of_wallet ON passkey (wallet_id);
CREATE TRIGGER passkey_is_kept BEFORE DELETE OR TRUNCATE ON passkey
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A hash over what is meant and a nonce; whoever signs it has signed that. Those that are over go after a while.
CREATE TABLE passkey_challenge (
    challenge bytea PRIMARY KEY CONSTRAINT passkey_challenge_is_a_sha256 CHECK (length(challenge) = 32),
    wallet_id uuid REFERENCES wallet (id),     -- none: whoever answers it says who they are
    purpose text NOT NULL,
    nonce bytea NOT NULL CONSTRAINT passkey_challenge_nonce_length CHECK (length(nonce) = 32),
    rp_id text NOT NULL,
    origin text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX passkey_challenge_over ON passkey_challenge (expires_at);
