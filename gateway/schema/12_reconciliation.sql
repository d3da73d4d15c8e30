-- Reconciliation of the ledger with the chain and the bank: how far it is, and what differs.

-- Which worker reconciles a chain, one row per chain. Times are this database's clock: machines' clocks differ.
CREATE TABLE reconciliation_run (
    chain_id bigint PRIMARY KEY,
    number bigint NOT NULL DEFAULT -1,  -- everything that final blocks up to this one moved is reconciled
    run bigint NOT NULL DEFAULT 0,      -- counts the runs: findings of a run that is over are not written
    taken_at timestamptz,               -- when the current run began
    all_at timestamptz                  -- when every wallet was last reconciled
);

-- What differs. A first run suspects, a second confirms; what the second does not find is deleted.
CREATE TABLE difference (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    asset text NOT NULL REFERENCES asset (code),   -- whose withdrawals it stops
    against text NOT NULL,              -- what the ledger was reconciled with: balanceOf, totalSupply, a bank statement
    block bigint,                       -- the final block that the chain was read at; none: it was not read
    ledger units NOT NULL,
    other units NOT NULL,
    seen_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    ended_at timestamptz,               -- when withdrawals were unfrozen, once the difference was gone
    CONSTRAINT difference_is_one CHECK (ledger <> other)
);
CREATE UNIQUE INDEX difference_once ON difference (account, against) WHERE ended_at IS NULL;
