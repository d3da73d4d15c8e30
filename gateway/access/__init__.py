"""Who may act, and how they show it.

ceremony.py  what a browser and its authenticator say of a passkey, judged      (pure)
passkey.py   challenges, and the passkeys that answer them
access.sql   the statements of the room
"""
