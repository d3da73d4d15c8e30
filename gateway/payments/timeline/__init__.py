"""A payment's timeline, for operators: what each step did, from the request to the notifications.

step.py       what a step is
rows.py       what the tables have of one payment, read by its ids
timeline.py   the steps that follow from that, in the order of time     (pure)
find.py       payments to choose from: the newest of all

Nothing is written here, and nothing is kept for it: a step is told where a row of the ledger, the chain, the event log,
the webhooks, the notifications or the audit log says it.
"""
