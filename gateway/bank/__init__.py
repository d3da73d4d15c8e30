"""Money in from the bank, money out to it. Today's bank is a sandbox; a real one stands behind the same two verbs.

movements.py   deposits and withdrawals, many at once: the bank's line and the ledger's transfer, one for one
sandbox.py     a bank of one table: it books at once what it is told, and keeps a statement with balances
comparison.py  everything compared with the chain and the bank; letting withdrawals go on after that
bank.sql       the statements of the room
"""
