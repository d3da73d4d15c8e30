-- What owners have granted others to draw from their wallets.

CREATE TABLE mandate (
    id uuid PRIMARY KEY,
    payer uuid NOT NULL REFERENCES wallet (id),
    payee uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    rail payment_rail,                 -- none: whichever its payments take
    draw units,                        -- the most at once; none: any
    period_days integer NOT NULL CONSTRAINT mandate_period_range CHECK (period_days BETWEEN 1 AND 366),
    period units NOT NULL,             -- the most in any such period
    total units,                       -- the most in all; none: any
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT mandate_is_to_another CHECK (payer <> payee)
);
CREATE INDEX mandate_of_payer ON mandate (payer, id DESC);
CREATE INDEX mandate_of_payee ON mandate (payee, id DESC);
CREATE TRIGGER mandate_is_kept BEFORE DELETE OR TRUNCATE ON mandate
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE TABLE mandate_draw (
    mandate_id uuid NOT NULL REFERENCES mandate (id),
    payment_id uuid NOT NULL,
    PRIMARY KEY (mandate_id, payment_id)
);
