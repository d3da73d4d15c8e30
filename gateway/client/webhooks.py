"""Verifies webhooks as Standard Webhooks 1.0.0 says: an HMAC-SHA-256 over id, time and body, and a time that is near.

Twenty lines of its own: the specification's package brings five others, httpx and attrs among them, for the same.
tests/client/test_webhooks.py holds the two together.
"""

import base64
import binascii
import hmac
import time
from collections.abc import Mapping
from typing import Final

from gateway.client.events import Event, read_event
from gateway.client.exceptions import WebhookNotVerified

#: How far a webhook's time may be from ours, in seconds, either way (the specification's libraries say the same).
TOLERANCE_SECONDS: Final = 300


class Webhooks:
    @staticmethod
    def verify(body: bytes, headers: Mapping[str, str], secret: str) -> Event:
        """The event that a webhook brings. `body` is what came, byte for byte; `secret` is `whsec_…`. Keep the event's
        id: the same webhook may come again.

        Raises WebhookNotVerified, and ValueError for a secret that is none.
        """
        named = {name.lower(): value for name, value in headers.items()}
        try:
            id, at, given = (named[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        except KeyError as missing:
            raise WebhookNotVerified(f"it has no header {missing.args[0]}") from None
        if not (at.isascii() and at.isdigit()) or abs(time.time() - int(at[:20])) > TOLERANCE_SECONDS:
            raise WebhookNotVerified("its time is not that of now, so it may be a repetition")
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise ValueError("a webhook's secret is whsec_ and base64") from None
        signed = hmac.digest(key, f"{id}.{at}.".encode() + body, "sha256")
        expected = b"v1," + base64.b64encode(signed)
        if not any(hmac.compare_digest(expected, one.encode()) for one in given.split(" ")):
            raise WebhookNotVerified("no signature is by this secret")
        return read_event(body)
