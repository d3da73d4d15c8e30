"""Push messages to browsers: the key that they subscribe to, and their subscriptions."""

import msgspec
from litestar import get, post

from gateway.api.notifications.addresses import channels_of
from gateway.api.notifications.shapes import NotificationAddressView, PushKeyView, PushSubscriptionRequest
from gateway.api.notifications.views import address_view
from gateway.errors import NotFound
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.identity.credential import Credential
from gateway.identity.wallet import Wallet
from gateway.notifications import address
from gateway.notifications.address import NewAddress
from gateway.notifications.channels.push import Push, push_of
from gateway.notifications.push.subscription import BrowserKeys, BrowserSubscription


@get(
    "/v1/notifications/push-key",
    tags=["Notifications"],
    summary="Get the key of push messages",
    needs="read",
    problems=("not_found",),
)
async def get_push_key(services: Services, caller: Wallet) -> PushKeyView:
    """Returns the key to pass to `pushManager.subscribe()` as `applicationServerKey`, with `userVisibleOnly`."""
    return PushKeyView(_push(services).vapid.public_key)


@post(
    "/v1/notifications/push-subscriptions",
    tags=["Notifications"],
    summary="Add a browser",
    needs="owner",
    problems=("not_found",),
)
async def add_push_subscription(
    data: PushSubscriptionRequest, services: Services, credential: Credential
) -> NotificationAddressView:
    """Sends push messages to the browser from now on, encrypted for it. The subscription is an address like any other:
    list and remove it there. An existing one gets this language and time zone.
    """
    channel, wallet = _push(services), credential.wallet
    given = BrowserSubscription(data.endpoint, BrowserKeys(data.keys.p256dh, data.keys.auth))
    new = NewAddress(channel.check(msgspec.json.encode(given).decode()), data.locale, data.time_zone)
    async with services.database.transaction() as connection:
        await wallets.check_guard(connection, wallet)
        added = await address.add(
            *(connection, services.vault, channel, wallet.id, new, credential.by, services.clock())
        )
    return address_view(added, channels_of(services))


def _push(services: Services) -> Push:
    channel = push_of(services.channels)
    if channel is None:
        raise NotFound("key for push messages: the operator of this gateway has set none")
    return channel
