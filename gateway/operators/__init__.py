"""Operators, and the operations that two of them carry out together.

operators.py         add operators, set their roles, revoke them
sign_in.py           enrolment and sign-in
proposals.py         proposals by one operator
approvals.py         approvals by another, and the break-glass commands at the machine
roles.py             the roles and their rights
link.py              links that open the console of a sandbox once
errors.py            errors of operators' actions
wallet_record.py     a wallet as operators see it
repairs.py           repairs of the gateway itself: after a restore, or corrections of the ledger
repair_proposal.py   proposals of repairs
"""
