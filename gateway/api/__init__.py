"""HTTP and JSON: decode, call one function of a room, encode. No rule about money is here.

app.py        the application: routes, limits, OpenAPI
server.py     the HTTP server that the application runs in
fast_payments.py      the fast path of payments: read, pay in a shared commit, answer
payment_protocol.py   where it is entered: inside the HTTP connection, before ASGI
body.py       a request's body, read strictly: one flat JSON object
house.py      what a handler is handed: database, terms, vault, node, clock; and who is calling
shapes.py     what comes in and goes out, as msgspec structs
views.py      a shape from each room's values
cursor.py     where the next page of a list goes on
once.py       the Idempotency-Key of a call that moves money, and the calls that share commits
problems.py   the one table from error to status and problem type (RFC 9457)
meanings.py   what each of its codes means, for people
request_id.py X-Request-Id
openapi.py    what the document says beyond the handlers' types: the problems of every route
cookie.py     the cookie that a session lies in, and where its requests may come from
signing_in.py what comes in and goes out where people sign in
handles.py wallets.py addresses.py payments.py authorizations.py bulk.py bank.py public.py    the routes
passkeys.py sessions.py operators.py    the routes of signing in, and the operators
"""
