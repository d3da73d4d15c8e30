"""The HTTP API: decode, call one function of a package, encode. No rule about money is here.

app.py               the application: routes, limits, OpenAPI
server.py            the HTTP server that it runs in
payment_protocol.py  POST /v1/payments, answered inside the HTTP connection, before ASGI
fields.py            types of fields that several subjects share
openapi/             what the OpenAPI document says beyond the handlers' types
examples.py          its examples, and one of every problem
example_values.py    the people, amounts and times in them
metrics.py           what a server exports
methods.py           HEAD, OPTIONS and the Allow header

A folder for each subject has its routes, what comes in and goes out (shapes.py), how answers are made from the
packages' own values (views.py) and examples of both (examples.py):

requests/   requests for money
payments/   payments, batches, mandates, approvals, authorizations, the bank
identity/   handles, sign-up, sign-in, sessions, passkeys, API keys, addresses
wallets/    balances and statements
events/     list and stream a wallet's events
webhooks/   webhook endpoints and their deliveries
operators/  what operators propose and approve
status/     solvency and health
"""
