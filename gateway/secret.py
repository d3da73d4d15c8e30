"""Secrets that the gateway makes for others and stores only as hashes: API keys, tokens of sessions and links,
codes.
"""

import hashlib
import secrets


def new_secret(prefix: str) -> str:
    """Return 256 random bits in base64url, after a prefix that names the kind of secret, so that a leaked one is
    recognized.
    """
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hash_of(secret: str) -> bytes:
    """Return the stored form of a secret: its SHA-256, which can be neither guessed nor searched for, because the
    secret is random.
    """
    return hashlib.sha256(secret.encode()).digest()
