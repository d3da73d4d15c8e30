"""Web push: a notice to a browser, by the push service that it names (RFC 8030).

An address is the browser's subscription, in JSON. It is proved with being given: only a page of the gateway, opened by
the wallet's owner, can make one for the gateway's key. What is sent is encrypted for the browser and signed by that key
(push/). A push that waits at the service is replaced by the next of its topic, and one that is shown by the next of its
tag: both are made from the notice's id and its wallet, so one that is sent twice is shown once, and a browser with two
wallets shows what each of them is told of the same payment.

What the service answers decides (RFC 8030, 5): 404 and 410 say that the browser has unsubscribed.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

from gateway.clock import Clock
from gateway.errors import InvalidRequest
from gateway.notifications.channels.channel import Channel, Gone, Message, Outcome, Sent, TryLater
from gateway.notifications.push import subscription
from gateway.notifications.push.encryption import MESSAGE_BYTES_MAX, encrypt
from gateway.notifications.push.vapid import Vapid
from gateway.notifications.vocabulary import KINDS
from gateway.outbound.address import Allowed
from gateway.outbound.http_client import Answer, HttpClient

#: How long a push service keeps a push for a browser that is away. What waits longer stands on the wallet's page.
TTL: Final = timedelta(days=1)

#: What wakes a device at once, also when its battery is low (RFC 8030, 5.3): what its owner may have to act on.
_URGENT: Final = ("money_out", "needs_approval", *(kind.name for kind in KINDS.values() if kind.security))

Urgency = Literal["normal", "high"]


class Push(Channel):
    """Sends pushes in the gateway's name. `more` as HttpClient has it."""

    name = "push"
    at_once = 16
    needs_code = False

    def __init__(self, vapid: Vapid, allowed: Allowed, clock: Clock, **more: Any) -> None:
        self.vapid, self._allowed, self._clock = vapid, allowed, clock
        self._client = HttpClient("wallet-gateway-push/1", allowed, clock, self.at_once, **more)

    def check(self, address: str) -> str:
        """The subscription, without what is not needed of it. Raises InvalidRequest."""
        try:
            found = msgspec.json.decode(address, type=subscription.BrowserSubscription)
        except msgspec.MsgspecError as error:
            raise InvalidRequest(
                "address", f"this is not a browser's subscription, PushSubscription.toJSON(): {error}"
            ) from None
        return subscription.checked(self._allowed, found).text

    def shown(self, address: str) -> str:
        """`fcm.googleapis.com 3f9a12c4`: the push service, and a part of the URL's hash, by which a browser finds its
        own.
        """
        return subscription.of_text(address).shown

    async def send(self, address: str, message: Message) -> Outcome:
        """Send it. A reason is one of: http_404, http_410, address_refused (gone); http_… of another status, timeout,
        name_not_resolved, connection_failed, tls_failed, connection_lost, answer_unreadable (later).
        """
        to = subscription.of_text(address)
        headers = {
            "TTL": str(int(TTL.total_seconds())),
            "Urgency": urgency_of(message),
            "Topic": topic_of(message),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            **self.vapid.headers(to.endpoint, self._clock()),
        }
        return outcome_of(await self._client.post(to.endpoint, headers, encrypt(payload(message), to.key, to.secret)))

    async def close(self) -> None:
        await self._client.close()


def payload(message: Message) -> bytes:
    """What the service worker reads (web/pages/sw.js): at most as many bytes as a push takes. Pure."""
    shown = {
        "title": message.title,
        "body": "\n".join(message.lines),
        "url": f"/notifications#{message.id}",
        "tag": f"{message.id} {message.wallet}",
        "lang": message.locale,
    }
    for name in ("body", "title"):
        if (over := len(msgspec.json.encode(shown)) - MESSAGE_BYTES_MAX) > 0:
            shown[name] = _shorter(shown[name], over)
    return msgspec.json.encode(shown)


def topic_of(message: Message) -> str:
    """The same for every repeat, and another for each wallet: 32 letters of base64url (RFC 8030, 5.4). Pure."""
    return urlsafe_b64encode(sha256(f"{message.id} {message.wallet}".encode()).digest()[:24]).decode()


def urgency_of(message: Message) -> Urgency:
    """How soon a device is woken for it. Pure."""
    return "high" if message.kind is not None and message.kind.name in _URGENT else "normal"


def outcome_of(answer: Answer) -> Outcome:
    """What an answer means. Pure."""
    if answer.status is None:
        failure = answer.failure or "answer_unreadable"
        return Gone(failure) if failure == "address_refused" else TryLater(failure)
    if 200 <= answer.status < 300:
        return Sent()
    reason = f"http_{answer.status}"
    return Gone(reason) if answer.status in (404, 410) else TryLater(reason, answer.retry_after)


def push_of(channels: Sequence[Channel]) -> Push | None:
    """The channel of pushes, where there is one."""
    return next((channel for channel in channels if isinstance(channel, Push)), None)


def _shorter(text: str, over: int) -> str:
    """The text with at least so many bytes less of JSON, and a sign that it was longer."""
    raw = text.encode()
    return raw[: max(0, len(raw) - over - 3)].decode(errors="ignore") + "…"
