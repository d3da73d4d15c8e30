"""Challenges of ours, as far as people's passkeys and operators' have them in common. Where one lies is the asker's.

Each is asked for something and good once, for a few minutes. It is a hash over what is meant (ceremony.py) and a nonce
that lies in the database, so a signature fits that meaning alone.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.identity.errors import InvalidPasskey
from gateway.identity.sign_in.ceremony import Party, challenge_of
from gateway.postgres.pool import Record

#: How long a challenge may be answered.
GOOD_FOR = timedelta(minutes=5)

#: How long one that is over is kept, so that its answer is told from one to a challenge that never was.
KEPT_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A challenge to answer: its 32 bytes, the nonce in it, and until when."""

    challenge: bytes
    nonce: bytes
    party: Party
    expires_at: datetime


def fresh(party: Party, who: str, purpose: str, details: Sequence[str], now: datetime) -> Asked:
    """A challenge for this purpose over these details. `who` may answer it, by their id as it is shown; "": anybody."""
    nonce = secrets.token_bytes(32)
    return Asked(challenge_of(purpose, who, details, nonce), nonce, party, now + GOOD_FOR)


def party_of_used(row: Record | None, named: bytes, who: str, purpose: str, details: Sequence[str]) -> Party:
    """Who asked the challenge that an answer has named, and that is used up with this row; it still has to mean the
    same. Raises InvalidPasskey where it does not, or there is no row: it was never asked, or is used or over.
    """
    if row is None:
        raise InvalidPasskey("challenge", "it is over no challenge that was asked for this, or one used before or over")
    if challenge_of(purpose, who, details, row["nonce"]) != named:
        raise InvalidPasskey("details", "what it was asked for has changed since: look again, and approve that")
    return Party(row["rp_id"], row["origin"])
