"""Keeping the wallets' private keys, and signing with them for their owners.

    wallet_keys.py        sign for custodial wallets; which master and root key this database belongs to
    rotation.py           re-encrypt every key under another master key
    export.py             hand a wallet's private key to its owner
    binding_challenge.py  what somebody signs to bind an address of their own
    bind.py               an address of its owner's own, in the place of a wallet's
    close.py              a wallet is closed for ever
    claim.py              a handle that is claimed with an address of its owner's own
    sweep.py              tokens that follow their wallet to it
    settle_sweeps.py      how sweeps settle, for gateway/settlement/

A private key is stored only encrypted under a master key, which lies outside the database, and bound to its
wallet's id.
"""
