"""Notifications of the wallet's owner: list them, and choose which are sent, and where.

A gateway sends by the channels that its operator has configured. Only the wallet's owner chooses what is sent and
where. For a wallet with a passkey an API key cannot do that; its owner uses the gateway's pages.
"""

from collections.abc import AsyncGenerator, Sequence
from urllib.parse import quote

from gateway.api.notifications.shapes import (
    NotificationAddressesPage,
    NotificationAddressRequest,
    NotificationAddressView,
    NotificationCodeRequest,
    NotificationLocaleRequest,
    NotificationModeRequest,
    NotificationPreferencesRequest,
    NotificationPreferencesView,
    NotificationsPage,
    NotificationView,
    PushKeys,
    PushKeyView,
    PushSubscriptionRequest,
    SeenRequest,
    SeenView,
)
from gateway.client.sync_async import Mode, Resource, call, iterator
from gateway.notifications.vocabulary import Locale


class Notifications(Resource[Mode]):
    @iterator
    async def list(
        self, *, locale: Locale = "en", time_zone: str = "UTC", page_size: int = 200
    ) -> AsyncGenerator[NotificationView, None]:
        """All notifications, newest first, whether they were sent or not. Texts are in the language of `locale`, with
        times in the time zone, such as `Asia/Bangkok`.
        """
        language = {"locale": locale, "time_zone": time_zone}
        cursor: str | None = None
        while True:
            page = await self._calls.get(_path(), NotificationsPage, limit=page_size, cursor=cursor, **language)
            for one in page.items:
                yield one
            if (cursor := page.next_cursor) is None:
                return

    @call
    async def unseen(self) -> int:
        """The number of unseen notifications, up to 100."""
        return (await self._calls.get(_path(), NotificationsPage, limit=1)).unseen

    @call
    async def see(self, up_to: str) -> SeenView:
        """Mark everything up to the notification with this id as seen. Returns how many are left."""
        asked = SeenRequest(up_to)
        return (await self._calls.send("POST", _path("seen"), SeenView, asked, repeatable=True)).value

    @call
    async def preferences(self) -> NotificationPreferencesView:
        """The kinds that are sent by each channel."""
        return await self._calls.get(_path("preferences"), NotificationPreferencesView)

    @call
    async def change_preferences(self, modes: Sequence[NotificationModeRequest]) -> NotificationPreferencesView:
        """Replace all preferences: those that are left out become `on`. Only the wallet's owner may. Raises
        ProblemError (`invalid_request`) if security notifications would reach nobody.
        """
        asked = NotificationPreferencesRequest([*modes])
        path, kind = _path("preferences"), NotificationPreferencesView
        return (await self._calls.send("PUT", path, kind, asked, repeatable=True)).value

    @call
    async def set_preferences(self, *modes: NotificationModeRequest) -> NotificationPreferencesView:
        """Set these preferences; the others stay. Only the wallet's owner may. Raises as `change_preferences`."""
        asked = NotificationPreferencesRequest([*modes])
        path, kind = _path("preferences"), NotificationPreferencesView
        return (await self._calls.send("PATCH", path, kind, asked, repeatable=True)).value

    @iterator
    async def addresses(self) -> AsyncGenerator[NotificationAddressView, None]:
        """The addresses that notifications are sent to, newest first, each shown in part. Browsers are among them."""
        for one in (await self._calls.get(_path("addresses"), NotificationAddressesPage)).items:
            yield one

    @call
    async def add_address(
        self, address: str, *, channel: str = "email", locale: Locale = "en", time_zone: str = "UTC"
    ) -> NotificationAddressView:
        """Add an e-mail address. A code is sent to it, and nothing else until it is confirmed with `confirm_address`;
        if it is added again, it gets a new code. Only the wallet's owner may.
        """
        asked = NotificationAddressRequest(channel, address, locale, time_zone)
        return (await self._calls.send("POST", _path("addresses"), NotificationAddressView, asked)).value

    @call
    async def confirm_address(self, id: str, code: str) -> NotificationAddressView:
        """Confirm an address by the code that was sent to it. Raises ProblemError (`invalid_code`, `not_found`)."""
        path, asked = _path("addresses", id, "confirmation"), NotificationCodeRequest(code)
        return (await self._calls.send("POST", path, NotificationAddressView, asked, repeatable=True)).value

    @call
    async def remove_address(self, id: str) -> NotificationAddressView:
        """Remove an address or a browser, which gets a last notification of that. Only the wallet's owner may."""
        return (await self._calls.send("DELETE", _path("addresses", id), NotificationAddressView)).value

    @call
    async def set_locale(self, locale: Locale, time_zone: str) -> Sequence[NotificationAddressView]:
        """Set the language and time zone of messages to all current addresses. Only the wallet's owner may."""
        path, asked = _path("locale"), NotificationLocaleRequest(locale, time_zone)
        return (await self._calls.send("PUT", path, NotificationAddressesPage, asked, repeatable=True)).value.items

    @call
    async def push_key(self) -> PushKeyView:
        """The key that browsers subscribe to, as `applicationServerKey`. Raises ProblemError (`not_found`) if the
        gateway sends no push messages.
        """
        return await self._calls.get(_path("push-key"), PushKeyView)

    @call
    async def add_push_subscription(
        self, endpoint: str, p256dh: str, auth: str, *, locale: Locale = "en", time_zone: str = "UTC"
    ) -> NotificationAddressView:
        """Send push messages to a browser: `endpoint` and `keys` of its PushSubscription. It is an address like any
        other. Only the wallet's owner may.
        """
        asked = PushSubscriptionRequest(endpoint, PushKeys(p256dh, auth), locale, time_zone)
        path = _path("push-subscriptions")
        return (await self._calls.send("POST", path, NotificationAddressView, asked, repeatable=True)).value


def _path(*parts: str) -> str:
    return "/".join(["/v1/notifications", *(quote(part, safe="") for part in parts)])
