"""The checks that a payment must pass before its money moves: one file each, and one ordered list.

checks.py             the list; decides a group of payments
check.py              what a check is
caps.py               what an API key with caps may pay       (`refusal` is pure)
withdrawal_freeze.py  withdrawals frozen after a reconciliation difference
wallet_freeze.py      no money leaves a frozen wallet
policy.py             which payments need an approval         (`decide` is pure)
mandate.py            what a payee may draw from another wallet
open_request.py       a payment of a request matches it, and a request is paid once
grant_approval.py     capped keys and mandates of a guarded wallet need a passkey's approval
spending.py           spending that counts against limits over time, in buckets
"""
