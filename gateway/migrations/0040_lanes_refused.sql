-- What a node answers to a lane's transaction that it does not take, so that somebody can be told. It decides nothing.

ALTER TABLE lane
    ADD COLUMN refused text,               -- in the node's words; NULL while it takes what it is sent
    ADD COLUMN refused_nonce bigint,       -- of the first transaction that it does not take
    ADD COLUMN refused_at timestamptz;     -- since when it has said so
