"""A wallet's notifications: list them, mark them as seen, choose which are sent."""

from collections.abc import Mapping
from typing import Annotated

from litestar import get, patch, post, put
from litestar.params import QueryParameter

from gateway.api.notifications.shapes import (
    NotificationPreferencesRequest,
    NotificationPreferencesView,
    NotificationsPage,
    SeenRequest,
    SeenView,
)
from gateway.api.notifications.views import modes_of, named_modes, notice_view, preferences_view
from gateway.errors import InvalidRequest
from gateway.events import event_id, log
from gateway.events.log import END
from gateway.http.request.cursor import cursor_number, cursor_text
from gateway.http.request.parameters import Cursor, Limit
from gateway.http.services import Services
from gateway.identity.credential import Credential
from gateway.identity.wallet import Wallet
from gateway.notifications import address, inbox, preference
from gateway.notifications.texts.language import Language, check_time_zone
from gateway.notifications.vocabulary import LOCALES, Mode


@get("/v1/notifications", tags=["Notifications"], summary="List notifications", needs="read")
async def list_notifications(
    services: Services,
    caller: Wallet,
    locale: Annotated[
        str, QueryParameter(description="The language of the texts.", schema_extra={"enum": list(LOCALES)})
    ] = "en",
    time_zone: Annotated[str, QueryParameter(description="The time zone of times in the texts (IANA).")] = ("UTC"),
    cursor: Cursor = None,
    limit: Limit = 50,
) -> NotificationsPage:
    """Lists all notifications of the wallet, newest first, whether they were sent or not, with their delivery by each
    channel (for 30 days). A page may have fewer items than `limit` while there is a `next_cursor`.
    """
    language = _language(locale, time_zone)
    before = END if cursor is None else cursor_number(cursor)
    async with services.database.reading() as connection:
        page = await inbox.page(connection, caller.id, caller.handle, before, limit)
        unseen = await inbox.unseen(connection, caller.id, caller.handle)
    items = [notice_view(one, caller.handle, language) for one in page.items]
    return NotificationsPage(items, unseen, None if page.reached is None else cursor_text(str(page.reached)))


@post(
    "/v1/notifications/seen",
    tags=["Notifications"],
    summary="Mark notifications as seen",
    status_code=200,
    needs="read",
)
async def see_notifications(data: SeenRequest, services: Services, caller: Wallet) -> SeenView:
    """Marks all notifications up to this one as seen. One that was seen before changes nothing."""
    number = event_id.number_of(data.up_to, "up_to", "'up_to'")
    async with services.database.transaction() as connection:
        await inbox.see(connection, caller.id, min(number, await log.last(connection)))
    async with services.database.reading() as connection:
        return SeenView(await inbox.unseen(connection, caller.id, caller.handle))


@get("/v1/notifications/preferences", tags=["Notifications"], summary="Get notification preferences", needs="read")
async def get_notification_preferences(services: Services, caller: Wallet) -> NotificationPreferencesView:
    """Returns which kinds are sent by which channel."""
    async with services.database.reading() as connection:
        return preferences_view((await preference.preferences(connection, [caller.id]))[caller.id])


@put("/v1/notifications/preferences", tags=["Notifications"], summary="Change notification preferences", needs="owner")
async def change_notification_preferences(
    data: NotificationPreferencesRequest, services: Services, credential: Credential
) -> NotificationPreferencesView:
    """Replaces all preferences. Security kinds stay on for at least one channel that has an address. The owner is
    notified of the change.
    """
    return await _changed(services, credential, modes_of(data))


@patch("/v1/notifications/preferences", tags=["Notifications"], summary="Set notification preferences", needs="owner")
async def set_notification_preferences(
    data: NotificationPreferencesRequest, services: Services, credential: Credential
) -> NotificationPreferencesView:
    """Sets the given preferences; the others stay as they are, even if they are changed at the same time."""
    return await _changed(services, credential, named_modes(data))


async def _changed(
    services: Services, credential: Credential, modes: Mapping[tuple[str, str], Mode]
) -> NotificationPreferencesView:
    of = credential.wallet.id
    async with services.database.transaction() as connection:
        usable = await address.usable_channels(connection, of)
        changed = await preference.change(connection, of, modes, usable, credential.by, services.clock())
    return preferences_view(changed)


def _language(locale: str, time_zone: str) -> Language:
    if locale not in LOCALES:
        raise InvalidRequest("locale", f"the query parameter locale should be {' or '.join(LOCALES)}")
    check_time_zone(time_zone)
    return Language(locale, time_zone)
