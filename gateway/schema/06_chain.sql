-- The tokens' contracts, authorizations, relayer accounts and their transactions, and how far the chain was read.
-- Addresses are EIP-55 checksummed text; hashes are 32 bytes.

-- A rule about one column is in its domain; 07_payments.sql says why.
CREATE DOMAIN authorization_kind AS text CONSTRAINT authorization_kind_known
    CHECK (VALUE IN ('transfer', 'redemption', 'mint', 'sweep'));
CREATE FUNCTION batch_of(kind authorization_kind) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN CASE kind WHEN 'mint' THEN 'mint' ELSE 'settle' END;
CREATE DOMAIN authorization_state AS text CONSTRAINT authorization_state_known
    CHECK (VALUE IN ('unsigned', 'queued', 'submitted', 'settled', 'skipped', 'expired'));
CREATE DOMAIN authorization_signer AS text CONSTRAINT authorization_signer_known
    CHECK (VALUE IN ('gateway', 'owner', 'contract'));
CREATE DOMAIN unix_seconds AS bigint CONSTRAINT unix_seconds_not_negative CHECK (VALUE >= 0);

-- The token contract of each asset.
CREATE TABLE contract (
    asset text PRIMARY KEY REFERENCES asset (code),
    chain_id bigint NOT NULL,
    address text NOT NULL,
    deployed_block bigint NOT NULL,
    genesis_hash bytea NOT NULL        -- of block 0: tells one local chain from another with the same id
);

-- The next EIP-3009 nonce of an address: assigned in order, so that the contract's bitmap words fill up.
CREATE TABLE authorization_nonce (
    asset text NOT NULL REFERENCES asset (code),
    address text NOT NULL,
    next numeric NOT NULL DEFAULT 0,
    closed boolean NOT NULL DEFAULT false,     -- its wallet no longer uses the address
    PRIMARY KEY (address, asset)       -- the address first: it is more selective than the asset
) WITH (fillfactor = 50);  -- as of account: each payment changes a row

-- An authorization lets a token move. It is an EIP-3009 message signed by the payer (a redemption is one to the contract
-- itself), or a mint, which has a single-use reference in place of the nonce and a zero `from_address`. It needs no foreign
-- key to asset: its asset has a contract, which has one. 13_recovery.sql adds the trigger authorization_in_recovery.
CREATE TABLE token_authorization (
    id uuid PRIMARY KEY,
    kind authorization_kind NOT NULL,
    asset text NOT NULL,
    from_address text NOT NULL,
    to_address text NOT NULL,
    value amount NOT NULL,
    nonce numeric NOT NULL,
    valid_before bigint NOT NULL,      -- Unix seconds; a mint is not batched after it, since the contract does not check it
    signature bytea,
    state authorization_state NOT NULL DEFAULT 'queued',
    transaction_id uuid,               -- the chain_transaction that carries it, or did last if it was queued again
    reason text,                       -- why it was skipped; before it has ended, what needs attention
    created_at timestamptz NOT NULL,
    frozen boolean NOT NULL DEFAULT false,   -- while it is queued: not batched and not expired before an unfreeze
    signed_by authorization_signer NOT NULL DEFAULT 'gateway', -- who is to sign; never changed afterwards
    -- From when it may be settled, in Unix seconds. External wallets sign a time in the past; the gateway signs 0.
    valid_after unix_seconds NOT NULL DEFAULT 0,
    CONSTRAINT token_authorization_used_once UNIQUE (from_address, asset, nonce),
    CONSTRAINT token_authorization_signed_by_its_payer
        CHECK (signed_by = 'gateway' OR state NOT IN ('queued', 'submitted') OR signature IS NOT NULL)
);
-- Queued authorizations by kind of batch, so that the oldest of one kind are found without reading the other kind.
CREATE INDEX token_authorization_queue ON token_authorization (asset, batch_of(kind), id) WHERE state = 'queued';
CREATE INDEX token_authorization_due ON token_authorization (asset, valid_before)
    WHERE state IN ('queued', 'submitted');
CREATE TRIGGER token_authorization_is_kept BEFORE DELETE OR TRUNCATE ON token_authorization
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Queues authorizations with their nonces; the one writer of those that come without a signature. Those that the gateway does not
-- sign wait for it. Each argument but the time has one element per authorization. `kind` is NULL if all are transfers, `reference`
-- if none is a mint (a mint has one in place of a nonce, and the zero address as payer), and `signed_by` if the gateway signs all.
--
-- The nonces of each payer are locked in order, and follow the order of the authorizations without a gap. If a payer
-- was bound to another address since `from_address` was read, its nonces there are closed: then nothing is queued, and
-- the caller starts again (40001). Sweeps, which come alone, are from such addresses.
CREATE FUNCTION queue_authorizations(
    at timestamptz, id uuid[], kind text[], asset text[], from_address text[], to_address text[], value numeric[],
    reference numeric[], valid_before bigint[], signed_by text[]
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    next numeric[];  -- per payer, by asset and address: the nonce after the last one taken here
    some_closed boolean;
BEGIN
    WITH taken AS (
        INSERT INTO authorization_nonce AS handed_out (asset, address, next)
        SELECT new.asset, new.address, count(*)
        FROM unnest(asset, from_address, reference) AS new (asset, address, reference)
        WHERE new.reference IS NULL
        GROUP BY new.asset, new.address
        ORDER BY new.asset, new.address
        ON CONFLICT (asset, address) DO UPDATE SET next = handed_out.next + excluded.next
        RETURNING asset, address, next, closed
    )
    SELECT array_agg(taken.next ORDER BY taken.asset, taken.address), bool_or(taken.closed) INTO next, some_closed FROM taken;
    IF some_closed AND kind[1] IS DISTINCT FROM 'sweep' THEN
        RAISE EXCEPTION 'a payer has another address now' USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO token_authorization (id, kind, asset, from_address, to_address, value, nonce, valid_before, created_at,
        signed_by, state)
    SELECT new.id, coalesce(new.kind, 'transfer'), new.asset, new.giver, new.taker, new.value,
        coalesce(new.reference, next[new.place] - new.left), new.valid_before, at, coalesce(new.signed_by, 'gateway'),
        CASE WHEN new.signed_by <> 'gateway' THEN 'unsigned' ELSE 'queued' END
    FROM (
        SELECT *,
            dense_rank() OVER (ORDER BY reference IS NOT NULL, asset, giver)::integer AS place,
            count(*) OVER (PARTITION BY asset, giver ORDER BY n DESC) AS left  -- nonces are counted back from the next one
        FROM unnest(id, kind, asset, from_address, to_address, value, reference, valid_before, signed_by) WITH ORDINALITY
            AS one (id, kind, asset, giver, taker, value, reference, valid_before, signed_by, n)
    ) AS new;
END $$;

-- A relayer account, shared by the workers of several machines. Times are by the database's clock, since machines' clocks
-- differ.
CREATE TABLE relayer (
    address text PRIMARY KEY,
    chain_id bigint NOT NULL,
    next_nonce bigint NOT NULL,
    stopped text,                      -- why, when it is
    sent_nonce bigint NOT NULL DEFAULT 0,  -- every stored nonce below it was sent to a node, in order
    resent_at timestamptz,             -- when a worker last began to resend
    gas_checked_at timestamptz,        -- when a worker last began to check the gas balance
    suspect_nonce bigint,              -- a nonce that somebody else seems to have used,
    suspected_at timestamptz,          -- and since when
    low boolean NOT NULL DEFAULT false,    -- its gas balance runs out; reported once each time
    refused text,                      -- why the node refuses its transactions, in the node's words; NULL: it accepts them
    refused_nonce bigint,              -- of the first transaction that the node refuses
    refused_at timestamptz             -- since when it has refused it
);

-- Transactions of relayer accounts: one for each nonce, with one or more attempts.
CREATE TABLE chain_transaction (
    id uuid PRIMARY KEY,
    relayer text NOT NULL REFERENCES relayer (address),
    nonce bigint NOT NULL,
    kind text NOT NULL CONSTRAINT chain_transaction_kind_known CHECK (kind IN ('settle', 'mint', 'deploy', 'grant')),
    asset text NOT NULL REFERENCES asset (code),
    gas_limit bigint NOT NULL,
    first_hash bytea NOT NULL,         -- of its first attempt
    state text NOT NULL DEFAULT 'stored' CONSTRAINT chain_transaction_state_known
        CHECK (state IN ('stored', 'succeeded', 'reverted', 'overtaken')),  -- a transaction ends in a final block
    final_hash bytea,                  -- the attempt that was mined; NULL if another transaction took the nonce
    created_at timestamptz NOT NULL,
    concluded_at timestamptz,          -- when its receipt in a final block was seen
    CONSTRAINT chain_transaction_nonce_once UNIQUE (relayer, nonce)
);
CREATE INDEX chain_transaction_open ON chain_transaction (relayer, nonce) WHERE state = 'stored';
CREATE INDEX chain_transaction_reverted ON chain_transaction (asset, concluded_at) WHERE state = 'reverted';

-- The authorizations that were submitted, each with the hash of the chain transaction that carries it, or that carried it last if
-- it was queued again.
CREATE VIEW submission AS
    SELECT carried.id AS authorization_id, '0x' || encode(sent.first_hash, 'hex') AS tx_hash
    FROM token_authorization AS carried JOIN chain_transaction AS sent ON sent.id = carried.transaction_id;

-- Raw bytes, stored before they are sent and only ever sent again as stored.
CREATE TABLE attempt (
    hash bytea PRIMARY KEY,
    transaction_id uuid NOT NULL REFERENCES chain_transaction (id),
    raw bytea NOT NULL,
    fee_wei_max numeric NOT NULL,
    tip_wei_max numeric NOT NULL,
    created_at timestamptz NOT NULL
);
ALTER TABLE attempt ALTER COLUMN raw SET STORAGE EXTERNAL;   -- compression took 4 µs per payment
CREATE INDEX attempt_of_transaction ON attempt (transaction_id);

-- How far the chain was read: everything up to and including this final block is in the ledger.
CREATE TABLE chain_cursor (
    chain_id bigint PRIMARY KEY,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    timestamp bigint NOT NULL          -- the block's, Unix seconds
);

-- Every final Transfer log, once, with the ledger transfer that posted it, if any. It needs no foreign keys: the same
-- transaction posts the transfer, and its asset is that of a contract.
CREATE TABLE observation (
    chain_id bigint NOT NULL,
    block_hash bytea NOT NULL,
    log_index integer NOT NULL,
    block_number bigint NOT NULL,
    transaction_hash bytea NOT NULL,
    asset text NOT NULL,
    from_address text NOT NULL,
    to_address text NOT NULL,
    value numeric NOT NULL,
    transfer_id uuid,
    -- The hash alone identifies a block; its number comes first so that the blocks of a range are found together.
    CONSTRAINT observation_once PRIMARY KEY (chain_id, block_number, block_hash, log_index)
);
CREATE INDEX observation_of_transfer ON observation (transfer_id);
CREATE TRIGGER observation_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON observation
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
