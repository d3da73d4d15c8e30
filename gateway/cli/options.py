"""The options that commands share, each a decorator with its own --help text."""

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import rich_click as click

from gateway.payments.model.route import RailName

Command = TypeVar("Command", bound=Callable[..., Any])

#: The rails that an option can name.
RAIL = click.Choice(get_args(RailName))

_LIMIT = click.IntRange(1, 200)


def asking(command: Command) -> Command:
    """The options of every command that calls the API."""
    command = click.option("--url", metavar="URL", help="The gateway's URL.  [default: the one that runs in the home]")(
        command
    )
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def by(option: str, what: str) -> Callable[[Command], Command]:
    """The option that names whose API key is used."""
    return click.option(option, "handle", metavar="HANDLE", required=True, help=what)


def paging(command: Command) -> Command:
    """The options of a list in pages."""
    return at_most(click.option("--cursor", help="Continue after the previous page: its next_cursor.")(command))


def at_most(command: Command) -> Command:
    """The option that limits a list."""
    return click.option("--limit", type=_LIMIT, default=20, show_default=True, help="The most to list.")(command)


def period(command: Command) -> Command:
    """The options that limit a list to a period. Times are RFC 3339, with an offset."""
    command = click.option("--until", metavar="TIME", help="Before this time.")(command)
    return click.option("--since", metavar="TIME", help="At or after this time, such as 2030-01-31T12:00:00Z.")(command)


def reference(command: Command) -> Command:
    """The options for a payment's reference and metadata, for the caller's own systems."""
    about = "Your own reference, such as an order number. Only you see it."
    return click.option("--reference", metavar="TEXT", help=about)(command)


def checked_metadata(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE, any number of times, as an object."""
    pairs = [one.partition("=") for one in given]
    if not all(equals for _, equals, _ in pairs):
        raise click.BadParameter("it should be a key, = and a value, such as shop=berlin")
    if len({key for key, _, _ in pairs}) < len(pairs):
        raise click.BadParameter("a key is there twice; give it once")
    return {key: value for key, _, value in pairs}


#: Arguments that several commands have.
a_handle = click.argument("handle", help="A handle, such as @alice.")
a_payee = click.argument("to", help="The payee: a handle, such as @bob, or an address.")
an_amount = click.argument("amount", help="A decimal amount, such as 5.00.")
an_asset = click.argument("asset", help="The code of an asset, such as EUR or USDX.")
a_payment = click.argument("payment_id", help="The payment's id, pay_….")


def moving(command: Command) -> Command:
    """The option of every command that moves money."""
    about = "An idempotency key: repeated with the same key, the command does nothing more."
    return click.option("--key", metavar="TEXT", callback=_checked_key, help=about)(command)


def _checked_key(_: click.Context, __: click.Parameter, key: str | None) -> str | None:
    if key is not None and not is_visible(key):
        raise click.BadParameter("it should be 1 to 255 visible ASCII characters, without spaces")
    return key


def waiting(command: Command) -> Command:
    about = "Wait for the outcome, and print each state on the way.  [default: wait]"
    return click.option("--wait/--no-wait", default=True, help=about)(command)


def is_visible(text: str) -> bool:
    """Whether the text can be an API key or an idempotency key: 1 to 255 visible ASCII characters."""
    return 1 <= len(text) <= 255 and all("!" <= letter <= "~" for letter in text)
