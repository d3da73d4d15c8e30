-- What people do with money: payments, conversions, the bank's side, and the keys that make each happen once.
--
-- Payments and idempotency keys name wallets and assets without a foreign key: those rows are looked up in the statement
-- that writes, and are never removed (`wallet_is_kept`), while each foreign key would look them up once more per row.

CREATE TABLE idempotency_key (
    wallet_id uuid NOT NULL,
    key text NOT NULL CONSTRAINT idempotency_key_length CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,        -- SHA-256 of what was asked
    status smallint,                   -- the first answer, written in the transaction that moved the money
    answer bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (wallet_id, key)
);

CREATE TABLE payment (
    id uuid PRIMARY KEY,
    state text NOT NULL CONSTRAINT payment_state_known CHECK (state IN (
        'requires_confirmation', 'held', 'queued', 'submitted', 'settled', 'failed', 'voided', 'expired', 'refused')),
    rail text NOT NULL CONSTRAINT payment_rail_known CHECK (rail IN ('ledger', 'chain')),
    payer uuid NOT NULL,
    payee uuid,
    payee_address text,                -- for a payee that is an address and nobody's handle
    asset text NOT NULL,
    amount amount NOT NULL,
    fee units NOT NULL CONSTRAINT payment_fee_not_negative CHECK (fee >= 0),
    captured units NOT NULL DEFAULT 0,
    refunded units NOT NULL DEFAULT 0,
    memo text CONSTRAINT payment_memo_length CHECK (length(memo) <= 280),
    route jsonb NOT NULL,
    transfer_id uuid NOT NULL,         -- its transfer in the book: a hold until it is captured
    authorization_id uuid REFERENCES token_authorization (id),
    refund_of uuid REFERENCES payment (id),
    tx_hash text,                      -- of its ChainTransaction when it was formed; once settled, of what settled it
    failure text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    settled_at timestamptz,
    CONSTRAINT payment_has_one_payee CHECK ((payee IS NULL) <> (payee_address IS NULL)),
    CONSTRAINT payment_is_not_to_oneself CHECK (payee IS DISTINCT FROM payer),
    CONSTRAINT payment_captured_within_amount CHECK (captured BETWEEN 0 AND amount),
    CONSTRAINT payment_refunded_within_captured CHECK (refunded BETWEEN 0 AND captured)
);
CREATE INDEX payment_of_payer ON payment (payer, id DESC);
CREATE INDEX payment_of_payee ON payment (payee, id DESC);
CREATE UNIQUE INDEX payment_authorization ON payment (authorization_id) WHERE authorization_id IS NOT NULL;
CREATE INDEX payment_due ON payment (expires_at) WHERE state IN ('requires_confirmation', 'held');

CREATE TABLE conversion (
    id uuid PRIMARY KEY,
    state text NOT NULL CONSTRAINT conversion_state_known CHECK (state IN ('queued', 'submitted', 'settled', 'failed')),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    amount amount NOT NULL,
    to_asset text NOT NULL REFERENCES asset (code),
    to_amount amount NOT NULL,
    transfer_id uuid NOT NULL,         -- the hold on what is given
    authorization_id uuid NOT NULL REFERENCES token_authorization (id),
    tx_hash text,
    failure text,
    created_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE UNIQUE INDEX conversion_authorization ON conversion (authorization_id);
CREATE INDEX conversion_of_wallet ON conversion (wallet_id, id DESC);

-- Money to or from a bank account: a deposit that the bank reported, a withdrawal that the bank was told to pay.
CREATE TABLE bank_movement (
    id uuid PRIMARY KEY,
    direction text NOT NULL CONSTRAINT bank_movement_direction_known CHECK (direction IN ('deposit', 'withdrawal')),
    state text NOT NULL CONSTRAINT bank_movement_state_known CHECK (state IN ('pending', 'settled', 'failed')),
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    amount amount NOT NULL,
    transfer_id uuid NOT NULL,
    bank_reference text NOT NULL CONSTRAINT bank_movement_reference_once UNIQUE,
    created_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE INDEX bank_movement_of_wallet ON bank_movement (wallet_id, id DESC);

-- The sandbox bank's own statement: a bank of a few lines, held against the book like a real one.
CREATE TABLE sandbox_bank_line (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference text NOT NULL CONSTRAINT sandbox_bank_line_once UNIQUE,
    asset text NOT NULL REFERENCES asset (code),
    amount units NOT NULL CONSTRAINT sandbox_bank_line_not_zero CHECK (amount <> 0),  -- below zero: paid out
    balance units NOT NULL CONSTRAINT sandbox_bank_not_overdrawn CHECK (balance >= 0),
    booked_at timestamptz NOT NULL
);
CREATE INDEX sandbox_bank_line_of_asset ON sandbox_bank_line (asset, id DESC);
