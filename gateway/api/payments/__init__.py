"""Routes that move money, and routes of policies, approvals and mandates.

payments.py        pay, preview, get, list, sign, capture, void, refund
fast/              the fast path of payments, captures, voids and refunds: a file for each handler
batches.py         many payments in one call
authorizations.py  authorizations that were signed without the gateway
mandates.py        grant, list and revoke mandates, and draw
approvals.py       a wallet's policy, and approvals by passkey
unauthorized.py    report a payment as unauthorized; unfreeze the wallet
bank.py            deposits, withdrawals, conversions
idempotency.py     the Idempotency-Key of calls that move money, and the batching of calls
shapes.py          the types of requests and answers
views.py           functions that make answers from the packages' values
examples.py        examples of both in the OpenAPI document
"""
