-- "This was not me": a freeze that names the payment, links that do nothing else, and what is on its way meanwhile.

ALTER TABLE wallet_freeze ADD COLUMN payment_id uuid REFERENCES payment (id);   -- an owner's; none: an operator's
CREATE UNIQUE INDEX wallet_freeze_of_payment_once ON wallet_freeze (payment_id) WHERE ended_at IS NULL;

-- What a notification may carry. Whoever has the token can freeze the wallet and see this payment, and nothing else.
CREATE TABLE not_me_link (
    hash bytea PRIMARY KEY CONSTRAINT not_me_link_is_a_sha256 CHECK (length(hash) = 32),
    payment_id uuid NOT NULL REFERENCES payment (id),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    expires_at timestamptz NOT NULL
);
CREATE INDEX not_me_link_over ON not_me_link (expires_at);

-- What a wallet sends by the chain waits while it is frozen, whoever has frozen it: it is put into no batch, and does not
-- run out. Afterwards it goes on, unless it leaves the house and that is stopped; what nobody has signed has as long again.
CREATE FUNCTION wallet_withholds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Payments that are being decided end first, and those after them find the wallet frozen (payments/gate.py).
    PERFORM FROM policy WHERE wallet_id = NEW.id FOR UPDATE;
    PERFORM FROM token_authorization AS a JOIN wallet_address ON wallet_address.address = a.from_address
    WHERE wallet_address.wallet_id = NEW.id AND a.state IN ('queued', 'submitted')
        AND a.kind IN ('transfer', 'redemption')
    ORDER BY a.id FOR UPDATE OF a;
    UPDATE token_authorization AS a SET
        withheld = NEW.frozen_at IS NOT NULL OR (
            EXISTS (SELECT FROM withdrawal_freeze AS stopped
                WHERE stopped.asset = a.asset AND stopped.lifted_at IS NULL)
            AND (a.kind = 'redemption' OR EXISTS (
                SELECT FROM payment WHERE payment.authorization_id = a.id AND payment.payee IS NULL))),
        valid_before = CASE
            WHEN NEW.frozen_at IS NOT NULL OR a.signature IS NOT NULL THEN a.valid_before
            ELSE greatest(a.valid_before,
                floor(extract(epoch FROM now())) + a.valid_before - floor(extract(epoch FROM a.created_at))) END
    FROM wallet_address
    WHERE wallet_address.wallet_id = NEW.id AND wallet_address.address = a.from_address
        AND a.state IN ('queued', 'submitted') AND a.kind IN ('transfer', 'redemption');
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_withholds AFTER UPDATE OF frozen_at ON wallet
    FOR EACH ROW WHEN ((OLD.frozen_at IS NULL) <> (NEW.frozen_at IS NULL)) EXECUTE FUNCTION wallet_withholds();
