"""Reconcile the ledger with the chain and the bank: name every difference, and freeze withdrawals if one is confirmed.

solvency.py   the comparison: every wallet with balanceOf, supply with totalSupply, reserves with supply
monitor.py    continuous reconciliation: the lease of a run, suspected and confirmed differences
history.py    the totals of each token over time
unfreeze.py   unfreeze withdrawals of an asset
reread.py     read final blocks again, and post what the ledger lacks
recovery.py   detect and read payments that are on the chain but missing from a restored database
readiness.py  whether a payment would be accepted now
diagnosis.py  the diagnostics that a running process can run
health.py     queues, lag, backlogs and sizes, as they are now
"""
