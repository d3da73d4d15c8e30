"""Pages about how the gateway runs.

overview.py    the first page, with attention.py (matters that need attention) and totals.py (totals of tokens)
payments.py    all payments, and the timeline of one (steps.py: its steps in words)
relayers.py    the chain and the relayers
deliveries.py  failing webhooks, and pending notifications
health.py      checks, queues and sizes
states.py      states of relayers, checks and deliveries in words
"""
