"""Webhook endpoints and their deliveries, and the verification of webhooks.

A webhook is verified as Standard Webhooks 1.0.0 specifies: an HMAC-SHA-256 over id, time and body, and a recent time.
This is done in twenty lines here, because the specification's package has five dependencies.
tests/client/test_webhooks.py checks that both give the same results.
"""

import base64
import binascii
import hmac
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote

from gateway.api.webhooks.shapes import (
    DeliveriesPage,
    DeliveryView,
    NewWebhookView,
    RedeliveryRequest,
    RotatedSecretView,
    WebhookChangesRequest,
    WebhookRequest,
    WebhooksPage,
    WebhookView,
)
from gateway.client.exceptions import WebhookNotVerified
from gateway.client.resources.events import Event, read_event
from gateway.client.sync_async import Mode, Resource, call, iterator

#: How far a webhook's time may differ from this machine's, in seconds, either way (as in the specification's
#: libraries).
TOLERANCE_SECONDS: Final = 300


class Webhooks(Resource[Mode]):
    @staticmethod
    def verify(body: bytes, headers: Mapping[str, str], secret: str) -> Event:
        """Verify a webhook and return its event. `body` is the received body, byte for byte; `secret` is `whsec_…`.
        Store the event's id: the same webhook may be delivered again.

        Raises WebhookNotVerified, and ValueError for a malformed secret.
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

    @iterator
    async def list(self) -> AsyncGenerator[WebhookView, None]:
        """The wallet's endpoints, newest first."""
        for one in (await self._calls.get("/v1/webhooks", WebhooksPage)).items:
            yield one

    @call
    async def create(
        self, url: str, types: Sequence[str] = ("*",), *, description: str = "", enabled: bool = True
    ) -> NewWebhookView:
        """Send events of these types to the URL from now on. `secret` of the answer is shown only once: if the answer
        was lost, delete the endpoint. Only the wallet's owner may.
        """
        asked = WebhookRequest(url, [*types], description, enabled)
        return (await self._calls.send("POST", "/v1/webhooks", NewWebhookView, asked)).value

    @call
    async def get(self, id: str) -> WebhookView:
        """An endpoint's settings, and since when it has been failing. Raises ProblemError (`not_found`)."""
        return await self._calls.get(_path(id), WebhookView)

    @call
    async def change(
        self, id: str, url: str, types: Sequence[str] = ("*",), *, description: str = "", enabled: bool = True
    ) -> WebhookView:
        """Replace all settings. Only the wallet's owner may."""
        asked = WebhookRequest(url, [*types], description, enabled)
        return (await self._calls.send("PUT", _path(id), WebhookView, asked, repeatable=True)).value

    @call
    async def update(
        self,
        id: str,
        *,
        url: str | None = None,
        types: Sequence[str] = (),
        description: str | None = None,
        enabled: bool | None = None,
    ) -> WebhookView:
        """Change the given settings; the others stay as they are, even if they are changed at the same time. Only the
        wallet's owner may.
        """
        asked = WebhookChangesRequest(url, [*types] or None, description, enabled)
        return (await self._calls.send("PATCH", _path(id), WebhookView, asked, repeatable=True)).value

    @call
    async def delete(self, id: str) -> WebhookView:
        """Delete an endpoint and its deliveries. Only the wallet's owner may."""
        return (await self._calls.send("DELETE", _path(id), WebhookView)).value

    @call
    async def rotate_secret(self, id: str) -> RotatedSecretView:
        """Create a new secret, shown only once. For a day deliveries are signed with both. Only the wallet's
        owner may.
        """
        return (await self._calls.send("POST", _path(id, "secret"), RotatedSecretView)).value

    @iterator
    async def deliveries(
        self, id: str, state: Literal["pending", "delivered", "failed"] | None = None, page_size: int = 200
    ) -> AsyncGenerator[DeliveryView, None]:
        """The deliveries to an endpoint, past and pending, with their attempts, newest event first."""
        cursor: str | None = None
        while True:
            page = await self._calls.get(
                _path(id, "deliveries"), DeliveriesPage, state=state, limit=page_size, cursor=cursor
            )
            for delivery in page.items:
                yield delivery
            if (cursor := page.next_cursor) is None:
                return

    @call
    async def redeliver(self, id: str, *, event: str | None = None, since: datetime | None = None) -> WebhookView:
        """Redeliver one event, or all of the endpoint's events since a time, in order. Give one of the two."""
        asked = RedeliveryRequest(event, since)
        return (await self._calls.send("POST", _path(id, "redeliveries"), WebhookView, asked)).value

    @call
    async def test(self, id: str) -> WebhookView:
        """Send a `webhook.test` event to this endpoint only."""
        return (await self._calls.send("POST", _path(id, "test"), WebhookView)).value


def _path(id: str, *verb: str) -> str:
    return "/".join(["/v1/webhooks", quote(id, safe=""), *verb])
