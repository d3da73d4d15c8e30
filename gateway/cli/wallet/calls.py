"""Calls the API for a handle, and shows the answer.

Results go to standard output, for people or with `--json` for programs; everything else goes to standard error.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import rich_click as click
from msgspec import Struct
from rich.console import Console

from gateway.cli.wallet import printout
from gateway.cli.wallet.client import Answer, Client, url_of
from gateway.cli.wallet.errors import NotSettled
from gateway.config.environment import from_environment
from gateway.errors import Misconfigured
from gateway.escape import for_shell, for_terminal, json_for_terminal

T = TypeVar("T")

#: The exit status of a command whose payment was accepted and waits for its payer to approve or to sign it.
WAITS: Final = 4


def ask(handle: str, url: str | None, question: Callable[[Client], Awaitable[T]]) -> T:
    """Make one call for a handle, and return its answer."""

    async def asked() -> T:
        async with _client(handle, url) as client:
            with client.told():
                return await question(client)

    return asyncio.run(asked())


async def every(items: AsyncGenerator[T, None], maximum: int | None = None) -> list[T]:
    """All items of one of the client's lists, or the first `maximum`."""
    async with aclosing(items):
        found: list[T] = []
        async for one in items:
            found.append(one)
            if len(found) == maximum:
                break
        return found


def follow(
    handle: str | None,
    url: str | None,
    as_json: bool,
    wait: bool,
    kind: str,
    start: Callable[[Client], Awaitable[Answer]],
    look: Callable[[Client], Awaitable[Answer]] | None = None,
) -> None:
    """Start a payment or conversion and, with `wait`, follow it to its end, printing each state when it is reached.
    `look` finds it if its id is not enough.

    Raises NotSettled if it ends in another state. Ends the command with the status `WAITS` if it is accepted and
    continues only once its payer approves or signs it.
    """

    async def followed() -> dict[str, Any]:
        started = time.monotonic()
        async with _client(handle, url) as client:
            first = await start(client)
            found: dict[str, Any] = first
            if not as_json:
                say(printout.opening_line(first))
            _say_if_replayed(first)
            try:
                with _spinner(wait and not as_json):
                    async for found in client.follow(kind, first, look):
                        if not as_json:
                            say(printout.state_line(found, time.monotonic() - started))
                        if not wait:
                            break
            except asyncio.CancelledError:
                say(
                    f"no longer waiting, but it goes on: {_typed('gateway show', first['id'], client.handle)}", err=True
                )
                raise
            return {**found, "replayed": first.replayed}

    last = asyncio.run(followed())
    if as_json:
        _print_json(last)
    if last["state"] == "requires_confirmation":
        hint = f"it waits for your own key's signature: {_typed('scripts/wallet confirm', last['id'], last['from'])}"
        if last.get("approval"):
            why = ", ".join(last["approval"]["reasons"])
            hint = f"it waits for its payer's approval by a passkey, on the gateway's page ({why}): {last['id']}"
        say(hint, err=True)
        sys.exit(WAITS)
    if last["state"] in ("failed", "declined", "expired"):
        raise NotSettled(last)


def say(*lines: str, err: bool = False) -> None:
    """Print lines, to standard error with `err`. Everything that a command prints goes through here or `show`: other
    people's text in it is escaped, so that it stays on its line and moves no cursor.
    """
    click.echo("\n".join(map(for_terminal, lines)), err=err)


def show(answer: Struct | Mapping[str, object], as_json: bool, lines: Sequence[str]) -> None:
    """Print an answer, for people or for programs."""
    if as_json:
        _print_json(answer)
    else:
        say(*lines)


def show_moved(answer: Answer, as_json: bool, lines: Sequence[str]) -> None:
    """Like `show`, for an answer about money that was moved at once."""
    show({**answer, "replayed": answer.replayed} if as_json else answer, as_json, lines)
    _say_if_replayed(answer)


def password_of(path: Path | None, confirm: bool = True) -> str:
    """A password: prompted for, twice if it is new, or read from a file that only its owner can read.

    Raises Misconfigured.
    """
    if path is None:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True))
    try:
        if path.stat().st_mode & 0o077:
            raise Misconfigured(f"others can read the password in {path}: run chmod 600 {for_shell(str(path))}")
        password = path.read_text().rstrip("\r\n")
    except OSError as error:
        raise Misconfigured(f"the password file {path} cannot be read: {error.strerror}") from None
    if not password:
        raise Misconfigured(f"there is no password in {path}")
    return password


def _typed(command: str, id: str, handle: str) -> str:
    """A command about a payment, to copy from the output."""
    return f"{command} {for_shell(id)} --from {for_shell('@' + handle.removeprefix('@'))}"


def _say_if_replayed(answer: Answer) -> None:
    if answer.replayed:
        say("a replay: this key was used before, so this is the first answer again and no money moved", err=True)


def _print_json(answer: Struct | Mapping[str, object]) -> None:
    click.echo(json_for_terminal(msgspec.to_builtins(answer)))


def _spinner(wanted: bool) -> AbstractContextManager[object]:
    """A spinner on a terminal while waiting; output appears above it."""
    if not (wanted and sys.stdout.isatty()):
        return nullcontext()
    return Console().status("waiting; Ctrl-C stops the waiting, not the payment")


@asynccontextmanager
async def _client(handle: str | None, url: str | None) -> AsyncIterator[Client]:
    config = from_environment()
    client = Client(url_of(config, url), config.home / "keys", handle)
    try:
        yield client
    finally:
        await client.close()
