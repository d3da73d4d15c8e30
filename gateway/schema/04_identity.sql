-- Credentials: passkeys, sessions, recovery codes, an Ethereum wallet's signature, and API keys.

-- WebAuthn credentials that owners sign in and approve payments with.
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
    ended_by text CONSTRAINT passkey_ended_by_known CHECK (ended_by IN ('revoked', 'cloned', 'closed')),
    CONSTRAINT passkey_ended_by_something CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX passkey_of_wallet ON passkey (wallet_id);
CREATE TRIGGER passkey_is_kept BEFORE DELETE OR TRUNCATE ON passkey
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Challenges to passkeys: a hash over the approved details and a nonce. Expired ones are deleted after a while.
CREATE TABLE passkey_challenge (
    challenge bytea PRIMARY KEY CONSTRAINT passkey_challenge_is_a_sha256 CHECK (length(challenge) = 32),
    wallet_id uuid REFERENCES wallet (id),     -- NULL: the answer says whose passkey it is
    purpose text NOT NULL,
    nonce bytea NOT NULL CONSTRAINT passkey_challenge_nonce_length CHECK (length(nonce) = 32),
    rp_id text NOT NULL,
    origin text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX passkey_challenge_over ON passkey_challenge (expires_at);

-- Sessions of owners in a browser.
CREATE TABLE session (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    sign_in_method text NOT NULL CONSTRAINT session_sign_in_method_known
        CHECK (sign_in_method IN ('passkey', 'ethereum', 'recovery_code', 'link')),
    passkey_id uuid REFERENCES passkey (id),
    device text NOT NULL CONSTRAINT session_device_length CHECK (length(device) <= 200),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text CONSTRAINT session_ended_by_known
        CHECK (ended_by IN ('signed_out', 'signed_in_again', 'passkey_ended', 'stolen', 'first_passkey', 'closed')),
    device_since timestamptz NOT NULL, -- since when its passkey is there, or else the session itself: session_has_device
    CONSTRAINT session_ended_by_something CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT session_passkey_is_its_sign_in_method CHECK ((passkey_id IS NOT NULL) = (sign_in_method = 'passkey'))
);
CREATE INDEX session_of_wallet ON session (wallet_id);
CREATE TRIGGER wallet_is_open BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION wallet_is_open();
CREATE INDEX session_of_passkey ON session (passkey_id) WHERE ended_at IS NULL;

CREATE FUNCTION session_has_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.device_since := coalesce((SELECT created_at FROM passkey WHERE id = NEW.passkey_id), NEW.created_at);
    RETURN NEW;
END $$;
CREATE TRIGGER session_has_device BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION session_has_device();

-- The tokens of a session by their hashes. One is valid; if a replaced one is used again, it was stolen.
CREATE TABLE session_token (
    hash bytea PRIMARY KEY CONSTRAINT session_token_is_a_sha256 CHECK (length(hash) = 32),
    session_id uuid NOT NULL REFERENCES session (id),
    made_at timestamptz NOT NULL,
    replaced_at timestamptz,
    wallet_id uuid NOT NULL            -- the session's: session_token_has_wallet
);
CREATE UNIQUE INDEX session_token_one_is_good ON session_token (session_id) WHERE replaced_at IS NULL;
CREATE INDEX session_token_of_session ON session_token (session_id);

CREATE FUNCTION session_token_has_wallet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.wallet_id := (SELECT wallet_id FROM session WHERE id = NEW.session_id);
    RETURN NEW;
END $$;
CREATE TRIGGER session_token_has_wallet BEFORE INSERT ON session_token
    FOR EACH ROW EXECUTE FUNCTION session_token_has_wallet();

-- One-time codes for an owner who has lost every passkey.
CREATE TABLE recovery_code (
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    hash bytea NOT NULL CONSTRAINT recovery_code_is_a_scrypt CHECK (length(hash) = 32),
    salt bytea NOT NULL CONSTRAINT recovery_code_salt_length CHECK (length(salt) = 16),
    made_at timestamptz NOT NULL,
    confirmed_at timestamptz,          -- when its owner typed it to show that the codes are kept
    used_at timestamptz,
    PRIMARY KEY (wallet_id, hash)
);

-- Links that sign in to a wallet once. `gateway up` makes them in the sandbox, for its own first handle.
CREATE TABLE sign_in_link (
    hash bytea PRIMARY KEY CONSTRAINT sign_in_link_is_a_sha256 CHECK (length(hash) = 32),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

-- Recent tries of a wallet's recovery codes.
CREATE TABLE recovery_try (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    began_at timestamptz NOT NULL,
    tries integer NOT NULL CONSTRAINT recovery_try_is_counted CHECK (tries > 0)
);

-- The parts of the EIP-4361 message that an owner is asked to sign in with. The message is composed again when the
-- signature arrives.
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

-- The same for a message by which a handle is claimed for an address. It reserves nothing: the wallet that it names is
-- created when the signature arrives.
CREATE TABLE claim_challenge (
    nonce text PRIMARY KEY,
    wallet_id uuid NOT NULL CONSTRAINT claim_challenge_of_one_wallet UNIQUE,
    handle text NOT NULL,
    address text NOT NULL,
    domain text NOT NULL,
    uri text NOT NULL,
    chain_id bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX claim_challenge_over ON claim_challenge (expires_at);

-- API keys by their hashes, and what each may do, until when and from which networks.
CREATE TABLE api_key (
    hash bytea PRIMARY KEY CONSTRAINT api_key_is_a_sha256 CHECK (length(hash) = 32),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT api_key_id_unique UNIQUE,
    name text NOT NULL DEFAULT 'sign-up' CONSTRAINT api_key_name_length CHECK (length(name) BETWEEN 1 AND 60),
    scopes text[] NOT NULL DEFAULT '{read,pay,refund,webhooks,owner}' CONSTRAINT api_key_scopes_known
        CHECK (scopes <@ '{read,pay,refund,webhooks,owner}' AND cardinality(scopes) > 0),
    expires_at timestamptz,
    networks cidr[],                   -- NULL: from anywhere
    capped boolean NOT NULL DEFAULT false,     -- it has spending caps, which are checked with each payment
    last_used_at timestamptz,
    plain boolean NOT NULL DEFAULT true,       -- this and the next: maintained by api_key_is_checked, below
    only_caps boolean NOT NULL DEFAULT false,
    origin uuid NOT NULL,              -- the first key of a row of replacements: they share their spending caps
    approved boolean NOT NULL DEFAULT false    -- by a passkey, without which no capped key of a guarded wallet pays
);
CREATE TRIGGER wallet_is_open BEFORE INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION wallet_is_open();
CREATE INDEX api_key_wallet ON api_key (wallet_id);

CREATE FUNCTION api_key_has_origin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.origin := coalesce(NEW.origin, NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER api_key_has_origin BEFORE INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION api_key_has_origin();

-- A key is `plain` if it may pay and only its existence and expiry have to be checked, and `only_caps` if its spending caps
-- have to be checked as well. settle_payments and hold_payments take payments of both; all other payments by keys pass the
-- checks first. The wallet is locked, so that it does not become guarded or frozen while a key is added.
CREATE FUNCTION api_key_is_checked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may_pay boolean; guarded boolean;
BEGIN
    SELECT 'pay' = ANY (NEW.scopes) AND NEW.networks IS NULL AND wallet.frozen_at IS NULL, wallet.guarded
    INTO STRICT may_pay, guarded
    FROM wallet WHERE id = NEW.wallet_id FOR SHARE;
    NEW.plain := may_pay AND NOT NEW.capped AND NOT guarded;
    NEW.only_caps := may_pay AND NEW.capped AND (NEW.approved OR NOT guarded);
    RETURN NEW;
END $$;
CREATE TRIGGER api_key_is_checked BEFORE INSERT OR UPDATE OF scopes, networks, capped, approved, plain ON api_key
    FOR EACH ROW EXECUTE FUNCTION api_key_is_checked();

CREATE FUNCTION wallet_keys_are_checked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE api_key SET plain = plain WHERE wallet_id = NEW.id AND revoked_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_keys_are_checked AFTER UPDATE OF guarded, frozen_at ON wallet
    FOR EACH ROW WHEN ((OLD.guarded, OLD.frozen_at) IS DISTINCT FROM (NEW.guarded, NEW.frozen_at))
    EXECUTE FUNCTION wallet_keys_are_checked();

-- The wallets of these API keys, and what the keys may do; no row for a key that does not exist or is no longer valid.
CREATE FUNCTION api_keys_of(hashes bytea[], at timestamptz)
RETURNS TABLE (hash bytea, id uuid, handle text, address text, custody text, guarded boolean, key_id uuid, origin uuid,
    scopes text[], networks cidr[], capped boolean, approved boolean, last_used_at timestamptz) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT key.hash, wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded, key.id, key.origin, key.scopes,
        key.networks, key.capped, key.approved, key.last_used_at
    FROM api_key AS key JOIN wallet ON wallet.id = key.wallet_id
    WHERE key.hash = ANY (hashes) AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > at);
END $$;

-- The sessions of these tokens, including replaced tokens, and their wallets.
CREATE FUNCTION sessions_of(hashes bytea[])
RETURNS TABLE (hash bytea, id uuid, wallet_id uuid, sign_in_method text, passkey_id uuid, device text, created_at timestamptz,
    last_used_at timestamptz, expires_at timestamptz, ended_at timestamptz, made_at timestamptz, replaced_at timestamptz,
    handle text, address text, custody text, guarded boolean) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT token.hash, session.id, session.wallet_id, session.sign_in_method, session.passkey_id, session.device,
        session.created_at, session.last_used_at, session.expires_at, session.ended_at, token.made_at, token.replaced_at,
        wallet.handle, wallet.address, wallet.custody, wallet.guarded
    FROM session_token AS token
        JOIN session ON session.id = token.session_id
        JOIN wallet ON wallet.id = session.wallet_id
    WHERE token.hash = ANY (hashes);
END $$;

-- Rate limits: how often a caller did something in a window. A crash may lose the counts, so the table is unlogged.
CREATE UNLOGGED TABLE rate_limit_counter (
    kind text NOT NULL,
    who text NOT NULL,
    count bigint NOT NULL,
    ends_at timestamptz NOT NULL,      -- of the window
    PRIMARY KEY (kind, who)
);
CREATE INDEX rate_limit_counter_by_end ON rate_limit_counter (ends_at);
