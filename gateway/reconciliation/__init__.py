"""Reconciles the ledger with the chain and the bank: names every difference, and stops withdrawals if one is confirmed.

solvency.py   the comparison: every wallet against balanceOf, supply against totalSupply, reserves against supply
monitor.py    that, all the time: who does the next run, what it found, what is confirmed
history.py    what there was of each token over time
unfreeze.py   let withdrawals of an asset go on
reread.py     final blocks read again, and what the ledger lacks of them
recovery.py   the chain has payments that a restored database has not
readiness.py  whether a payment would be taken now
diagnosis.py  what of an installation can be checked from inside, and what to do about it
health.py     queues, lag, backlogs and sizes, as they are now
"""
