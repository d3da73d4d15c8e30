"""The HTTP API: decode, call one function of a package, encode. No rule about money is here.

app.py               the application: routes, limits, OpenAPI
server.py            the HTTP server that it runs in
payment_protocol.py  POST /v1/payments, answered inside the HTTP connection, before ASGI
openapi.py           what the document says beyond the handlers' types
methods.py           HEAD, OPTIONS and the Allow header
idempotency.py       the Idempotency-Key of a call that moves money, and the calls that share commits
shapes.py views.py   what comes in and goes out, and how it is made from each package's values
payments/            payments, batches, mandates, approvals, authorizations, the bank
identity/            handles, sign-up, sign-in, sessions, passkeys, API keys, addresses
wallets.py public.py operators.py
"""
