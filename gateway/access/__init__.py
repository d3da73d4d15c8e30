"""Who may act, and how they show it.

credential.py  what a caller has shown, and what it may do with it              (pure)
ceremony.py    what a browser and its authenticator say of a passkey, judged    (pure)
challenge.py   what passkeys are asked to sign, and for how long                (pure)
label.py       what people call things, as lists and logs can have it           (pure)
api_key.py     what programs act with
limits.py      how often one may try, counted for all gateways
passkey.py     the passkeys of wallets, and the challenges that they answer
recovery.py    codes for who has lost every passkey
ethereum.py    signing in with the Ethereum wallet that a handle is bound to
frozen.py      wallets that nothing leaves, and why
operators.py   people of the house, who act two together
repairs.py     what they do to the gateway itself: after a restore, or to correct the ledger
repair_proposal.py    how that is proposed
session.py     who has signed in, on which device, and until when
"""
