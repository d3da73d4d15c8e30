"""How people sign up and sign in.

sign_up.py         a handle and its first passkey, in one transaction
passkey.py         the passkeys of a wallet, and the challenges that they answer
ceremony.py        what a browser and its authenticator say of a passkey, judged   (pure)
challenge.py       what passkeys are asked to sign, and for how long
session.py         who has signed in, on which device, and until when
ethereum.py        signing in with the Ethereum wallet that a handle is bound to
ethereum_claim.py  claiming a handle with one
siwe.py            Sign-In with Ethereum (EIP-4361): the exact text                 (pure)
recovery_codes.py  ten codes for somebody who has lost every passkey
"""
