"""How payments end, and what becomes of them afterwards.

capture_void.py          capture, void, expire: the ends of a held payment
refund.py                give a settled payment back, whole or in part
plain_ends.py            captures, voids and refunds about which no rule has anything to say, many in one statement
undo_window.py           the end of the time in which a token payment can be stopped
report_unauthorized.py   a payment that was somebody else's doing: its wallet is frozen
"""
