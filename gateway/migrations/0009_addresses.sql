-- A wallet's addresses: the one it is paid at, and those it had before. Who keeps the key of each decides who signs.

CREATE TABLE wallet_address (
    address text PRIMARY KEY CONSTRAINT wallet_address_is_one CHECK (address ~ '^0x[0-9a-fA-F]{40}$'),  -- EIP-55
    wallet_id uuid NOT NULL REFERENCES wallet (id),        -- for ever: no address changes hands
    -- gateway: we do, sealed. owner: whoever has bound it. contract: nobody; it says by ERC-1271 what it has signed.
    custody text NOT NULL CONSTRAINT wallet_address_custody_known CHECK (custody IN ('gateway', 'owner', 'contract')),
    since timestamptz NOT NULL,
    CONSTRAINT wallet_address_whole UNIQUE (wallet_id, address, custody)
);
CREATE UNIQUE INDEX wallet_address_sealed ON wallet_address (wallet_id) WHERE custody = 'gateway';
CREATE TRIGGER wallet_address_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_address
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

INSERT INTO wallet_address (address, wallet_id, custody, since) SELECT address, id, 'gateway', created_at FROM wallet;

ALTER TABLE wallet
    ADD COLUMN custody text NOT NULL DEFAULT 'gateway',    -- of its current address
    ADD CONSTRAINT wallet_has_its_address FOREIGN KEY (id, address, custody)
        REFERENCES wallet_address (wallet_id, address, custody);
ALTER TABLE wallet ALTER COLUMN custody DROP DEFAULT;

-- The addresses whose tokens are a wallet's: the current one, and any whose key we keep, since what arrives there is
-- brought to the current one. What arrives at another that a wallet had before is outside, where its owner can see to it.
CREATE VIEW counted_address AS
SELECT wallet_address.address, wallet.id AS wallet_id
FROM wallet_address JOIN wallet ON wallet.id = wallet_address.wallet_id
WHERE wallet_address.custody = 'gateway' OR wallet_address.address = wallet.address;
