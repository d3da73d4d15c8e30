"""The ledger: who has what, and how it came to be.

True at every commit, whatever ran at once:
  - a transfer is one row: it debits one account and credits another, of the same asset, by the same amount;
  - a transfer, once written, is never changed or removed;
  - a guarded account's `available` (posted less what is set aside) is not brought below zero by anybody's intent;
  - account n's entries are numbered 1, 2, 3, … without a gap, each with the balance after it, times never going back.

A batch is the unit: many transfers, one PostgreSQL transaction, one answer per transfer, in order. Accounts are locked
in id order, so two batches never wait for each other in a ring. Each account is written once per batch, however often
it is used in it: that is what keeps a hot account fast.

    transfer.py   what a transfer may become            (pure)
    account.py    system accounts, sides, balances (pure)
    ledger.py       open, post, hold, capture, void, expire, balances, statement
    ledger.sql      the statements of ledger.py; those that write are `ledger_write`, and `ledger_end` where holds end
                  and nothing else (schema/02_ledger_writers.sql)
    recount.py    recount the whole ledger and name every difference

Knows money. Does not know people, payments, HTTP or chains.
"""
