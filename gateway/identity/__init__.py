"""Identity: who a caller is, and what they may do. A handle maps to one wallet.

    handle.py       fold and validate handles                            (pure)
    wallet.py       claim a handle; find a wallet by handle or address
    scope.py        the scopes of keys and sessions                      (pure)
    credential.py   an authenticated caller, and what it may do          (pure)
    api_key.py      API keys, which programs authenticate with
    rate_limits.py  rate limits, counted for all gateways together
    label.py        names that people give to things                     (pure)
    sign_in/        sign-up, passkeys, sessions, Ethereum wallets, recovery codes

An address belongs to one wallet permanently. Its key is kept by the gateway or by its owner, or it is a contract. An
API key is shown once, when it is created, and stored only as its SHA-256.
"""
