"""What a payment has to pass before its money moves. One file for each check, one list of them, in one order.

checks.py             the list, and deciding a group of payments by it
check.py              what a check is
caps.py               what an API key with caps may pay       (its centre is pure)
withdrawal_freeze.py  withdrawals that are stopped by a difference
wallet_freeze.py      no money leaves a frozen wallet
policy.py             which payments need an approval         (its centre is pure)
mandate.py            what somebody may draw from another's wallet
grant_approval.py     a passkey stands behind what keys with caps and mandates pay
spending.py           what counts against limits over time, in buckets
"""
