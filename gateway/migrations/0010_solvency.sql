-- The book held against the chain and the bank, all the time: how far, what differed, and which withdrawals are stopped.

-- Whose turn it is to look, one row per chain. Times are this database's own clock: machines' differ.
CREATE TABLE solvency_look (
    chain_id bigint PRIMARY KEY,
    number bigint NOT NULL DEFAULT -1,  -- whatever final blocks up to this one moved has been looked at
    turn bigint NOT NULL DEFAULT 0,     -- counts the turns: what was found in one that is over is not written
    taken_at timestamptz,               -- since when somebody is looking
    all_at timestamptz                  -- when every wallet was looked at last
);

-- What did not agree. A first look suspects, a second one confirms; what a second look does not find is forgotten.
CREATE TABLE difference (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    asset text NOT NULL REFERENCES asset (code),   -- whose withdrawals it stops
    against text NOT NULL,              -- what the book was held against: balanceOf, totalSupply, the bank's statement, …
    block bigint,                       -- the final block that the chain was asked at; none: it was not asked
    book units NOT NULL,
    other units NOT NULL,
    seen_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    ended_at timestamptz,               -- when the freeze was lifted, by which it was there no more
    CONSTRAINT difference_is_one CHECK (book <> other)
);
CREATE UNIQUE INDEX difference_once ON difference (account, against) WHERE ended_at IS NULL;

CREATE TABLE withdrawal_freeze (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asset text NOT NULL REFERENCES asset (code),
    frozen_at timestamptz NOT NULL,
    lifted_at timestamptz
);
CREATE UNIQUE INDEX withdrawal_freeze_once ON withdrawal_freeze (asset) WHERE lifted_at IS NULL;

-- Whether an authorization that is queued is put into no batch, and does not expire, until a freeze is lifted.
ALTER TABLE token_authorization ADD COLUMN withheld boolean NOT NULL DEFAULT false;

-- For what the blocks since the last look moved.
CREATE INDEX observation_of_block ON observation (chain_id, block_number);
