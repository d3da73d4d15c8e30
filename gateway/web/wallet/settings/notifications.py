"""Notification settings: preferences, addresses, language and time zone. The page can be read without a script; its
script changes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from litestar import Request, Response

from gateway.api.notifications.addresses import list_notification_addresses
from gateway.api.notifications.notifications import get_notification_preferences
from gateway.api.notifications.shapes import NotificationAddressView, NotificationKindView
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page, reader_for
from gateway.web.reader import Reader

#: The names of browsers by their push service.
_SERVICES: Final = (("mozilla.com", "Firefox"), ("apple.com", "Safari"), ("windows.com", "Edge"))


@own_page("/notifications/settings", follows=True)
async def notification_settings_page(
    request: Request[Any, Any, Any], services: Services, caller: Wallet
) -> Response[bytes]:
    """Addresses by channel, a switch for each kind and channel, and the language and time zone of notifications."""
    reader = reader_for(request)
    there = await list_notification_addresses.fn(services, caller)
    kinds = (await get_notification_preferences.fn(services, caller)).kinds
    channels = {name: text for name, text in _channels(reader).items() if name in there.channels}
    zone = there.items[0].time_zone if there.items else reader.time_zone
    return answer(
        request,
        "wallet/notification-settings.html",
        trusted="htmx service-worker",
        me=caller.handle,
        channels=channels,
        push=[one for one in there.items if one.channel == "push"],
        emails=[one for one in there.items if one.channel == "email"],
        waits=next((one for one in there.items if one.channel == "email" and one.state == "pending"), None),
        name_of=lambda one: _name_of(one, reader),
        money=[_Row.of(one, reader) for one in kinds if not one.security],
        safety=[_Row.of(one, reader) for one in kinds if one.security],
        zone=zone,
        zones=sorted({"UTC", zone, *_zones()}),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A kind of notification: its name, its description, and its mode by each channel."""

    kind: str
    name: str
    about: str
    modes: Mapping[str, str]

    @classmethod
    def of(cls, kind: NotificationKindView, reader: Reader) -> "_Row":
        return cls(kind.kind, *_words(kind, reader), kind.modes)


def _channels(reader: Reader) -> dict[str, str]:
    return {"push": reader.say("Push"), "email": reader.say("E-mail")}


def _name_of(one: NotificationAddressView, reader: Reader) -> str:
    """The name of an address: of a browser the one of its push service, whose host is the first part of the shown
    address.
    """
    if one.channel != "push":
        return one.address
    host = one.address.split(" ")[0]
    if host.endswith("googleapis.com"):
        return reader.say("Chrome, or a browser like it")
    return next((name for end, name in _SERVICES if host.endswith(end)), one.address)


def _words(kind: NotificationKindView, reader: Reader) -> tuple[str, str]:
    match kind.kind:
        case "money_in":
            return reader.say("Money in"), reader.say("Somebody has paid you.")
        case "money_out":
            return reader.say("Money out"), reader.say("Money leaves your wallet, or came back.")
        case "needs_approval":
            return reader.say("Needs your approval"), reader.say("A payment waits for you.")
        case "request":
            return reader.say("Requests"), reader.say("Somebody asks you for money, or declined your request.")
        case "bank_movement":
            return reader.say("Bank"), reader.say("You deposited or withdrew.")
        case "new_sign_in":
            return reader.say("Sign-ins"), reader.say("Somebody signed in to your wallet.")
        case "new_key":
            return reader.say("Passkeys and keys"), reader.say("One was added, ended or shown.")
        case "freeze":
            return reader.say("Freezes"), reader.say("Your wallet was stopped, or can pay again.")
        case "protection":
            return reader.say("Protection"), reader.say("Your limits or these settings changed.")
        case _:
            return kind.kind, kind.description


@cache
def _zones() -> frozenset[str]:
    """Time zones by place, as people search for theirs."""
    return frozenset(one for one in available_timezones() if "/" in one and not one.startswith(("Etc/", "SystemV/")))
