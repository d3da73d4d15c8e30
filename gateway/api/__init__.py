"""The HTTP API: decode, call one function of a package, encode. It contains no rule about money.

app.py               the application: routes, limits, OpenAPI
server.py            the HTTP server that it runs in
payment_protocol.py  POST /v1/payments, answered inside the HTTP connection, before ASGI
fields.py            types of fields that several subjects share
openapi/             the OpenAPI document, made from the routes and their types
examples.py          the examples in it, and one of every problem
example_values.py    the people, amounts and times in them
metrics.py           the metrics of a server
methods.py           HEAD, OPTIONS and the Allow header

Each subject has a folder with its routes, the types of its requests and answers (shapes.py), functions that make
answers from the packages' values (views.py), and examples (examples.py):

requests/   requests for money
payments/   payments, batches, mandates, approvals, authorizations, the bank
identity/   handles, sign-up, sign-in, sessions, passkeys, API keys, addresses
wallets/    balances and statements
events/     list and stream a wallet's events
webhooks/   webhook endpoints and their deliveries
operators/  operators: sign-in, proposals and approvals, search, how the gateway runs
status/     solvency and health
"""
