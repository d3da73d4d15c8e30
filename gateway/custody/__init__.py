"""Custody of the wallets' private keys: signing for their owners, export, and addresses that owners bind themselves.

    wallet_keys.py        sign for custodial wallets; check the master key and the root key of this database
    rotation.py           rotate the master key: re-encrypt every key under a new one
    export.py             export a wallet's private key to its owner
    binding_challenge.py  the challenge that an owner signs to bind an address
    bind.py               bind an owner's address to a wallet, replacing its current one
    close.py              close a wallet permanently
    claim.py              claim a handle with an address that its owner already has
    sweep.py              move tokens from a wallet's previous address to its current one
    settle_sweeps.py      settle sweeps, for gateway/settlement/

A private key is stored only encrypted under a master key, and bound to its wallet's id. The master key is kept outside
the database.
"""
