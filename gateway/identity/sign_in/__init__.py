"""Sign-up and sign-in.

sign_up.py         claim a handle with its first passkey, in one transaction
passkey.py         the passkeys of a wallet, and the challenges that they sign
passkey_verification.py  verify registrations and assertions (WebAuthn)      (pure)
challenge.py       the challenges of wallets' and operators' passkeys
session.py         sessions: sign-ins by device, with their expiry
ethereum.py        sign in with the Ethereum wallet that a handle is bound to
ethereum_claim.py  claim a handle with an Ethereum wallet
siwe.py            Sign-In with Ethereum (EIP-4361): the exact text                 (pure)
siwe_challenge.py  stored challenges: rebuild the text from the row, and compare it with a signed text
recovery_codes.py  ten codes for an owner who has lost every passkey
"""
