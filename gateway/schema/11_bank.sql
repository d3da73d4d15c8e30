-- Bank transfers in and out of fiat accounts, and the sandbox bank.

-- A deposit that the bank reported, or a withdrawal that it was instructed to pay.
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

-- The statement of the sandbox bank, which is reconciled with the ledger like a real bank's.
CREATE TABLE sandbox_bank_line (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference text NOT NULL CONSTRAINT sandbox_bank_line_once UNIQUE,
    asset text NOT NULL REFERENCES asset (code),
    amount units NOT NULL CONSTRAINT sandbox_bank_line_not_zero CHECK (amount <> 0),  -- below zero: paid out
    balance units NOT NULL CONSTRAINT sandbox_bank_not_overdrawn CHECK (balance >= 0),
    booked_at timestamptz NOT NULL
);
CREATE INDEX sandbox_bank_line_of_asset ON sandbox_bank_line (asset, id DESC);
