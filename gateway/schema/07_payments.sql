-- Payments, conversions, mandates, and the keys that make each request happen once.
--
-- Payments and idempotency keys name wallets, assets and authorizations without a foreign key: the statement that
-- writes looks those rows up or has just written them, they are never deleted, and a foreign key would look each up
-- again.

-- A CHECK of a table is parsed and planned again by every statement that writes to it; one of a domain is kept. A rule
-- about one column is therefore the domain's.
CREATE DOMAIN payment_state AS text CONSTRAINT payment_state_known CHECK (VALUE IN (
    'requires_confirmation', 'held', 'queued', 'submitted', 'settled', 'failed', 'voided', 'expired', 'refused'));
CREATE DOMAIN payment_rail AS text CONSTRAINT payment_rail_is_a_name CHECK (VALUE ~ '^[a-z_]{1,30}$');
CREATE DOMAIN payment_fee AS units CONSTRAINT payment_fee_not_negative CHECK (VALUE >= 0);
CREATE DOMAIN payment_memo AS text CONSTRAINT payment_memo_length CHECK (length(VALUE) <= 280);

-- The first answer to each request, written in the transaction that moved the money. The answer of a payment that its
-- row determines is not stored: the key names the payment.
CREATE TABLE idempotency_key (
    wallet_id uuid NOT NULL,
    key text NOT NULL CONSTRAINT idempotency_key_length CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,        -- SHA-256 of the request
    status smallint,
    answer bytea,
    created_at timestamptz NOT NULL,
    payment_id uuid,
    PRIMARY KEY (wallet_id, key)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- A request that money goes from a payer to a payee, and how far it is.
CREATE TABLE payment (
    id uuid PRIMARY KEY,
    state payment_state NOT NULL,
    rail payment_rail NOT NULL,
    payer uuid NOT NULL,
    payee uuid,
    payee_address text,                -- for a payee that is an address and nobody's handle
    asset text NOT NULL,
    amount amount NOT NULL,
    fee payment_fee NOT NULL,
    captured units NOT NULL DEFAULT 0,
    refunded units NOT NULL DEFAULT 0,
    memo payment_memo,
    route json,                        -- what of its route does not follow from the rest (payments/route.py); none: nothing
    transfer_id uuid NOT NULL,         -- its transfer in the ledger: a hold until it is captured
    authorization_id uuid,
    refund_of uuid REFERENCES payment (id),
    tx_hash text,                      -- of its chain transaction when that was made; once settled, of what settled it
    failure text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    settled_at timestamptz,
    approval text[],                   -- why it needed or needs an approval; none: it did not
    capture boolean NOT NULL DEFAULT true,     -- false: once approved it is only held
    undo_until timestamptz,            -- held until then, and only then queued
    -- The state, where it is one that few payments are in, and none that settles as it should. Indexes by state are over
    -- this column, so that no index changes while a payment is queued, submitted and settled (HOT updates).
    rare_state payment_state GENERATED ALWAYS AS (
        CASE WHEN state NOT IN ('queued', 'submitted', 'settled') THEN state END) STORED,
    CONSTRAINT payment_has_one_payee CHECK ((payee IS NULL) <> (payee_address IS NULL)),
    CONSTRAINT payment_is_not_to_oneself CHECK (payee IS DISTINCT FROM payer),
    CONSTRAINT payment_captured_within_amount CHECK (captured BETWEEN 0 AND amount),
    CONSTRAINT payment_refunded_within_captured CHECK (refunded BETWEEN 0 AND captured),
    CONSTRAINT payment_route_where_chosen CHECK (route IS NOT NULL OR rail = 'ledger'),
    CONSTRAINT payment_approval_has_reasons CHECK (cardinality(approval) > 0)
) WITH (
    fillfactor = 50,                   -- room on the page for what a token payment becomes; README says what it costs
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
);
CREATE INDEX payment_of_payer ON payment (payer, id DESC);
CREATE INDEX payment_of_payee ON payment (payee, id DESC);
CREATE UNIQUE INDEX payment_authorization ON payment (authorization_id) WHERE authorization_id IS NOT NULL;
CREATE INDEX payment_due ON payment (expires_at) WHERE rare_state IN ('requires_confirmation', 'held');
CREATE INDEX payment_undo ON payment (undo_until) WHERE rare_state = 'held' AND undo_until IS NOT NULL;
CREATE INDEX payment_state_of_payer ON payment (payer, rare_state, id DESC) WHERE rare_state IS NOT NULL;
CREATE INDEX payment_state_of_payee ON payment (payee, rare_state, id DESC) WHERE rare_state IS NOT NULL;

-- What a wallet has written on a payment for its own systems. Written in the payment's transaction, and only when there is
-- something to write: a payment without a note costs no more for it.
CREATE TABLE payment_note (
    payment_id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL,           -- whose note it is: the payer's, or the payee's who drew on a mandate
    reference text CONSTRAINT payment_note_reference_length CHECK (length(reference) BETWEEN 1 AND 64),
    metadata json CONSTRAINT payment_note_metadata_size CHECK (octet_length(metadata::text) <= 2048),
    CONSTRAINT payment_note_is_not_empty CHECK (num_nonnulls(reference, metadata) > 0)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX payment_note_reference ON payment_note (wallet_id, reference, payment_id) WHERE reference IS NOT NULL;
CREATE TRIGGER payment_note_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_note
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- An exchange of one asset of a wallet into another: fiat into the token it backs, or a token back into fiat.
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

-- Tokens on their way from a wallet's first address, whose key the gateway keeps, to its current one. In the ledger
-- they are the wallet's throughout, and on hold until they arrive.
CREATE TABLE sweep (
    id uuid PRIMARY KEY,               -- of its hold as well
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    from_address text NOT NULL REFERENCES wallet_address (address),
    amount amount NOT NULL,
    state text NOT NULL CONSTRAINT sweep_state_known CHECK (state IN ('queued', 'waiting', 'settled', 'gone')),
    authorization_id uuid NOT NULL REFERENCES token_authorization (id),    -- the latest
    failure text,                      -- why the previous attempt failed, while it waits to be tried again
    tried_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE UNIQUE INDEX sweep_authorization ON sweep (authorization_id);
CREATE INDEX sweep_waiting ON sweep (tried_at) WHERE state = 'waiting';

-- What an owner has granted another to draw from their wallet.
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
    approved boolean NOT NULL DEFAULT false,   -- by a passkey, without which a guarded wallet is not drawn from
    CONSTRAINT mandate_is_to_another CHECK (payer <> payee)
);
CREATE INDEX mandate_of_payer ON mandate (payer, id DESC);
CREATE INDEX mandate_of_payee ON mandate (payee, id DESC);
CREATE TRIGGER mandate_is_kept BEFORE DELETE OR TRUNCATE ON mandate
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
