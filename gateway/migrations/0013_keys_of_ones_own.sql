-- Keys of people's own: a wallet is bound to an address by what its key has signed, what lies at the address before
-- follows, and what it pays waits for its signature.

-- The text that somebody is asked to sign (EIP-4361), by its parts: it is written anew when it comes back. A wallet has
-- one at a time.
CREATE TABLE address_challenge (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    nonce text NOT NULL CONSTRAINT address_challenge_nonce_once UNIQUE,
    address text NOT NULL,
    domain text NOT NULL,
    uri text NOT NULL,
    chain_id bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz                -- when it bound the address; it does so once
);

ALTER TABLE authorization_nonce ADD COLUMN closed boolean NOT NULL DEFAULT false;  -- the address was left by its wallet

ALTER TABLE token_authorization
    ADD COLUMN signed_by text NOT NULL DEFAULT 'gateway'       -- who is to sign; never changed afterwards
        CONSTRAINT token_authorization_signed_by_known CHECK (signed_by IN ('gateway', 'owner', 'contract')),
    DROP CONSTRAINT token_authorization_kind_known,
    ADD CONSTRAINT token_authorization_kind_known CHECK (kind IN ('transfer', 'redemption', 'mint', 'sweep')),
    DROP CONSTRAINT token_authorization_state_known,
    ADD CONSTRAINT token_authorization_state_known
        CHECK (state IN ('unsigned', 'queued', 'submitted', 'settled', 'skipped', 'expired')),
    ADD CONSTRAINT token_authorization_signed_by_its_payer
        CHECK (signed_by = 'gateway' OR state NOT IN ('queued', 'submitted') OR signature IS NOT NULL);

-- Tokens on their way from a wallet's first address, whose key we keep, to the current one. In the book they are the
-- wallet's all the time, and set aside until they are where they can be paid from.
CREATE TABLE sweep (
    id uuid PRIMARY KEY,               -- of its hold as well
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    asset text NOT NULL REFERENCES asset (code),
    from_address text NOT NULL REFERENCES wallet_address (address),
    amount amount NOT NULL,
    state text NOT NULL CONSTRAINT sweep_state_known CHECK (state IN ('queued', 'waiting', 'settled', 'gone')),
    authorization_id uuid NOT NULL REFERENCES token_authorization (id),    -- the latest
    failure text,                      -- why the one before came to nothing, while it waits to be tried again
    tried_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE UNIQUE INDEX sweep_authorization ON sweep (authorization_id);
CREATE INDEX sweep_waiting ON sweep (tried_at) WHERE state = 'waiting';
