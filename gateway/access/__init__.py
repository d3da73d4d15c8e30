"""Who may act, and how they show it.

ceremony.py  what a browser and its authenticator say of a passkey, judged      (pure)
passkey.py   challenges, and the passkeys that answer them
recovery.py  codes for who has lost every passkey
ethereum.py  signing in with the Ethereum wallet that a handle is bound to
session.py   who has signed in, on which device, and until when
access.sql   the statements of the room
"""
