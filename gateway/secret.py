"""Secrets that we make for others and keep only by their hashes: API keys, tokens of sessions and links, codes."""

import hashlib
import secrets


def new_secret(prefix: str) -> str:
    """256 random bits in base64url, behind a prefix that says what they are, so that a leaked one is known for it."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hash_of(secret: str) -> bytes:
    """What is kept of a secret: its SHA-256, which neither can be guessed nor searched for, as the secret is random."""
    return hashlib.sha256(secret.encode()).digest()
