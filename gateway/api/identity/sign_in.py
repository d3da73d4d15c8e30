"""Parses and shows the credentials that people sign in with. Bytes of passkeys are base64url without padding."""

from datetime import datetime

from gateway.api.identity.shapes import (
    AssertionChallengeView,
    AssertionRequest,
    NewPasskeyChallengeView,
    PasskeyRequest,
    PasskeyView,
    SessionView,
    SignUpRequest,
)
from gateway.clock import rfc3339
from gateway.identity.sign_in.challenge import PasskeyChallenge
from gateway.identity.sign_in.passkey import Passkey
from gateway.identity.sign_in.passkey_verification import ALGORITHMS, Assertion, Registration, from_base64, to_base64
from gateway.identity.sign_in.session import Session
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId, show


def assertion_of(given: AssertionRequest) -> Assertion:
    """Raises InvalidPasskey where something is not base64url."""
    return Assertion(
        *(from_base64(given.credential_id), from_base64(given.client_data)),
        *(from_base64(given.authenticator_data), from_base64(given.signature)),
    )


def registration_of(given: PasskeyRequest | SignUpRequest) -> Registration:
    """Raises InvalidPasskey where something is not base64url."""
    return Registration(from_base64(given.client_data), from_base64(given.attestation))


def new_passkey_challenge_view(
    challenge: PasskeyChallenge, id: WalletId, handle: str, there: list[bytes]
) -> NewPasskeyChallengeView:
    return NewPasskeyChallengeView(
        challenge=to_base64(challenge.challenge),
        rp_id=challenge.party.id,
        user_id=to_base64(id.bytes),
        user_name=f"@{handle}",
        algorithms=list(ALGORITHMS),
        exclude=[to_base64(one) for one in there],
        expires_at=rfc3339(challenge.expires_at),
    )


def assertion_challenge_view(challenge: PasskeyChallenge, allowed: list[bytes]) -> AssertionChallengeView:
    """`allowed` are credential ids."""
    allow = [to_base64(one) for one in allowed]
    return AssertionChallengeView(
        *(
            to_base64(challenge.challenge),
            to_base64(challenge.nonce),
            challenge.party.id,
            allow,
            rfc3339(challenge.expires_at),
        )
    )


def passkey_view(of: Passkey) -> PasskeyView:
    used = rfc3339(of.last_used_at) if of.last_used_at else None
    return PasskeyView(of.shown_id, of.name, of.backed_up, rfc3339(of.created_at), used)


def session_view(of: Session, wallet: Wallet, current: bool, now: datetime) -> SessionView:
    fresh = "owner" in of.credential(wallet, now).scopes
    return SessionView(
        id=of.shown_id,
        handle=wallet.handle,
        wallet_id=show("wal", wallet.id),
        sign_in_method=of.by,
        device=of.device,
        current=current,
        created_at=rfc3339(of.created_at),
        last_used_at=rfc3339(of.last_used_at),
        expires_at=rfc3339(of.expires_at),
        fresh_until=rfc3339(of.fresh_until) if fresh else None,
    )
