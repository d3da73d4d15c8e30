-- Recovery after a restore from an older copy: the chain has payments that the database does not have. Until operators
-- have confirmed the findings, nothing is sent to the chain and no handle can be claimed.

-- The recoveries of this database; the gateway is in recovery while one has not ended.
CREATE TABLE recovery (
    id uuid PRIMARY KEY,
    chain_id bigint NOT NULL,
    reason text NOT NULL,              -- the first thing found, as a sentence
    entered_at timestamptz NOT NULL,
    read_at timestamptz,               -- when the ledger had everything that the relayers did; NULL: a worker is still reading
    ended_at timestamptz,
    ended_by text,
    CONSTRAINT recovery_ends_by_somebody CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT recovery_ends_once_all_is_read CHECK (ended_at IS NULL OR read_at IS NOT NULL)
);
CREATE UNIQUE INDEX recovery_one_at_a_time ON recovery ((true)) WHERE ended_at IS NULL;
CREATE TRIGGER recovery_is_kept BEFORE DELETE OR TRUNCATE ON recovery
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A payment, mint or redemption that the gateway has sent and the database has no row of. Its idempotency key was lost,
-- so the first request for the same payment is answered with it instead of paying twice.
CREATE TABLE restored_payment (
    id uuid PRIMARY KEY,
    recovery_id uuid NOT NULL REFERENCES recovery (id),
    kind text NOT NULL CONSTRAINT restored_payment_kind_known CHECK (kind IN ('transfer', 'redemption', 'mint')),
    asset text NOT NULL REFERENCES asset (code),
    from_address text NOT NULL,
    to_address text NOT NULL,
    value amount NOT NULL,
    nonce numeric NOT NULL,            -- of a mint, its reference
    payer uuid REFERENCES wallet (id), -- who asked for it; NULL: a wallet that was lost too
    payee uuid REFERENCES wallet (id),
    block_number bigint NOT NULL,
    transaction_hash bytea NOT NULL,
    met_at timestamptz,
    met_by uuid REFERENCES wallet (id),
    met_key text,                      -- the idempotency key of the request that it answered
    CONSTRAINT restored_payment_once UNIQUE (asset, from_address, nonce),
    CONSTRAINT restored_payment_met_by_a_request CHECK (num_nulls(met_at, met_by, met_key) IN (0, 3))
);
CREATE INDEX restored_payment_not_met ON restored_payment (asset, value) WHERE met_at IS NULL;
CREATE TRIGGER restored_payment_is_kept BEFORE DELETE OR TRUNCATE ON restored_payment
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Addresses in the gateway's payments that belong to no wallet here. Each may be the address of a lost handle, which
-- nobody can claim until operators have returned it.
CREATE TABLE lost_address (
    address text PRIMARY KEY,
    recovery_id uuid NOT NULL REFERENCES recovery (id),
    returned_at timestamptz,           -- its handle may be claimed from then on
    wallet_id uuid REFERENCES wallet (id) DEFERRABLE INITIALLY DEFERRED,    -- who claimed it
    taken_block bigint,                -- the last block read then: the balance of the address at it has to be posted,
    opened_at timestamptz,             -- when that balance was posted
    CONSTRAINT lost_address_is_returned_first CHECK (wallet_id IS NULL OR returned_at IS NOT NULL)
);
CREATE INDEX lost_address_to_open ON lost_address (address) WHERE wallet_id IS NOT NULL AND opened_at IS NULL;
CREATE TRIGGER lost_address_is_kept BEFORE DELETE OR TRUNCATE ON lost_address
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The restored payments that a request repeats, of those that are not matched yet: of the same kind, asset and value,
-- from the same wallet or address, and to the same one. Previous addresses of a wallet count as its own. A mint has no
-- payer, and is its payee's request; a redemption has no payee.
CREATE FUNCTION repeated_payments(kind text, asset text, value numeric, from_address text, to_address text)
RETURNS SETOF restored_payment LANGUAGE sql STABLE
AS $$
    SELECT there.* FROM restored_payment AS there
    WHERE there.met_at IS NULL AND there.kind = repeated_payments.kind AND there.asset = repeated_payments.asset
        AND there.value = repeated_payments.value
        AND (there.kind = 'mint' OR there.from_address = repeated_payments.from_address
            OR there.payer = (SELECT wallet_id FROM wallet_address WHERE address = repeated_payments.from_address))
        AND (there.kind = 'redemption' OR there.to_address = repeated_payments.to_address
            OR there.payee = (SELECT wallet_id FROM wallet_address WHERE address = repeated_payments.to_address))
$$;

-- Refuses authorizations during recovery (GWR01) and those that repeat a restored payment (GWR02); errors.py tells the
-- caller. Sweeps are not requests: their tokens stay in one wallet, and no relayer sends them before recovery has ended.
-- An authorization that its owner signed is recognized by its nonce.
CREATE FUNCTION authorization_in_recovery() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    met record;
BEGIN
    IF NOT EXISTS (SELECT FROM recovery WHERE ended_at IS NULL)
        AND NOT EXISTS (SELECT FROM restored_payment WHERE met_at IS NULL) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM recovery WHERE ended_at IS NULL) AND EXISTS (SELECT FROM fresh WHERE kind <> 'sweep') THEN
        RAISE EXCEPTION 'the gateway is in recovery' USING ERRCODE = 'GWR01';
    END IF;
    SELECT there.id, there.transaction_hash INTO met
    FROM fresh,
        LATERAL repeated_payments(fresh.kind, fresh.asset, fresh.value, fresh.from_address, fresh.to_address) AS there
    WHERE fresh.signature IS NULL
    ORDER BY there.block_number, there.id
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a payment like this is on the chain already'
            USING ERRCODE = 'GWR02', DETAIL = met.id || ' 0x' || encode(met.transaction_hash, 'hex');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER authorization_in_recovery AFTER INSERT ON token_authorization
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION authorization_in_recovery();

-- Refuses new wallets during recovery (GWR01) and a handle that was lost and not returned (GWR03). A returned one comes
-- with the balance at its address and the nonces that were used there, from the block on that the ledger has read; that
-- block stays the same until this transaction ends.
CREATE FUNCTION wallet_in_recovery() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    returned timestamptz;
BEGIN
    IF EXISTS (SELECT FROM recovery WHERE ended_at IS NULL) THEN
        RAISE EXCEPTION 'the gateway is in recovery' USING ERRCODE = 'GWR01';
    END IF;
    SELECT returned_at INTO returned FROM lost_address WHERE address = NEW.address FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    IF returned IS NULL THEN
        RAISE EXCEPTION 'a lost handle' USING ERRCODE = 'GWR03', DETAIL = NEW.handle;
    END IF;
    UPDATE lost_address SET wallet_id = NEW.id, taken_block = (SELECT number FROM chain_cursor
        WHERE chain_id = (SELECT chain_id FROM recovery WHERE id = lost_address.recovery_id) FOR UPDATE)
    WHERE address = NEW.address;
    INSERT INTO authorization_nonce (asset, address, next)
    SELECT asset, from_address, max(nonce) + 1 FROM restored_payment
    WHERE from_address = NEW.address AND kind <> 'mint' AND nonce < 2::numeric ^ 32
    GROUP BY asset, from_address ORDER BY asset
    ON CONFLICT DO NOTHING;
    RETURN NEW;
END $$;
CREATE TRIGGER wallet_in_recovery BEFORE INSERT ON wallet FOR EACH ROW EXECUTE FUNCTION wallet_in_recovery();
