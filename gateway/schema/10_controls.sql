-- Controls on money that leaves a wallet: freezes, and the policy of a guarded wallet. Spending caps are in
-- 10_spending.sql.

-- Freezes of withdrawals. Withdrawals of an asset are frozen while a row has no `unfrozen_at`.
CREATE TABLE withdrawal_freeze (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset text NOT NULL REFERENCES asset (code),
    frozen_at timestamptz NOT NULL,
    unfrozen_at timestamptz
);
CREATE UNIQUE INDEX withdrawal_freeze_once ON withdrawal_freeze (asset) WHERE unfrozen_at IS NULL;

-- Freezes of wallets. A wallet is frozen while one of its freezes has not ended.
CREATE TABLE wallet_freeze (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    reason text NOT NULL,
    placed_at timestamptz NOT NULL,
    expires_at timestamptz,             -- when it expires unless it is confirmed
    ended_at timestamptz,
    payment_id uuid                           -- the payment that its owner reported; NULL: an operator's
);
CREATE INDEX wallet_freeze_open ON wallet_freeze (wallet_id) WHERE ended_at IS NULL;
CREATE INDEX wallet_freeze_of_wallet ON wallet_freeze (wallet_id);
CREATE INDEX wallet_freeze_expiry ON wallet_freeze (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;
CREATE UNIQUE INDEX wallet_freeze_of_payment_once ON wallet_freeze (payment_id) WHERE ended_at IS NULL;
CREATE INDEX wallet_freeze_of_payment ON wallet_freeze (payment_id) WHERE payment_id IS NOT NULL;
CREATE TRIGGER wallet_freeze_is_kept BEFORE DELETE OR TRUNCATE ON wallet_freeze
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Tokens of the links in notifications that report a payment as unauthorized. A token can freeze the wallet and show this
-- payment, and nothing else.
CREATE TABLE report_link (
    hash bytea PRIMARY KEY CONSTRAINT report_link_is_a_sha256 CHECK (length(hash) = 32),
    payment_id uuid NOT NULL,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    expires_at timestamptz NOT NULL
);
CREATE INDEX report_link_over ON report_link (expires_at);

-- Authorizations of a frozen wallet wait: they are not batched and do not expire. After the unfreeze they continue, except
-- withdrawals while those are frozen; the ones that are not signed yet get their full time again.
CREATE FUNCTION wallet_freezes_authorizations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Waits for payments that are being decided; later ones see the freeze (payments/checks/wallet_freeze.py).
    UPDATE policy SET frozen = NEW.frozen_at IS NOT NULL WHERE wallet_id = NEW.id;
    PERFORM FROM token_authorization AS a JOIN wallet_address ON wallet_address.address = a.from_address
    WHERE wallet_address.wallet_id = NEW.id AND a.state IN ('queued', 'submitted')
        AND a.kind IN ('transfer', 'redemption')
    ORDER BY a.id FOR UPDATE OF a;
    UPDATE token_authorization AS a SET
        frozen = NEW.frozen_at IS NOT NULL OR (
            EXISTS (SELECT FROM withdrawal_freeze AS stopped
                WHERE stopped.asset = a.asset AND stopped.unfrozen_at IS NULL)
            AND (a.kind = 'redemption' OR EXISTS (
                SELECT FROM staged_payment AS paid WHERE paid.authorization_id = a.id AND paid.payee IS NULL))),
        valid_before = CASE
            WHEN NEW.frozen_at IS NOT NULL OR a.signature IS NOT NULL THEN a.valid_before
            ELSE greatest(a.valid_before,
                floor(extract(epoch FROM now())) + a.valid_before - floor(extract(epoch FROM a.created_at))) END
    FROM wallet_address
    WHERE wallet_address.wallet_id = NEW.id AND wallet_address.address = a.from_address
        AND a.state IN ('queued', 'submitted') AND a.kind IN ('transfer', 'redemption');
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_freezes_authorizations AFTER UPDATE OF frozen_at ON wallet
    FOR EACH ROW WHEN ((OLD.frozen_at IS NULL) <> (NEW.frozen_at IS NULL)) EXECUTE FUNCTION wallet_freezes_authorizations();

-- The policy of a guarded wallet: which payments need its owner's approval.
CREATE TABLE policy (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    since timestamptz NOT NULL DEFAULT now(),  -- its payments count from then on
    frozen boolean NOT NULL DEFAULT false,     -- as its wallet: maintained by wallet_freezes_authorizations and wallet_has_policy
    approve_new_payee boolean NOT NULL DEFAULT true,
    approve_address boolean NOT NULL DEFAULT true,
    changed_payee_days smallint NOT NULL DEFAULT 7
        CONSTRAINT policy_changed_payee_days_within_a_year CHECK (changed_payee_days BETWEEN 0 AND 365),
    new_device_hours smallint NOT NULL DEFAULT 24
        CONSTRAINT policy_new_device_hours_within_a_month CHECK (new_device_hours BETWEEN 0 AND 720),
    undo_seconds smallint NOT NULL DEFAULT 0
        CONSTRAINT policy_undo_seconds_known CHECK (undo_seconds = 0 OR undo_seconds BETWEEN 10 AND 60)
);

-- Limits per asset. The defaults, for an asset without a row, are in policy.py.
CREATE TABLE policy_limit (
    wallet_id uuid NOT NULL REFERENCES policy (wallet_id),
    asset text NOT NULL REFERENCES asset (code),
    payment units NOT NULL CONSTRAINT policy_limit_payment_not_negative CHECK (payment >= 0),
    day units NOT NULL,
    PRIMARY KEY (wallet_id, asset),
    CONSTRAINT policy_limit_day_no_less_than_a_payment CHECK (day >= payment)
);

-- Payees that need no approval. A payee is a wallet, or an address that has no handle; names are not stored.
CREATE TABLE trusted_payee (
    wallet_id uuid NOT NULL REFERENCES policy (wallet_id),
    payee uuid REFERENCES wallet (id),
    address text,
    CONSTRAINT trusted_payee_is_one CHECK ((payee IS NULL) <> (address IS NULL)),
    CONSTRAINT trusted_payee_once UNIQUE NULLS NOT DISTINCT (wallet_id, payee, address)
);

-- The payees that a guarded wallet has paid before. A foreign key to the wallet would lock it for each payee, and is not
-- needed: writers hold a lock on the wallet's policy, and wallets are never deleted.
CREATE TABLE known_payee (
    wallet_id uuid NOT NULL,
    payee uuid,
    address text,
    first_paid_at timestamptz NOT NULL,
    CONSTRAINT known_payee_is_one CHECK ((payee IS NULL) <> (address IS NULL)),
    CONSTRAINT known_payee_once UNIQUE NULLS NOT DISTINCT (wallet_id, payee, address)
);

-- The first passkey ends the authority that was given before it. In the transaction that adds the passkey, the wallet gets
-- a policy without known payees (anybody with the sign-up key may have paid them), recovery codes and the sessions that
-- they began end, and held payments need an approval. API keys and mandates need an approval before they work again.
CREATE FUNCTION wallet_has_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO policy (wallet_id, frozen) VALUES (NEW.id, NEW.frozen_at IS NOT NULL) ON CONFLICT DO NOTHING;
    DELETE FROM recovery_code WHERE wallet_id = NEW.id;
    UPDATE session SET ended_at = now(), ended_by = 'first_passkey'
    WHERE wallet_id = NEW.id AND sign_in_method = 'recovery_code' AND ended_at IS NULL;
    UPDATE staged_payment SET state = 'requires_confirmation', approval = '{before_passkey}', capture = false
    WHERE payer = NEW.id AND rare_state = 'held' AND authorization_id IS NULL AND refund_of IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_has_policy AFTER UPDATE OF guarded ON wallet
    FOR EACH ROW WHEN (NEW.guarded AND NOT OLD.guarded) EXECUTE FUNCTION wallet_has_policy();

