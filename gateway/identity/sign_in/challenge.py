"""The common part of challenges to wallets' and operators' passkeys. The caller stores them.

Each has a purpose and can be used once, for a few minutes. It is a hash over what is to be approved
(passkey_verification.py) and a nonce in the database, so a signature is valid for that alone.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.identity.errors import InvalidPasskey
from gateway.identity.sign_in.passkey_verification import Party, challenge_of
from gateway.postgres.pool import Record

#: How long a challenge may be answered.
GOOD_FOR = timedelta(minutes=5)

#: How long an expired challenge is kept, so that the error can say that it has expired rather than that it is unknown.
KEPT_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PasskeyChallenge:
    """A challenge to sign: its 32 bytes, its nonce, and its expiry."""

    challenge: bytes
    nonce: bytes
    party: Party
    expires_at: datetime


def new_challenge(party: Party, who: str, purpose: str, details: Sequence[str], now: datetime) -> PasskeyChallenge:
    """Return a new challenge for this purpose over these details. `who` is the shown id of the wallet or operator that
    may sign it; "": anybody.
    """
    nonce = secrets.token_bytes(32)
    return PasskeyChallenge(challenge_of(purpose, who, details, nonce), nonce, party, now + GOOD_FOR)


def party_of_used(row: Record | None, named: bytes, who: str, purpose: str, details: Sequence[str]) -> Party:
    """Return the party of a challenge that an answer has named and this row has used up; its details must still be the
    same. Raises InvalidPasskey if they are not, or if there is no row: it is unknown, was used before or has expired.
    """
    if row is None:
        raise InvalidPasskey(
            "challenge", "it signs no challenge that was made for this, or one that was used or has expired"
        )
    if challenge_of(purpose, who, details, row["nonce"]) != named:
        raise InvalidPasskey(
            "details", "what it approves has changed since: look at it again, and approve it as it is now"
        )
    return Party(row["rp_id"], row["origin"])
