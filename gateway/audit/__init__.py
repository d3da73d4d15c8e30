"""The audit log: every action that matters to security and who did it, in the transaction that does it.

    log.py         append, and list
    checkpoint.py  a chain of keyed hashes over both logs
    row.py         how a row is hashed
    verify.py      both logs against their checkpoints
    audit.sql      the statements of this package

An audit event has a kind (`wallet.key_exported`), the wallet it concerns, who did it (`By`), a subject and
details.
What money did is in the event log already. No secret is in either, and nothing that people say to each other.
"""
