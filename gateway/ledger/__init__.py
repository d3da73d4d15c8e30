"""The ledger: accounts and the transfers between them.

Invariants at every commit, whatever runs concurrently:
  - a transfer is one row: it debits one account and credits another, of the same asset, by the same amount;
  - a transfer, once written, is never changed or removed;
  - no hold or conditional transfer brings a guarded account's `available` (posted less pending) below zero;
  - an account's entries are numbered 1, 2, 3, … without a gap, each with the balance after it; times never decrease.

Transfers are written in batches: many transfers, one PostgreSQL transaction, one result per transfer, in order.
Accounts are locked in id order, so two batches cannot deadlock. Each account is written once per batch, however often
the batch uses it: that keeps a hot account fast.

    transfer.py   states of a transfer                  (pure)
    account.py    kinds, sides, balances                (pure)
    ledger.py     open, post, hold, capture, void, expire, balances, statement
    ledger.sql    the statements of ledger.py; those that write are `ledger_write`, and `ledger_end` for ends of
                  holds that share no account with the batch's transfers (schema/02_ledger_writers.sql)
    recount.py    recount the whole ledger and name every difference

Depends on money; knows no people, payments, HTTP or chains.
"""
