"""The options that commands have in common, each a decorator with its own words for --help."""

from collections.abc import Callable
from typing import Any, TypeVar

import rich_click as click

Command = TypeVar("Command", bound=Callable[..., Any])

_LIMIT = click.IntRange(1, 200)


def asking(command: Command) -> Command:
    """The options that every question has."""
    command = click.option("--url", metavar="URL", help="Another gateway than the one that runs in the home.")(command)
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def by(option: str, what: str) -> Callable[[Command], Command]:
    """The option that names whose API key is used."""
    return click.option(option, "handle", metavar="HANDLE", required=True, help=what)


def paging(command: Command) -> Command:
    """The options of a list."""
    command = click.option("--cursor", help="Go on where the page before ended.")(command)
    return click.option("--limit", type=_LIMIT, default=20, show_default=True, help="How many at the most.")(command)


def period(command: Command) -> Command:
    """The options of a list that takes a part of the time. Times are RFC 3339, with an offset."""
    command = click.option("--until", metavar="TIME", help="Before this time.")(command)
    return click.option("--since", metavar="TIME", help="From this time on, such as 2030-01-31T12:00:00Z.")(command)


def reference(command: Command) -> Command:
    """The option that notes something on a payment for the caller's own systems."""
    about = "Your own number for it, such as an order's; only you see it."
    return click.option("--reference", metavar="TEXT", help=about)(command)


def checked_metadata(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE, any number of times, as an object."""
    pairs = [one.partition("=") for one in given]
    if not all(equals for _, equals, _ in pairs):
        raise click.BadParameter("it should be a key, = and a value, such as shop=berlin")
    if len({key for key, _, _ in pairs}) < len(pairs):
        raise click.BadParameter("a key is there twice; give it once")
    return {key: value for key, _, value in pairs}


def moving(command: Command) -> Command:
    """The option of every command that moves money."""
    about = "Idempotency key: the same command with the same key moves money once."
    return click.option("--key", metavar="TEXT", callback=_checked_key, help=about)(command)


def _checked_key(_: click.Context, __: click.Parameter, key: str | None) -> str | None:
    if key is not None and not is_visible(key):
        raise click.BadParameter("it should be 1 to 255 visible ASCII characters, without spaces")
    return key


def waiting(command: Command) -> Command:
    about = "Wait until it has ended, printing each state it passes through.  [default: wait]"
    return click.option("--wait/--no-wait", default=True, help=about)(command)


def is_visible(text: str) -> bool:
    """Whether the text can be an API key or an idempotency key: 1 to 255 visible ASCII characters."""
    return 1 <= len(text) <= 255 and all("!" <= letter <= "~" for letter in text)
