"""How the gateway runs, a page each.

overview.py    the first page, with attention.py, what needs somebody, and totals.py, what there is
payments.py    all payments, and the timeline of one, which steps.py puts into words
relayers.py    the chain and the relayers
deliveries.py  webhooks that fail, and notifications that wait
health.py      checks, queues and sizes
states.py      states of relayers, checks and deliveries in words
"""
