"""The head of a request on the fast path: the caller's credential and the idempotency key, read without a router."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from gateway.api.payments.idempotency import key_of
from gateway.errors import GatewayError
from gateway.http import cookie
from gateway.http.request.fields import NOT_PLAIN, ONCE, is_json
from gateway.http.request.framing import Field
from gateway.identity.sign_in.passkey_verification import Party
from gateway.secret import hash_of


class Head(Struct, frozen=True):
    """The SHA-256 of the caller's API key or session token, and the idempotency key."""

    token_hash: bytes
    of_session: bool
    idempotency_key: str

    @property
    def key(self) -> tuple[bytes, str]:
        """Requests with the same value are executed one after the other."""
        return self.token_hash, self.idempotency_key


def head_of(party: Party, headers: Iterable[Field]) -> Head | None:
    """The head of a request with a body; None if the ordinary handler has to read it."""
    named: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in NOT_PLAIN or (name in ONCE and name in named):
            return None
        named[name] = value
    key, token = named.get(b"idempotency-key"), _token(named, party)
    if key is None or token is None or not is_json(named.get(b"content-type", b"application/json")):
        return None
    try:
        return Head(hash_of(token), b"authorization" not in named, key_of(key.decode("latin-1")))
    except GatewayError:
        return None


def _token(named: Mapping[bytes, bytes], party: Party) -> str | None:
    """The API key, or else the token of a session if the request comes from a page of the gateway; None if the ordinary
    handler has to report an error.
    """
    api_key = named.get(b"authorization")
    if api_key is not None:
        return api_key[7:].strip().decode("latin-1") if api_key.startswith(b"Bearer ") else None
    if b"cookie" not in named or not cookie.is_own(named, party):
        return None
    return cookie.token_of(named.items(), party)
