"""Routes that move money, and those that decide about it.

payments.py        pay, preview, look, list, capture, void, refund
fast/              the fast path of payments, captures, voids and refunds: a file for each handler
batches.py         many payments in one call
authorizations.py  authorizations that were signed without the gateway
mandates.py        what an owner lets others draw, and drawing it
approvals.py       the policy of a wallet, and approving by a passkey
unauthorized.py    a payment that was somebody else's doing
bank.py            deposits, withdrawals, conversions
idempotency.py     the Idempotency-Key of a call that moves money, and the calls that share commits
shapes.py          what comes in and goes out
views.py           how answers are made from the packages' own values
examples.py        examples of both in the OpenAPI document
"""
