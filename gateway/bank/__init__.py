"""Money in from the bank, money out to it. The bank is a sandbox; a real one will have the same two operations.

movements.py       deposits and withdrawals, many at once: each a line at the bank and a transfer in the ledger
sandbox.py         a bank of one table: it books at once, and keeps a statement with balances
full_reconciliation.py  recount the ledger, reconcile it with the chain and the bank; unfreeze withdrawals after that
bank.sql           the statements of the package
"""
