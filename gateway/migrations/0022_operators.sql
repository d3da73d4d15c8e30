-- Operators: people of the house, who act on wallets that are not theirs, and only two together.

CREATE TABLE operator (
    id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT operator_name_unique UNIQUE
        CONSTRAINT operator_name_shape CHECK (name ~ '^[a-z0-9_]{2,30}$'),
    enrolment bytea,                   -- SHA-256 of the code that makes their passkey; none once it is made
    enrolment_until timestamptz,
    credential_id bytea CONSTRAINT operator_credential_unique UNIQUE,
    public_key bytea,                  -- in COSE (RFC 9052)
    sign_count bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT operator_has_a_whole_passkey CHECK ((credential_id IS NULL) = (public_key IS NULL)),
    CONSTRAINT operator_enrols_once CHECK (enrolment IS NULL OR credential_id IS NULL)
);
CREATE TRIGGER operator_is_kept BEFORE DELETE OR TRUNCATE ON operator
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TABLE operator_session (
    hash bytea PRIMARY KEY,            -- SHA-256 of the token
    operator_id uuid NOT NULL REFERENCES operator (id),
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);

CREATE TABLE operator_challenge (
    challenge bytea PRIMARY KEY,
    operator_id uuid REFERENCES operator (id),   -- none: whoever answers it says who they are
    purpose text NOT NULL,
    nonce bytea NOT NULL,
    rp_id text NOT NULL,
    origin text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX operator_challenge_over ON operator_challenge (expires_at);

-- Why nothing leaves a wallet: it is frozen while one of these has not ended.
CREATE TABLE wallet_freeze (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    reason text NOT NULL,
    placed_at timestamptz NOT NULL,
    lapses_at timestamptz,             -- ends by itself then, unless it is confirmed
    ended_at timestamptz
);
CREATE INDEX wallet_freeze_open ON wallet_freeze (wallet_id) WHERE ended_at IS NULL;
CREATE INDEX wallet_freeze_lapses ON wallet_freeze (lapses_at) WHERE ended_at IS NULL AND lapses_at IS NOT NULL;
CREATE TRIGGER wallet_freeze_is_kept BEFORE DELETE OR TRUNCATE ON wallet_freeze
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TABLE proposal (
    id uuid PRIMARY KEY,
    kind text NOT NULL CONSTRAINT proposal_kind_known CHECK (kind IN ('wallet.freeze', 'wallet.unfreeze')),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    reason text NOT NULL,
    freeze_id uuid REFERENCES wallet_freeze (id),   -- what is confirmed, of a freeze
    proposed_by uuid NOT NULL REFERENCES operator (id),
    proposed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    approved_by uuid REFERENCES operator (id),
    done_at timestamptz,
    CONSTRAINT proposal_four_eyes CHECK (approved_by <> proposed_by),
    CONSTRAINT proposal_done_by_somebody CHECK ((approved_by IS NULL) = (done_at IS NULL)),
    CONSTRAINT proposal_done_in_time CHECK (done_at < expires_at)
);
CREATE INDEX proposal_open ON proposal (expires_at) WHERE done_at IS NULL;
CREATE TRIGGER proposal_is_kept BEFORE DELETE OR TRUNCATE ON proposal
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
