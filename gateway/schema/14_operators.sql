-- Operators: staff who act on other people's wallets and on the gateway itself, always two together.

CREATE TABLE operator (
    id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT operator_name_unique UNIQUE
        CONSTRAINT operator_name_shape CHECK (name ~ '^[a-z0-9_]{2,30}$'),
    role text NOT NULL                 -- its rights are in gateway/operators/roles.py
        CONSTRAINT operator_role_known CHECK (role IN ('read_only', 'support', 'finance', 'security')),
    enrolment bytea,                   -- SHA-256 of the code that enrols their passkey; none once it is used
    enrolment_until timestamptz,
    link bytea,                        -- SHA-256 of a link that signs in once, as `gateway up` prints it in the sandbox
    link_until timestamptz,
    credential_id bytea CONSTRAINT operator_credential_unique UNIQUE,
    public_key bytea,                  -- in COSE (RFC 9052)
    sign_count bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT operator_has_a_whole_passkey CHECK ((credential_id IS NULL) = (public_key IS NULL)),
    CONSTRAINT operator_enrols_once CHECK (enrolment IS NULL OR credential_id IS NULL),
    CONSTRAINT operator_link_only_without_passkey CHECK (link IS NULL OR credential_id IS NULL)
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

-- Challenges to operators' passkeys.
CREATE TABLE operator_challenge (
    challenge bytea PRIMARY KEY,
    operator_id uuid REFERENCES operator (id),   -- NULL: the response says whose passkey it is
    purpose text NOT NULL,
    nonce bytea NOT NULL,
    rp_id text NOT NULL,
    origin text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX operator_challenge_over ON operator_challenge (expires_at);

-- Proposals by one operator that another approves: to freeze or unfreeze a wallet, to set the limits of a guarded
-- wallet, to confirm a recovery, to return a lost handle, to correct the ledger.
CREATE TABLE proposal (
    id uuid PRIMARY KEY,
    kind text NOT NULL CONSTRAINT proposal_kind_known CHECK (kind IN (
        'wallet.freeze', 'wallet.unfreeze', 'wallet.limit', 'recovery.confirm', 'handle.return', 'ledger.correct')),
    wallet_id uuid REFERENCES wallet (id),
    reason text NOT NULL,
    freeze_id uuid REFERENCES wallet_freeze (id),   -- the freeze that is confirmed
    proposed_by uuid NOT NULL REFERENCES operator (id),
    proposed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    approved_by uuid REFERENCES operator (id),
    done_at timestamptz,
    asset text REFERENCES asset (code),
    payment units,
    day units,
    terms text,                        -- the proposal in words, which is what is approved
    recovery_id uuid REFERENCES recovery (id),
    address text REFERENCES lost_address (address),
    debit text,                        -- the codes of two accounts
    credit text,
    amount amount,
    CONSTRAINT proposal_four_eyes CHECK (approved_by <> proposed_by),
    CONSTRAINT proposal_done_by_somebody CHECK ((approved_by IS NULL) = (done_at IS NULL)),
    CONSTRAINT proposal_done_in_time CHECK (done_at < expires_at),
    CONSTRAINT proposal_is_whole CHECK (CASE kind
        WHEN 'wallet.limit' THEN num_nulls(wallet_id, asset, payment, day, terms) = 0
            AND num_nonnulls(recovery_id, address, debit, credit, amount) = 0
        WHEN 'recovery.confirm' THEN num_nulls(recovery_id, terms) = 0
            AND num_nonnulls(wallet_id, asset, payment, day, address, debit, credit, amount) = 0
        WHEN 'handle.return' THEN num_nulls(address, terms) = 0
            AND num_nonnulls(wallet_id, asset, payment, day, recovery_id, debit, credit, amount) = 0
        WHEN 'ledger.correct' THEN num_nulls(asset, debit, credit, amount, terms) = 0
            AND num_nonnulls(wallet_id, payment, day, recovery_id, address) = 0
        ELSE wallet_id IS NOT NULL
            AND num_nonnulls(asset, payment, day, terms, recovery_id, address, debit, credit, amount) = 0 END)
);
CREATE INDEX proposal_open ON proposal (expires_at) WHERE done_at IS NULL;
CREATE TRIGGER proposal_is_kept BEFORE DELETE OR TRUNCATE ON proposal
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A transfer that corrects the ledger, with its reason and who approved it.
CREATE TABLE correction (
    id uuid PRIMARY KEY,               -- of its transfer as well
    debit text NOT NULL,
    credit text NOT NULL,
    asset text NOT NULL REFERENCES asset (code),
    amount amount NOT NULL,
    reason text NOT NULL,
    by text[] NOT NULL CONSTRAINT correction_has_somebody CHECK (cardinality(by) > 0),
    posted_at timestamptz NOT NULL
);
CREATE TRIGGER correction_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON correction
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
