-- Wallets, their handles and their addresses. Addresses are EIP-55 checksummed text.

-- The skeleton of a handle (UTS 39) for a-z, 0-9 and _, and for every spelling of it in capitals: 0 and o look alike,
-- and so do 1 and l, i and l (as a capital I), and m and rn. Beyond the standard: w and vv look alike, and
-- underscores are left out.
CREATE FUNCTION confusable_skeleton(handle text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN replace(replace(translate(handle, '01i_', 'oll'), 'm', 'rn'), 'w', 'vv');

-- A wallet: its handle, the address that it is paid at, and its restrictions. Other files add triggers:
-- wallet_keys_are_checked (04_identity.sql), wallet_has_policy and wallet_freezes_authorizations (10_controls.sql),
-- wallet_in_recovery (13_recovery.sql).
CREATE TABLE wallet (
    id uuid PRIMARY KEY,
    handle text NOT NULL CONSTRAINT wallet_handle_unique UNIQUE
        CONSTRAINT wallet_handle_shape CHECK (handle ~ '^[a-z0-9_]{2,30}$'),
    address text NOT NULL CONSTRAINT wallet_address_unique UNIQUE
        CONSTRAINT wallet_address_shape CHECK (address ~ '^0x[0-9a-fA-F]{40}$'),
    created_at timestamptz NOT NULL,
    custody text NOT NULL,             -- of its current address
    guarded boolean NOT NULL DEFAULT false,    -- from its first passkey on: its policy applies
    frozen_at timestamptz,             -- since when it is frozen
    skeleton text CONSTRAINT wallet_skeleton_unique UNIQUE,  -- NULL: another wallet had it first
    recovered_at timestamptz,          -- when its owner last signed in with a recovery code
    moved_at timestamptz,              -- when it last got another address: maintained by wallet_moves, below
    -- When somebody may have taken it over, which payers are warned of.
    changed_at timestamptz GENERATED ALWAYS AS (greatest(recovered_at, moved_at)) STORED,
    closed_at timestamptz              -- when its owner closed it permanently: it has no money, and its handle stays taken
);
-- A page of payments names the other party of each: fifty handles by id, from the index alone.
CREATE UNIQUE INDEX wallet_handle_of_id ON wallet (id) INCLUDE (handle);
CREATE TRIGGER wallet_is_kept BEFORE DELETE OR TRUNCATE ON wallet
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE FUNCTION handle_is_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a handle is its wallet''s for ever' USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER wallet_handle_is_for_ever BEFORE UPDATE OF handle, id ON wallet
    FOR EACH ROW WHEN (NEW.handle <> OLD.handle OR NEW.id <> OLD.id) EXECUTE FUNCTION handle_is_for_ever();

-- A closed wallet gets nothing new: no session, no key, no notification address. A transaction that adds one waits for
-- a wallet that is being closed, and is then refused.
CREATE FUNCTION wallet_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT closed_at FROM wallet WHERE id = NEW.wallet_id FOR SHARE) IS NOT NULL THEN
        RAISE EXCEPTION 'the wallet is closed' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION wallet_is_closed_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a closed wallet stays closed' USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER wallet_is_closed_for_ever BEFORE UPDATE OF closed_at ON wallet
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at)
    EXECUTE FUNCTION wallet_is_closed_for_ever();

-- Handles that could be mistaken for the operator, its staff or a part of the product. Nobody can claim one or a
-- lookalike of one; a wallet that has one already keeps it. An operator may add words. 'all' is left out, since it looks
-- like the name Ali.
CREATE TABLE reserved_handle (
    word text NOT NULL CONSTRAINT reserved_handle_shape CHECK (word ~ '^[a-z0-9_]{2,30}$'),
    skeleton text NOT NULL GENERATED ALWAYS AS (confusable_skeleton(word)) STORED
        CONSTRAINT reserved_handle_once PRIMARY KEY
);
INSERT INTO reserved_handle (word) VALUES
    ('admin'), ('administrator'), ('moderator'), ('official'), ('operator'), ('owner'), ('root'), ('staff'), ('system'),
    ('team'), ('abuse'), ('contact'), ('help'), ('helpdesk'), ('info'), ('support'), ('service'), ('security'),
    ('hostmaster'), ('postmaster'), ('webmaster'), ('noreply'), ('mail'), ('email'), ('www'), ('api'),
    ('bank'), ('billing'), ('compliance'), ('finance'), ('fraud'), ('legal'), ('police'), ('treasury'),
    ('account'), ('accounts'), ('gateway'), ('login'), ('logout'), ('passkey'), ('passkeys'), ('payment'), ('payments'),
    ('recovery'), ('refund'), ('refunds'), ('settings'), ('sign_in'), ('sign_out'), ('sign_up'), ('verify'),
    ('verification'), ('escrow'), ('fees'), ('relayer'), ('reserve'),
    ('anonymous'), ('anybody'), ('everybody'), ('everyone'), ('me'), ('nobody'), ('none'), ('null'),
    ('undefined'), ('unknown');

CREATE FUNCTION skeleton_of_a_new_handle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.skeleton := confusable_skeleton(NEW.handle);
    IF EXISTS (SELECT FROM reserved_handle WHERE skeleton = NEW.skeleton) THEN
        RAISE EXCEPTION '% is reserved', NEW.handle
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_handle_not_reserved';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallet_skeleton BEFORE INSERT ON wallet FOR EACH ROW EXECUTE FUNCTION skeleton_of_a_new_handle();

-- The current address of each wallet and those it had before. The holder of an address's key signs for it.
CREATE TABLE wallet_address (
    address text PRIMARY KEY CONSTRAINT wallet_address_is_one CHECK (address ~ '^0x[0-9a-fA-F]{40}$'),
    wallet_id uuid NOT NULL REFERENCES wallet (id),        -- never changes: an address stays with its wallet
    -- gateway: the gateway keeps the key, encrypted. owner: the owner bound it. contract: it signs by ERC-1271.
    custody text NOT NULL CONSTRAINT wallet_address_custody_known CHECK (custody IN ('gateway', 'owner', 'contract')),
    since timestamptz NOT NULL,
    -- The block at which the balance of a bound address was posted as one sum. Movements up to this block are not posted
    -- when a block is read again. Zero if the gateway keeps the key.
    read_to bigint NOT NULL DEFAULT 0,
    CONSTRAINT wallet_address_whole UNIQUE (wallet_id, address, custody)
);
CREATE UNIQUE INDEX wallet_address_custodial ON wallet_address (wallet_id) WHERE custody = 'gateway';
CREATE TRIGGER wallet_address_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_address
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

CREATE FUNCTION wallet_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE wallet SET moved_at = greatest(moved_at, NEW.since) WHERE id = NEW.wallet_id AND created_at < NEW.since;
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_moves AFTER INSERT ON wallet_address FOR EACH ROW EXECUTE FUNCTION wallet_moves();
ALTER TABLE wallet ADD CONSTRAINT wallet_has_its_address FOREIGN KEY (id, address, custody)
    REFERENCES wallet_address (wallet_id, address, custody);

-- The addresses whose tokens count as a wallet's: the current one, and any whose key the gateway keeps, because what
-- arrives there is swept to the current one. What arrives at another former address is outside the ledger.
CREATE VIEW counted_address AS
SELECT wallet_address.address, wallet.id AS wallet_id
FROM wallet_address JOIN wallet ON wallet.id = wallet_address.wallet_id
WHERE wallet_address.custody = 'gateway' OR wallet_address.address = wallet.address;

-- The parts of the EIP-4361 message that an owner is asked to sign to bind an address. The message is composed again when
-- the signature arrives. A wallet has one at a time.
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
