-- Requests for money: one wallet requests an amount from another.

-- A request is paid by an ordinary payment. `payment_id` is set in the transaction that accepts the payment, while the
-- request's row is locked, and replaced only if that payment has ended without paying. The state is not stored; see
-- request_state.
CREATE TABLE payment_request (
    id uuid PRIMARY KEY,
    requester uuid NOT NULL REFERENCES wallet (id),
    payer uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    amount amount NOT NULL,
    memo memo,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    declined_at timestamptz,
    cancelled_at timestamptz,
    payment_id uuid,                   -- the payment that pays it, or the last one that did not
    paid_at timestamptz,               -- when that payment settled
    CONSTRAINT payment_request_is_not_to_oneself CHECK (requester <> payer),
    CONSTRAINT payment_request_expires_later CHECK (expires_at > created_at),
    CONSTRAINT payment_request_ends_once CHECK (num_nonnulls(declined_at, cancelled_at, paid_at) <= 1),
    CONSTRAINT payment_request_is_paid_by_a_payment CHECK (paid_at IS NULL OR payment_id IS NOT NULL)
);
CREATE UNIQUE INDEX payment_request_of_payment ON payment_request (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX payment_request_of_requester ON payment_request (requester, id DESC);
CREATE INDEX payment_request_of_payer ON payment_request (payer, id DESC);
CREATE INDEX payment_request_waiting ON payment_request (payer, requester, id DESC)
    WHERE declined_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL;
CREATE INDEX payment_request_unended_of_requester ON payment_request (requester, id DESC)
    WHERE declined_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL;
CREATE INDEX payment_request_unended_of_payer ON payment_request (payer, id DESC)
    WHERE declined_at IS NULL AND cancelled_at IS NULL AND paid_at IS NULL;

-- The state of a request whose payment is in the state `payment` (NULL: it has none, or one that settled at once). A payment
-- that ends without paying leaves the request as it was.
CREATE FUNCTION request_state(request payment_request, payment text, now timestamptz) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE
        WHEN request.paid_at IS NOT NULL THEN 'paid'
        WHEN payment NOT IN ('failed', 'voided', 'expired', 'declined') THEN 'pending'
        WHEN request.declined_at IS NOT NULL THEN 'declined'
        WHEN request.cancelled_at IS NOT NULL THEN 'cancelled'
        WHEN request.expires_at <= now THEN 'expired'
        ELSE 'open'
    END;
