"""notifications: list a handle's notifications, and choose which are sent, and to which addresses."""

from collections.abc import Awaitable, Sequence

import rich_click as click

from gateway.api.notifications.shapes import (
    NotificationAddressView,
    NotificationDeliveryView,
    NotificationModeRequest,
    NotificationPreferencesView,
    NotificationView,
)
from gateway.cli.options import asking, at_most, by
from gateway.cli.output import table, when
from gateway.cli.wallet.calls import ask, every, say, show
from gateway.cli.wallet.client import Client
from gateway.escape import for_shell
from gateway.notifications.vocabulary import CHANNELS, KINDS, LOCALES, MODES, Locale

_locale = click.option(
    "--locale", type=click.Choice(LOCALES), default="en", show_default=True, help="The language of the texts."
)
_time_zone = click.option(
    "--time-zone", metavar="ZONE", default="UTC", show_default=True, help="The time zone of times in them."
)
_an_address = click.argument("id", help="The address's id, nad_….")


@click.group()
def notifications() -> None:
    """List a handle's notifications, and choose which are sent and where.

    \b
    Example:
      gateway notifications list --handle @alice
      gateway notifications add alice@example.com --handle @alice --locale th --time-zone Asia/Bangkok
      gateway notifications set money_in email off --handle @alice
    """


@notifications.command("list")
@by("--handle", "Whose notifications.")
@_locale
@_time_zone
@at_most
@asking
def list_notifications(handle: str, locale: Locale, time_zone: str, limit: int, url: str | None, as_json: bool) -> None:
    """List a handle's notifications, newest first, with their delivery by each channel.

    \b
    Example:
      gateway notifications list --handle @alice --locale th --time-zone Asia/Bangkok
    """

    def newest(client: Client) -> Awaitable[list[NotificationView]]:
        listed = client.api.notifications.list(locale=locale, time_zone=time_zone, page_size=limit)
        return every(listed, limit)

    found = ask(handle, url, newest)
    show({"items": found}, as_json, notifications_lines(found))


@notifications.command()
@click.argument("id", help="The newest notification that was seen, evt_….")
@by("--handle", "Whose notifications.")
@asking
def seen(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Mark everything up to a notification as seen.

    \b
    Example:
      gateway notifications seen evt_01m8p4zk5xg00800000000000j --handle @alice
    """
    left = ask(handle, url, lambda client: client.api.notifications.see(id))
    show(left, as_json, [f"{left.unseen} are not seen"])


@notifications.command()
@by("--handle", "Whose notifications.")
@asking
def settings(handle: str, url: str | None, as_json: bool) -> None:
    """Show which kinds of notifications are sent by which channel.

    \b
    Example:
      gateway notifications settings --handle @alice
    """
    found = ask(handle, url, lambda client: client.api.notifications.preferences())
    show(found, as_json, settings_lines(found))


@notifications.command("set")
@click.argument("kind", type=click.Choice(tuple(KINDS)), help="The kind of notification.")
@click.argument("channel", type=click.Choice(CHANNELS), help="The channel.")
@click.argument("mode", type=click.Choice(MODES), help="on, fallback (if no other channel could send it), or off.")
@by("--handle", "Whose notifications.")
@asking
def set_mode(kind: str, channel: str, mode: str, handle: str, url: str | None, as_json: bool) -> None:
    """Set whether a kind of notification is sent by a channel. The other settings stay.

    Security kinds stay on for at least one channel that has an address.

    \b
    Example:
      gateway notifications set money_in email off --handle @alice
    """
    asked = NotificationModeRequest(kind, channel, mode)
    found = ask(handle, url, lambda client: client.api.notifications.set_preferences(asked))
    show(found, as_json, settings_lines(found))


@notifications.command()
@by("--handle", "Whose addresses.")
@asking
def addresses(handle: str, url: str | None, as_json: bool) -> None:
    """List the addresses that notifications are sent to, newest first, each shown in part.

    \b
    Example:
      gateway notifications addresses --handle @alice
    """
    found = ask(handle, url, lambda client: every(client.api.notifications.addresses()))
    show({"items": found}, as_json, addresses_lines(found))


@notifications.command()
@click.argument("address", help="An e-mail address.")
@by("--handle", "Whose notifications are sent to it.")
@_locale
@_time_zone
@asking
def add(address: str, handle: str, locale: Locale, time_zone: str, url: str | None, as_json: bool) -> None:
    """Send a code to an e-mail address. Confirm the address with the code, and notifications are sent to it.

    A wallet with a passkey adds addresses on its page.

    \b
    Example:
      gateway notifications add alice@example.com --handle @alice --locale th --time-zone Asia/Bangkok
    """

    def adding(client: Client) -> Awaitable[NotificationAddressView]:
        return client.api.notifications.add_address(address, locale=locale, time_zone=time_zone)

    added = ask(handle, url, adding)
    show(added, as_json, addresses_lines([added]))
    if added.state == "pending":
        of = for_shell(f"@{handle.removeprefix('@')}")
        say(f"a code is sent to it: gateway notifications confirm {for_shell(added.id)} CODE --handle {of}", err=True)


@notifications.command()
@_an_address
@click.argument("code", help="The code that was sent to it.")
@by("--handle", "Whose address it is.")
@asking
def confirm(id: str, code: str, handle: str, url: str | None, as_json: bool) -> None:
    """Confirm an address with the code that was sent to it.

    \b
    Example:
      gateway notifications confirm nad_01m81tq52cfv7bnsbsrhbmm7f5 049320 --handle @alice
    """
    found = ask(handle, url, lambda client: client.api.notifications.confirm_address(id, code))
    show(found, as_json, addresses_lines([found]))


@notifications.command()
@_an_address
@by("--handle", "Whose address it is.")
@asking
def remove(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Remove an address or a browser. It gets a last notification of its removal.

    \b
    Example:
      gateway notifications remove nad_01m81tq52cfv7bnsbsrhbmm7f5 --handle @alice
    """
    ended = ask(handle, url, lambda client: client.api.notifications.remove_address(id))
    show(ended, as_json, [f"{ended.id}, {ended.address}, is removed"])


@notifications.command("locale")
@click.argument("locale", type=click.Choice(LOCALES), help="The language of the texts.")
@click.argument("time_zone", metavar="ZONE", help="The time zone of times in them, such as Asia/Bangkok.")
@by("--handle", "Whose addresses.")
@asking
def set_locale(locale: Locale, time_zone: str, handle: str, url: str | None, as_json: bool) -> None:
    """Set the language and time zone of messages to all addresses.

    \b
    Example:
      gateway notifications locale th Asia/Bangkok --handle @alice
    """
    found = ask(handle, url, lambda client: client.api.notifications.set_locale(locale, time_zone))
    show({"items": found}, as_json, addresses_lines(found))


def notifications_lines(found: Sequence[NotificationView]) -> list[str]:
    """A line per notification."""
    rows = [[when(one.created_at), one.kind, one.title, "; ".join(map(_sent, one.deliveries)), one.id] for one in found]
    return table(["when", "kind", "title", "sent", "id"], rows) if rows else ["no notifications"]


def _sent(delivery: NotificationDeliveryView) -> str:
    """The delivery by a channel."""
    return f"{delivery.channel} {delivery.state}" + (f" ({delivery.reason})" if delivery.reason else "")


def settings_lines(found: NotificationPreferencesView) -> list[str]:
    """A line per kind, with a column per channel."""
    channels = list(dict.fromkeys(channel for kind in found.kinds for channel in kind.modes))
    rows = [
        [kind.kind, *(kind.modes.get(channel, "") for channel in channels), kind.description] for kind in found.kinds
    ]
    return table(["kind", *channels, "tells"], rows)


def addresses_lines(found: Sequence[NotificationAddressView]) -> list[str]:
    """A line per address."""
    rows = [[one.id, one.channel, one.address, _state(one), one.locale, one.time_zone] for one in found]
    return table(["address", "by", "shown as", "state", "language", "time zone"], rows) if rows else ["no addresses"]


def _state(address: NotificationAddressView) -> str:
    return f"{address.state} ({address.failure})" if address.failure else address.state


#: In the order that `gateway --help` lists them.
COMMANDS: Sequence[click.Command] = (notifications,)
