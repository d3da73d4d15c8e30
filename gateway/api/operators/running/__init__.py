"""How the gateway runs, for operators: a payment's timeline, solvency over time, relayers, failing webhooks, health.

Two calls change something: a stopped relayer is resumed, and a failing webhook is retried.

routes.py    the list of all routes, for the application
payments.py  all payments, and the timeline of one
solvency.py  the totals of each token, now and over time
relayers.py  list relayers; resume a stopped one
webhooks.py  list failing endpoints; retry one
health.py    queues, lag, backlogs, sizes and checks
shapes.py    the types of requests and answers
views.py     functions that make answers from the packages' values
examples.py  examples of both in the OpenAPI document
"""
