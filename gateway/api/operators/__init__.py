"""Routes for the operators of the gateway: propose, approve, search, look at wallets and at the audit log.

operators.py     enrol, sign in; which operator is calling
proposals.py     propose and approve
search.py        one search for everything
wallets.py       a wallet, as operators see it
audit_log.py     who did what
withdrawals.py   frozen withdrawals, and unfreezing them
shapes.py        what comes in and goes out
views.py         wallets, payments, withdrawals and audit events as operators see them
examples.py      examples of both in the OpenAPI document
"""
