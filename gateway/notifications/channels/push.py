"""Web push: a notification to a browser, by the push service that it names (RFC 8030).

An address is the browser's subscription, in JSON. It needs no code: only a page of the gateway, opened by the wallet's
owner, can make one for the gateway's key. A push is encrypted for the browser and signed by that key (push/). A push
that waits at the service is replaced by the next of its topic, and a shown one by the next of its tag. Both are made
from the notification's id and its wallet: a push that is sent twice is shown once, and a browser with two wallets shows
both wallets' notifications of the same payment.

The service's answer decides (RFC 8030, 5): 404 and 410 say that the browser has unsubscribed.
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
from gateway.outbound.allowed import Allowed
from gateway.outbound.http_client import Answer, HttpClient

#: How long a push service keeps a push for a browser that is offline. The wallet's page has what is older.
TTL: Final = timedelta(days=1)

#: Kinds that wake a device at once, also when its battery is low (RFC 8030, 5.3): their owner may have to act.
_URGENT: Final = ("money_out", "needs_approval", *(kind.name for kind in KINDS.values() if kind.security))

Urgency = Literal["normal", "high"]


class Push(Channel):
    """Sends pushes in the gateway's name. `more` is for HttpClient."""

    name = "push"
    at_once = 16
    needs_code = False

    def __init__(self, vapid: Vapid, allowed: Allowed, clock: Clock, **more: Any) -> None:
        self.vapid, self._allowed, self._clock = vapid, allowed, clock
        self._client = HttpClient("wallet-gateway-push/1", allowed, clock, self.at_once, **more)

    def check(self, address: str) -> str:
        """Return the subscription, without unknown fields. Raises InvalidRequest."""
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
    """Return the JSON that the service worker reads (web/static/sw.js), shortened to what a push can carry. Pure."""
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
    """Return the topic: the same for every repeat, and another for each wallet; 32 characters of base64url (RFC 8030,
    5.4). Pure.
    """
    return urlsafe_b64encode(sha256(f"{message.id} {message.wallet}".encode()).digest()[:24]).decode()


def urgency_of(message: Message) -> Urgency:
    """Return how soon a device is woken for it. Pure."""
    return "high" if message.kind is not None and message.kind.name in _URGENT else "normal"


def outcome_of(answer: Answer) -> Outcome:
    """Return the outcome of an answer. Pure."""
    if answer.status is None:
        failure = answer.failure or "answer_unreadable"
        return Gone(failure) if failure == "address_refused" else TryLater(failure)
    if 200 <= answer.status < 300:
        return Sent()
    reason = f"http_{answer.status}"
    return Gone(reason) if answer.status in (404, 410) else TryLater(reason, answer.retry_after)


def push_of(channels: Sequence[Channel]) -> Push | None:
    """Return the push channel, if there is one."""
    return next((channel for channel in channels if isinstance(channel, Push)), None)


def _shorter(text: str, over: int) -> str:
    """Return the text shortened by at least so many bytes of JSON, with an ellipsis."""
    raw = text.encode()
    return raw[: max(0, len(raw) - over - 3)].decode(errors="ignore") + "…"
