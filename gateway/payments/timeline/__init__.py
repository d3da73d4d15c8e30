"""A payment's timeline, for operators: what each step did, from the request to the notifications.

step.py       what a step is
rows.py       the rows of one payment, read by its ids
timeline.py   the steps derived from those rows, in order of time       (pure)
find.py       the newest payments of all wallets, to choose from

Nothing is written here, and nothing is stored for it: each step is derived from a row of the ledger, the chain, the
event log, the webhooks, the notifications or the audit log.
"""
