"""The audit log: every security-relevant act, and who did it, in the same PostgreSQL transaction as the act.

    log.py     append, and list
    audit.sql  the statements of the room

An act has a kind (`wallet.key_exported`), the wallet it concerns, who did it (`By`), a subject and a few facts. What
money did is in the event log already. No secret is in either, and nothing that people say to each other.
"""
