"""The fast path of payments, captures, voids and refunds: read a request, execute it in a shared commit, answer it.

An ordinary Litestar handler spends more processor time on itself than a payment costs. Requests come from
payment_protocol.py, inside the HTTP connection. They are decoded and answered by the same types as in the ordinary
handlers, but nothing is routed or injected.

fast_payments.py  find the handler, submit to its group commit, fall back to the checked handler or the ordinary one
routes.py         the routes, with the handlers of each in the order in which they are tried
handler.py        the protocol of handlers

settled.py        ledger payments that settle at once
held.py           payments whose money is held first: holds, and tokens
ends.py           captures, voids and refunds
checked.py        all of these, if checks may apply

head.py           the caller's credential and the idempotency key
request.py        parse the request
view.py           the answer to a payment
counts.py         rate limits, when an API key was last used, metrics of payments

An API key is assumed to be plain until the statement of a handler finds that it is not. The ordinary handler answers
requests that are not handled here: payers who sign with their own key, API keys limited to networks, sessions whose
token is due for renewal, used idempotency keys, unknown payees, unknown or rate-limited callers, and malformed
requests.
"""
