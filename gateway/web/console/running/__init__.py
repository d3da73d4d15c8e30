"""How the gateway runs, a page each.

overview.py    the first page, with attention.py, what needs somebody, and totals.py, what there is
payments.py    all payments, and the life of one, whose steps.py says in words
relayers.py    the chain and the relayers
deliveries.py  webhooks that fail, and notices that wait
health.py      checks, queues and sizes
states.py      states of relayers, checks and deliveries in words
"""
