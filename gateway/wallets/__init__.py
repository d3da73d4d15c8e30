"""Who: a handle maps to one wallet; a wallet has the address that it is paid at, those it had before, and API keys.

    handle.py     what a handle may be                         (pure)
    wallet.py     claim a handle; find a wallet by handle, address or API key
    challenge.py  what somebody signs to bind an address of their own
    custody.py    sign with the sealed keys of custodial wallets
    rotation.py   seal every key anew under another master key
    export.py     hand a wallet's key to its owner

An address is one wallet's for ever. Its key is the gateway's, sealed; or its owner's; or it is a contract. Tokens at
the current address are the wallet's, and so are those at the one whose key the gateway keeps.

An API key is shown once, when it is made, and stored only as its SHA-256; a private key is stored only sealed under
a master key, which lies outside the database, and bound to its wallet's id.
"""
