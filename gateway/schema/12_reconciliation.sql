-- Reconciliation of the ledger with the chain and the bank: its progress, and the differences found.

-- The reconciliation of each chain, one row per chain. Times are by the database's clock, since machines' clocks differ.
CREATE TABLE reconciliation_run (
    chain_id bigint PRIMARY KEY,
    number bigint NOT NULL DEFAULT -1,  -- final blocks up to this one are reconciled
    run bigint NOT NULL DEFAULT 0,      -- counts the runs: a run that was overtaken writes no findings
    taken_at timestamptz,               -- when the current run began
    all_at timestamptz                  -- when every wallet was last reconciled
);

-- Differences. One run suspects a difference and the next confirms it; one that the next does not find is deleted.
CREATE TABLE difference (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    asset text NOT NULL REFERENCES asset (code),   -- its withdrawals are frozen once the difference is confirmed
    against text NOT NULL,              -- what the ledger was reconciled with: balanceOf, totalSupply, a bank statement
    block bigint,                       -- the final block at which the chain was read; NULL: it was not read
    ledger units NOT NULL,
    other units NOT NULL,
    seen_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    ended_at timestamptz,               -- when withdrawals were unfrozen, once the difference was gone
    CONSTRAINT difference_is_one CHECK (ledger <> other)
);
CREATE UNIQUE INDEX difference_once ON difference (account, against) WHERE ended_at IS NULL;

-- The totals of each token, once an hour and whenever its differences have changed (reconciliation/history.py).
CREATE TABLE solvency_point (
    asset text NOT NULL REFERENCES asset (code),
    at timestamptz NOT NULL,
    block bigint,                       -- the final block that the ledger was at
    supply units NOT NULL,
    wallets units NOT NULL,
    outside units NOT NULL,
    reserve units NOT NULL,             -- of the currency that backs it
    difference units NOT NULL,          -- the sum of the differences within the ledger
    unreconciled units NOT NULL,        -- the sum of all confirmed differences: with the chain, the bank and within the ledger
    CONSTRAINT solvency_point_pkey PRIMARY KEY (asset, at),
    CONSTRAINT solvency_point_differs_by_some CHECK (difference >= 0 AND unreconciled >= 0)
);
