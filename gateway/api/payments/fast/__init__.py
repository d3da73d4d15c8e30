"""The fast path of payments, captures, voids and refunds: read, do it in a commit that requests share, answer.

An ordinary Litestar handler spends more processor time on itself than a payment costs. Requests come from
payment_protocol.py, inside the HTTP connection. They are decoded and answered by the same types as in the ordinary
handlers, but nothing is routed or injected.

fast_payments.py  finds the handler, submits to its group commit, falls back to the checked handler and the ordinary one
routes.py         the routes, and the handlers of each in the order in which they are tried
handler.py        what a handler of the fast path is

settled.py        ledger payments that settle at once
held.py           payments whose money is held first: holds, and tokens
ends.py           captures, voids and refunds
checked.py        all of these where a rule may have something to say

head.py           who calls, and the idempotency key
request.py        what is asked for
view.py           what is answered of a payment
counts.py         rate limits, when an API key was last used, metrics of payments

An API key counts as plain until the statement of a handler finds that it is not. The ordinary handler answers what is
not handled here: payers who sign with their own key, API keys limited to networks, sessions whose token is due for
renewal, used idempotency keys, unknown payees, unknown or rate-limited callers, and malformed requests.
"""
