"""Addresses for notifications: the owner adds and removes them, and confirms them with a code."""

from typing import Annotated, Any, Final

from litestar import Request, delete, get, post, put
from litestar.params import PathParameter

from gateway.api.notifications.shapes import (
    NotificationAddressesPage,
    NotificationAddressRequest,
    NotificationAddressView,
    NotificationCodeRequest,
    NotificationLocaleRequest,
    UnsubscribeView,
)
from gateway.api.notifications.views import address_view
from gateway.audit.log import ANYONE
from gateway.errors import InvalidRequest, NotFound
from gateway.http.request.parameters import id_of, path_id
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.identity.credential import Credential
from gateway.identity.rate_limits import place_of
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.notifications import address, preference
from gateway.notifications.address import NewAddress
from gateway.notifications.channels.channel import Channel
from gateway.notifications.errors import InvalidCode
from gateway.notifications.vocabulary import KINDS, PREFIX

AddressPath = Annotated[str, path_id(PREFIX, "The address's id.")]
TokenPath = Annotated[
    str, PathParameter(description="From a link in a message.", schema_extra={"examples": ["gu_q2Zx"]})
]
KindPath = Annotated[str, PathParameter(description="A kind of notification.", schema_extra={"enum": list(KINDS)})]

#: The noun in a NotFound for an unknown id in the path.
WHAT: Final = "such address"


@post("/v1/notifications/addresses", tags=["Notifications"], summary="Add an address", needs="owner")
async def add_notification_address(
    data: NotificationAddressRequest, services: Services, credential: Credential, request: Request[Any, Any, Any]
) -> NotificationAddressView:
    """Adds an address and sends it a code, which is valid for 15 minutes and 5 tries; until it is confirmed nothing
    else is sent there. An existing address gets a new code or, if it is confirmed, this language and time zone. The
    wallet's other addresses are notified once it is confirmed.
    """
    channel, wallet, now = _channel(services, data.channel), credential.wallet, services.clock()
    new = NewAddress(channel.check(data.address), data.locale, data.time_zone)
    if channel.needs_code:
        for who in (place_of(services.address_of(request.scope)), show("wal", wallet.id)):
            await services.limits.count(services.database, "codes", who, now)
    async with services.database.transaction() as connection:
        await wallets.check_guard(connection, wallet)
        added = await address.add(connection, services.vault, channel, wallet.id, new, credential.by, now)
    return address_view(added, channels_of(services))


@get("/v1/notifications/addresses", tags=["Notifications"], summary="List addresses", needs="read")
async def list_notification_addresses(services: Services, caller: Wallet) -> NotificationAddressesPage:
    """Lists the addresses that notifications are sent to, newest first, with a part of each, and whether it can be
    reached.
    """
    channels = channels_of(services)
    async with services.database.reading() as connection:
        found = await address.addresses(connection, services.vault, caller.id)
    return NotificationAddressesPage([address_view(one, channels) for one in found], list(channels))


@post(
    "/v1/notifications/addresses/{id:str}/confirmation",
    tags=["Notifications"],
    summary="Confirm an address",
    status_code=200,
    needs="read",
    problems=("not_found", "invalid_code"),
)
async def confirm_notification_address(
    id: AddressPath, data: NotificationCodeRequest, services: Services, credential: Credential
) -> NotificationAddressView:
    """Confirms the address with the code that was sent to it. It gets notifications of events from now on."""
    of = id_of(PREFIX, id, WHAT)
    async with services.database.transaction() as connection:
        found = await address.confirm(
            *(connection, services.vault, credential.wallet.id, of, data.code, credential.by, services.clock())
        )
    if isinstance(found, InvalidCode):
        raise found
    return address_view(found, channels_of(services))


@delete(
    "/v1/notifications/addresses/{id:str}",
    tags=["Notifications"],
    summary="Remove an address",
    status_code=200,
    needs="owner",
    problems=("not_found",),
)
async def remove_notification_address(
    id: AddressPath, services: Services, credential: Credential
) -> NotificationAddressView:
    """Removes the address. Only the notification of its removal is still sent to it; then it is deleted with all of its
    data.
    """
    of = id_of(PREFIX, id, WHAT)
    async with services.database.transaction() as connection:
        await wallets.check_guard(connection, credential.wallet)
        removed = await address.remove(
            *(connection, services.vault, credential.wallet.id, of, credential.by, services.clock())
        )
    return address_view(removed, channels_of(services))


@put("/v1/notifications/locale", tags=["Notifications"], summary="Set language and time zone", needs="owner")
async def set_notification_locale(
    data: NotificationLocaleRequest, services: Services, credential: Credential
) -> NotificationAddressesPage:
    """Sets the language and time zone of messages to all current addresses."""
    channels, of = channels_of(services), credential.wallet
    async with services.database.transaction() as connection:
        await wallets.check_guard(connection, of)
        found = await address.set_locale(connection, services.vault, of.id, data.locale, data.time_zone)
    return NotificationAddressesPage([address_view(one, channels) for one in found], list(channels))


@get(
    "/v1/notifications/unsubscribe/{token:str}/{kind:str}",
    tags=["Notifications"],
    summary="Get what an unsubscribe link is for",
    needs="nothing",
    counts="look-ups",
    problems=("not_found",),
)
async def get_unsubscribe_link(token: TokenPath, kind: KindPath, services: Services) -> UnsubscribeView:
    """Returns the meaning of the link and does nothing, since mail programs open links that nobody has clicked."""
    async with services.database.reading() as connection:
        _, channel = await address.of_unsubscribe(connection, token)
    return _unsubscribe_view(kind, channel)


@post(
    "/v1/notifications/unsubscribe/{token:str}/{kind:str}",
    tags=["Notifications"],
    summary="Unsubscribe by a link",
    status_code=200,
    needs="nothing",
    counts="look-ups",
    problems=("not_found",),
)
async def unsubscribe(token: TokenPath, kind: KindPath, services: Services) -> UnsubscribeView:
    """Switches off notifications of this kind on the channel that the link was sent by. Mail programs do this for their
    users (RFC 8058). The owner can switch them on again.
    """
    async with services.database.transaction() as connection:
        wallet, channel = await address.of_unsubscribe(connection, token)
        view = _unsubscribe_view(kind, channel)
        await preference.switch_off(connection, wallet, kind, channel, ANYONE, services.clock())
    return view


def _unsubscribe_view(kind: str, channel: str) -> UnsubscribeView:
    found = KINDS.get(kind)
    if found is None or found.security:
        raise NotFound("such link")
    return UnsubscribeView(kind, channel, found.description)


def channels_of(services: Services) -> dict[str, Channel]:
    """The configured channels, by name."""
    return {channel.name: channel for channel in services.channels}


def _channel(services: Services, name: str) -> Channel:
    there = channels_of(services)
    if name not in there:
        known = f"it sends by {', '.join(there)}" if there else "its operator has configured no channel"
        raise InvalidRequest("channel", f"this gateway sends nothing by {name[:40]!r}: {known}")
    return there[name]
