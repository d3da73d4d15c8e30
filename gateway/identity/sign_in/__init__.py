"""Sign-up and sign-in.

sign_up.py         claim a handle with its first passkey, in one transaction
passkey.py         the passkeys of a wallet, and the challenges that they sign
ceremony.py        verify what a browser and its authenticator send   (pure)
challenge.py       what passkeys are asked to sign, and for how long
session.py         who has signed in, on which device, and until when
ethereum.py        sign in with the Ethereum wallet that a handle is bound to
ethereum_claim.py  claim a handle with an Ethereum wallet
siwe.py            Sign-In with Ethereum (EIP-4361): the exact text                 (pure)
siwe_challenge.py  a stored challenge: its text from its row, and whether a text that came back is the same
recovery_codes.py  ten codes for an owner who has lost every passkey
"""
