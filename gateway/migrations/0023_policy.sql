-- What a guarded wallet pays without asking, what waits for an approval or for a moment in which it can be undone, and
-- who was paid before.

CREATE TABLE policy (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    ask_new_payee boolean NOT NULL DEFAULT true,
    ask_address boolean NOT NULL DEFAULT true,
    changed_days smallint NOT NULL DEFAULT 7
        CONSTRAINT policy_changed_days_within_a_year CHECK (changed_days BETWEEN 0 AND 365),
    device_hours smallint NOT NULL DEFAULT 24
        CONSTRAINT policy_device_hours_within_a_month CHECK (device_hours BETWEEN 0 AND 720),
    undo_seconds smallint NOT NULL DEFAULT 0
        CONSTRAINT policy_undo_seconds_known CHECK (undo_seconds = 0 OR undo_seconds BETWEEN 10 AND 60)
);

-- Of an asset without a row the limits are those that policy.py says.
CREATE TABLE policy_limit (
    wallet_id uuid NOT NULL REFERENCES policy (wallet_id),
    asset text NOT NULL REFERENCES asset (code),
    payment units NOT NULL CONSTRAINT policy_limit_payment_not_negative CHECK (payment >= 0),
    day units NOT NULL,
    PRIMARY KEY (wallet_id, asset),
    CONSTRAINT policy_limit_day_no_less_than_a_payment CHECK (day >= payment)
);

-- Trust is in a wallet, or in an address that is nobody's handle: never in a name.
CREATE TABLE trusted_payee (
    wallet_id uuid NOT NULL REFERENCES policy (wallet_id),
    payee uuid REFERENCES wallet (id),
    address text,
    CONSTRAINT trusted_payee_is_one CHECK ((payee IS NULL) <> (address IS NULL)),
    CONSTRAINT trusted_payee_once UNIQUE NULLS NOT DISTINCT (wallet_id, payee, address)
);

CREATE TABLE known_payee (
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    payee uuid,
    address text,
    first_paid_at timestamptz NOT NULL,
    CONSTRAINT known_payee_is_one CHECK ((payee IS NULL) <> (address IS NULL)),
    CONSTRAINT known_payee_once UNIQUE NULLS NOT DISTINCT (wallet_id, payee, address)
);

-- A wallet that becomes guarded has a policy from that moment on, and knows whom it has paid so far. (Only then: a
-- developer's wallet pays nobody more dearly for it.)
CREATE FUNCTION wallet_has_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO policy (wallet_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    INSERT INTO known_payee (wallet_id, payee, address, first_paid_at)
    SELECT payer, payee, payee_address, min(settled_at) FROM payment
    WHERE payer = NEW.id AND state = 'settled' AND refund_of IS NULL GROUP BY payer, payee, payee_address
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_has_policy AFTER UPDATE OF guarded ON wallet
    FOR EACH ROW WHEN (NEW.guarded AND NOT OLD.guarded) EXECUTE FUNCTION wallet_has_policy();
UPDATE wallet SET guarded = false WHERE guarded;
UPDATE wallet SET guarded = true WHERE EXISTS (SELECT FROM passkey WHERE wallet_id = wallet.id);

ALTER TABLE payment
    ADD COLUMN approval text[],        -- why it needed or needs one; none: it did not
    ADD COLUMN capture boolean NOT NULL DEFAULT true,          -- false: once approved it is only held
    ADD COLUMN undo_until timestamptz, -- held until then, and only then put into the queue
    ADD CONSTRAINT payment_approval_has_reasons CHECK (cardinality(approval) > 0);
CREATE INDEX payment_undo ON payment (undo_until) WHERE state = 'held' AND undo_until IS NOT NULL;
