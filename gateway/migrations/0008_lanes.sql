-- Several lanes, shared by workers on several machines. The times of turns are this database's own clock: machines' differ.

ALTER TABLE lane
    ADD COLUMN sent_nonce bigint NOT NULL DEFAULT 0,   -- every stored nonce below it was handed to a node, in order
    ADD COLUMN resent_at timestamptz,                  -- when a worker last took the turn to look after it
    ADD COLUMN weighed_at timestamptz,                 -- when a worker last took the turn to look at its gas money
    ADD COLUMN suspect_nonce bigint,                   -- a nonce that seems to be used by others,
    ADD COLUMN suspected_at timestamptz,               -- and since when
    ADD COLUMN low boolean NOT NULL DEFAULT false;     -- its gas money runs out; said once each time

ALTER TABLE chain_transaction
    DROP CONSTRAINT chain_transaction_kind_known,
    ADD CONSTRAINT chain_transaction_kind_known CHECK (kind IN ('settle', 'mint', 'deploy', 'grant'));
