"""The ends of payments: capture, void, expiry, refund, and the report of an unauthorized one.

capture_void.py          capture, void, expire: the ends of a held payment
refund.py                refund a settled payment, in full or in part
plain_ends.py            captures, voids and refunds to which no check applies, many in one statement
undo_window.py           queues token payments whose undo window has ended
report_unauthorized.py   report a payment as unauthorized, which freezes the wallet
"""
