"""Who somebody is, and what they may do. A handle maps to one wallet.

    handle.py       what a handle may be                                  (pure)
    wallet.py       claim a handle; find a wallet by handle or address
    scope.py        what a key may do                                     (pure)
    credential.py   what a caller has shown, and what it may do with it   (pure)
    api_key.py      what programs act with
    rate_limits.py  how often somebody may try, counted for all gateways
    label.py        names that people give to things                      (pure)
    sign_in/        sign-up, passkeys, sessions, Ethereum wallets, recovery codes

An address is one wallet's for ever. Its key is kept by the gateway, or by its owner; or it is a contract. An API key is
shown once, when it is made, and stored only as its SHA-256.
"""
