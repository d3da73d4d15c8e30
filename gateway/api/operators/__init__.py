"""Routes for the operators of the gateway: propose, approve, search, look at wallets and at the audit log.

operators.py     enrol and sign in; authenticate operators
proposals.py     propose and approve
search.py        search by handle, id, hash, address or e-mail
wallets.py       a wallet, as operators see it
audit_log.py     the audit log
withdrawals.py   list frozen withdrawals, and unfreeze them
shapes.py        the types of requests and answers
views.py         wallets, payments, withdrawals and audit events as operators see them
examples.py      examples of both in the OpenAPI document
"""
