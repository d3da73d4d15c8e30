-- The token and the node: contracts, authorizations, lanes and what they sent, and how far the chain was read.
-- Addresses are EIP-55 checksummed text; hashes are 32 bytes.

CREATE TABLE contract (
    asset text PRIMARY KEY REFERENCES asset (code),
    chain_id bigint NOT NULL,
    address text NOT NULL,
    deployed_block bigint NOT NULL,
    genesis_hash bytea NOT NULL        -- of block 0: tells one local chain from another with the same id
);

-- The next EIP-3009 nonce of an address: handed out in order, so that the contract's bitmap words fill up.
CREATE TABLE authorization_nonce (
    asset text NOT NULL REFERENCES asset (code),
    address text NOT NULL,
    next numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (asset, address)
);

-- What lets a token move: an EIP-3009 message signed by the payer (a redemption is one to the contract itself), or a
-- mint, whose single-use reference stands in the place of the nonce and whose `from_address` is zero.
CREATE TABLE token_authorization (
    id uuid PRIMARY KEY,
    kind text NOT NULL CONSTRAINT token_authorization_kind_known CHECK (kind IN ('transfer', 'redemption', 'mint')),
    asset text NOT NULL REFERENCES asset (code),
    from_address text NOT NULL,
    to_address text NOT NULL,
    value amount NOT NULL,
    nonce numeric NOT NULL,
    valid_before bigint NOT NULL,      -- Unix seconds; of a mint the contract knows none, so we batch none after it
    signature bytea,
    state text NOT NULL DEFAULT 'queued' CONSTRAINT token_authorization_state_known
        CHECK (state IN ('queued', 'submitted', 'settled', 'skipped', 'expired')),
    transaction_id uuid,               -- the ChainTransaction that carries it
    reason text,                       -- why it was skipped; while it has no end, what somebody has to look at
    created_at timestamptz NOT NULL,
    CONSTRAINT token_authorization_used_once UNIQUE (asset, from_address, nonce)
);
CREATE INDEX token_authorization_queue ON token_authorization (asset, id) WHERE state = 'queued';
CREATE INDEX token_authorization_batch ON token_authorization (transaction_id) WHERE state = 'submitted';
CREATE INDEX token_authorization_due ON token_authorization (asset, valid_before)
    WHERE state IN ('queued', 'submitted') AND reason IS NULL;

CREATE TABLE lane (
    address text PRIMARY KEY,
    chain_id bigint NOT NULL,
    next_nonce bigint NOT NULL,
    stopped text                       -- why, when it is
);

CREATE TABLE chain_transaction (
    id uuid PRIMARY KEY,
    lane text NOT NULL REFERENCES lane (address),
    nonce bigint NOT NULL,
    kind text NOT NULL CONSTRAINT chain_transaction_kind_known CHECK (kind IN ('settle', 'mint', 'deploy')),
    asset text NOT NULL REFERENCES asset (code),
    gas_limit bigint NOT NULL,
    state text NOT NULL DEFAULT 'stored' CONSTRAINT chain_transaction_state_known
        CHECK (state IN ('stored', 'succeeded', 'reverted', 'overtaken')),  -- each end is of a final block
    final_hash bytea,                  -- the attempt that was mined; none where somebody else's took the nonce
    created_at timestamptz NOT NULL,
    concluded_at timestamptz,          -- when its receipt in a final block was seen
    CONSTRAINT chain_transaction_nonce_once UNIQUE (lane, nonce)
);
CREATE INDEX chain_transaction_open ON chain_transaction (lane, nonce) WHERE state = 'stored';

CREATE INDEX chain_transaction_reverted ON chain_transaction (asset, concluded_at) WHERE state = 'reverted';

-- Raw bytes, stored before they are sent and only ever sent again as stored.
CREATE TABLE attempt (
    hash bytea PRIMARY KEY,
    transaction_id uuid NOT NULL REFERENCES chain_transaction (id),
    raw bytea NOT NULL,
    fee_wei_max numeric NOT NULL,
    tip_wei_max numeric NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX attempt_of_transaction ON attempt (transaction_id);

-- How far the chain was read: everything up to and including this final block is in the book.
CREATE TABLE chain_cursor (
    chain_id bigint PRIMARY KEY,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    timestamp bigint NOT NULL          -- the block's, Unix seconds
);

-- Every final Transfer log that was posted, once. The book's transfer that posted it, where one did.
CREATE TABLE observation (
    chain_id bigint NOT NULL,
    block_hash bytea NOT NULL,
    log_index integer NOT NULL,
    block_number bigint NOT NULL,
    transaction_hash bytea NOT NULL,
    asset text NOT NULL REFERENCES asset (code),
    from_address text NOT NULL,
    to_address text NOT NULL,
    value numeric NOT NULL,
    transfer_id uuid REFERENCES transfer (id),
    CONSTRAINT observation_once PRIMARY KEY (chain_id, block_hash, log_index)
);
CREATE TRIGGER observation_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON observation
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
