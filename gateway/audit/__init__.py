"""The audit log: every security-relevant action and who did it, written in the transaction that does it.

    log.py         append, and list
    checkpoint.py  a chain of keyed hashes over both logs
    row.py         the hash of a row
    verify.py      verify both logs against their checkpoints
    audit.sql      the statements of this package

An audit event has a kind (`wallet.key_exported`), the wallet it concerns, who did it (`By`), a subject and details.
Movements of money are in the event log instead. Neither log has secrets, memos or messages.
"""
