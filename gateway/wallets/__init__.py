"""Who: a handle maps to one wallet; a wallet has one address on the chain, its sealed key, and API keys.

    handle.py     what a handle may be                         (pure)
    wallet.py     claim a handle; find a wallet by handle, address or API key
    custody.py    sign with the sealed keys of custodial wallets
    wallets.sql   the statements of the room

An API key is shown once, when it is made, and stored only as its SHA-256; a private key is stored only sealed under
the master key, which lies outside the database, and bound to its wallet's id.
"""
