"""Messages by Standard Webhooks 1.0.0: secrets, signatures, headers, the size of a body. Pure.

A secret is `whsec_` and the base64 of its bytes. A signature is `v1,` and the base64 of an HMAC-SHA-256 over the
event's id, the time of the attempt in seconds, and the body, with dots between them. While a secret is being rotated
there are two signatures, separated by a space.
"""

import base64
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

#: The prefix of a secret, and its number of random bytes (the specification allows 24 to 64).
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix of every secret
_SECRET_BYTES: Final = 32

#: A body is smaller than this, as the specification advises; if it were larger, `data` is only a reference.
BODY_BYTES_MAX: Final = 20_000


def new_secret() -> bytes:
    """A new secret: random bytes."""
    return secrets.token_bytes(_SECRET_BYTES)


def secret_text(secret: bytes) -> str:
    """The secret as text, as its owner sees it and the libraries take it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    """`v1,…` over the event's id, the time in seconds since 1970, and the body."""
    signed = f"{id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, 'sha256')).decode()}"


def headers(keys: Sequence[bytes], id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """The headers of an attempt at this time, signed with each of the secrets."""
    timestamp = int(at.timestamp())
    return {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, id, timestamp, body) for key in keys),
    }


def fitting(body: bytes) -> bytes:
    """The event's JSON in fewer than `BODY_BYTES_MAX` bytes: if it is larger, `data` keeps only `object` and `id`, and
    the receiver reads the rest at `GET /v1/events?object=`.
    """
    if len(body) < BODY_BYTES_MAX:
        return body
    event = msgspec.json.decode(body)
    event["data"] = {name: event["data"][name] for name in ("object", "id")}
    return msgspec.json.encode(event)
