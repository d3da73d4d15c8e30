"""How the gateway runs, for operators: a payment's timeline, solvency over time, relayers, failing webhooks, health.

Two calls change something: a stopped relayer is resumed, and a failing webhook is retried.

routes.py    all of them, as the application takes them
payments.py  all payments, and the timeline of one
solvency.py  what there is of each token, and what there was
relayers.py  the relayers; a stopped one goes on
webhooks.py  endpoints that fail; one is tried again
health.py    queues, lag, backlogs, sizes and checks
shapes.py    what comes in and goes out
views.py     how answers are made from the packages' own values
examples.py  examples of both in the OpenAPI document
"""
