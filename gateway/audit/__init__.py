"""The audit log: every action that matters to security and who did it, in the transaction that does it.

    log.py     append, and list
    audit.sql  the statements of the room

An audit event has a kind (`wallet.key_exported`), the wallet it concerns, who did it (`By`), a subject and a few facts.
What money did is in the event log already. No secret is in either, and nothing that people say to each other.
"""
