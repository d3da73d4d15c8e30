"""What a person does with a handle: each command, its arguments and its worked example. `client.py` does the asking.

Results go to standard output, for people or with `--json` for programs; everything else goes to standard error.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, TypeVar

import rich_click as click
from rich.console import Console

from gateway.commands import printing
from gateway.commands.client import Answer, Client, NotSettled, is_visible, url_of
from gateway.config import Config, from_environment

T = TypeVar("T")
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


# ---- handles and balances -------------------------------------------------------------------------------------------


@click.group()
def handle() -> None:
    """Claim a handle, or see what is public of one.

    \b
    Example:
      gateway handle create carol
      gateway handle show @carol
    """


@handle.command()
@click.argument("handle")
@asking
def create(handle: str, url: str | None, as_json: bool) -> None:
    """Claim a handle: a wallet, an address on the chain, and an API key, kept in keys/ in the home.

    \b
    Example:
      gateway handle create carol
    """
    claimed = ask(handle, url, lambda client: client.claim())
    shown = {name: value for name, value in claimed.items() if name != "api_key"}
    key_file = str(_config().home / "keys" / claimed["handle"])
    show({**shown, "api_key_file": key_file}, as_json, printing.handle_lines(claimed, key_file))


@handle.command("show")
@click.argument("handle")
@asking
def show_handle(handle: str, url: str | None, as_json: bool) -> None:
    """What is public of a handle: its wallet's id and its address.

    \b
    Example:
      gateway handle show @bob
    """
    found = ask(handle, url, lambda client: client.public())
    show(found, as_json, printing.handle_lines(found))


@click.command()
@click.argument("handle")
@asking
def balance(handle: str, url: str | None, as_json: bool) -> None:
    """What a handle has: every currency and every token.

    \b
    Example:
      gateway balance @alice
    """
    wallet = ask(handle, url, lambda client: client.wallet())
    show(wallet, as_json, printing.wallet_lines(wallet))


@click.command()
@click.argument("handle")
@click.argument("asset")
@paging
@asking
def statement(handle: str, asset: str, limit: int, cursor: str | None, url: str | None, as_json: bool) -> None:
    """The entries of a handle's account in one asset, newest first, with the balance after each.

    \b
    Example:
      gateway statement @alice EUR --limit 5
    """
    entries = ask(handle, url, lambda client: client.statement(asset, limit, cursor))
    show(entries, as_json, printing.statement_lines(entries))


# ---- money in and out -----------------------------------------------------------------------------------------------


@click.command()
@click.argument("amount")
@click.argument("asset")
@by("--to", "Whose money it becomes.")
@moving
@asking
def deposit(amount: str, asset: str, handle: str, key: str | None, url: str | None, as_json: bool) -> None:
    """Pay money in from the bank.

    \b
    Example:
      gateway deposit 50.00 EUR --to @alice
    """
    moved = ask(handle, url, lambda client: client.deposit(amount, asset, key))
    show_moved(moved, as_json, [printing.bank_line(moved, handle.removeprefix("@"))])


@click.command()
@click.argument("amount")
@click.argument("asset")
@by("--from", "Whose money it is.")
@moving
@asking
def withdraw(amount: str, asset: str, handle: str, key: str | None, url: str | None, as_json: bool) -> None:
    """Pay money out to the bank.

    \b
    Example:
      gateway withdraw 20.00 EUR --from @alice
    """
    moved = ask(handle, url, lambda client: client.withdraw(amount, asset, key))
    show_moved(moved, as_json, [printing.bank_line(moved, handle.removeprefix("@"))])


@click.command()
@click.argument("amount")
@click.argument("asset")
@click.argument("to_asset")
@by("--from", "Whose money it is.")
@moving
@waiting
@asking
def convert(
    amount: str,
    asset: str,
    to_asset: str,
    handle: str,
    key: str | None,
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Buy tokens with the currency that backs them, or redeem them for it, one for one.

    \b
    Example:
      gateway convert 25.00 USD USDX --from @alice
      gateway convert 10.00 USDX USD --from @alice
    """
    start = lambda client: client.convert(amount, asset, to_asset, key)  # noqa: E731 - said once, used below
    follow(handle, url, as_json, wait, "conversions", start)


# ---- payments -------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("to")
@click.argument("amount")
@click.argument("asset")
@by("--from", "Who pays.")
@click.option("--memo", help="A note that both sides see.")
@click.option("--hold", is_flag=True, help="Only set the money aside, for gateway capture or gateway void.")
@moving
@waiting
@asking
def pay(
    to: str,
    amount: str,
    asset: str,
    handle: str,
    memo: str | None,
    hold: bool,
    key: str | None,
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Pay a handle or an address.

    \b
    Example:
      gateway pay @bob 5.00 EUR --from @alice --memo coffee
      gateway pay @shop 3.00 USDX --from @alice --key order-17
    """
    start = lambda client: client.pay(to, amount, asset, memo, capture=not hold, key=key)  # noqa: E731 - as above
    follow(handle, url, as_json, wait, "payments", start)


@click.command()
@click.argument("to")
@click.argument("amount")
@click.argument("asset")
@by("--from", "Who would pay.")
@asking
def preview(to: str, amount: str, asset: str, handle: str, url: str | None, as_json: bool) -> None:
    """Which way a payment would take, why, at what fee, and what would be left. Nothing moves.

    \b
    Example:
      gateway preview @shop 3.00 USDX --from @alice
    """
    found = ask(handle, url, lambda client: client.preview(to, amount, asset))
    show(found, as_json, printing.preview_lines(found, asset))


@click.command()
@click.argument("handle")
@paging
@asking
def payments(handle: str, limit: int, cursor: str | None, url: str | None, as_json: bool) -> None:
    """What a handle paid and was paid, newest first.

    \b
    Example:
      gateway payments @alice --limit 5
    """
    page = ask(handle, url, lambda client: client.payments(limit, cursor))
    show(page, as_json, printing.payments_lines(page))


@click.command("show")
@click.argument("payment_id")
@by("--from", "Its payer or its payee.")
@asking
def show_payment(payment_id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Everything about one payment or conversion.

    \b
    Example:
      gateway show pay_01m81tq52cfv7bnsbsrhbmm7f5 --from @alice
    """
    if payment_id.startswith("cnv_"):
        found = ask(handle, url, lambda client: client.show("conversions", payment_id))
        show(found, as_json, printing.conversion_lines(found))
    else:
        found = ask(handle, url, lambda client: client.show("payments", payment_id))
        show(found, as_json, printing.payment_lines(found))


@click.command()
@click.argument("payment_id")
@by("--from", "Its payer or its payee.")
@click.option("--amount", help="Only a part; the rest goes back to the payer.")
@moving
@waiting
@asking
def capture(
    payment_id: str,
    handle: str,
    amount: str | None,
    key: str | None,
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Pay what is held, all of it or a part.

    \b
    Example:
      gateway capture pay_01m81tq52cfv7bnsbsrhbmm7f5 --from @shop --amount 8.00
    """
    follow(handle, url, as_json, wait, "payments", lambda client: client.end("capture", payment_id, amount, key))


@click.command()
@click.argument("payment_id")
@by("--from", "Its payer or its payee.")
@moving
@asking
def void(payment_id: str, handle: str, key: str | None, url: str | None, as_json: bool) -> None:
    """Give what is held back to the payer.

    \b
    Example:
      gateway void pay_01m81tq52cfv7bnsbsrhbmm7f5 --from @shop
    """
    follow(handle, url, as_json, False, "payments", lambda client: client.end("void", payment_id, key=key))


@click.command()
@click.argument("payment_id")
@by("--from", "Its payee, who gives back.")
@click.option("--amount", help="Only a part; the rest can be given back later.")
@moving
@waiting
@asking
def refund(
    payment_id: str,
    handle: str,
    amount: str | None,
    key: str | None,
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Give a settled payment back, all that is left of it or a part. A refund is a payment of its own.

    \b
    Example:
      gateway refund pay_01m81tq52cfv7bnsbsrhbmm7f5 --from @bob --amount 2.00
    """
    follow(handle, url, as_json, wait, "payments", lambda client: client.end("refund", payment_id, amount, key))


#: In the order that `gateway --help` lists them.
COMMANDS: Sequence[click.Command] = (
    *(handle, balance, deposit, withdraw, convert),
    *(preview, pay, payments, show_payment, capture, void, refund, statement),
)


# ---- asking and showing ---------------------------------------------------------------------------------------------


def ask(handle: str, url: str | None, question: Callable[[Client], Awaitable[T]]) -> T:
    """The answer to one question, asked for a handle."""

    async def asked() -> T:
        async with _client(handle, url) as client:
            return await question(client)

    return asyncio.run(asked())


def follow(
    handle: str,
    url: str | None,
    as_json: bool,
    wait: bool,
    kind: str,
    start: Callable[[Client], Awaitable[Answer]],
) -> None:
    """Start a payment or conversion and, with `wait`, follow it to its end, printing each state when it is reached.

    Raises NotSettled where it ends otherwise than it was asked to.
    """

    async def followed() -> dict[str, Any]:
        begun = time.monotonic()
        async with _client(handle, url) as client:
            first = await start(client)
            found: dict[str, Any] = first
            if not as_json:
                click.echo(printing.opening_line(first))
            _say_if_replayed(first)
            try:
                with _spinner(wait and not as_json):
                    async for found in client.follow(kind, first):
                        if not as_json:
                            click.echo(printing.state_line(found, time.monotonic() - begun))
                        if not wait:
                            break
            except asyncio.CancelledError:
                click.echo(
                    f"no longer waiting, but it goes on: gateway show {first['id']} --from @{client.handle}", err=True
                )
                raise
            return {**found, "replayed": first.replayed}

    last = asyncio.run(followed())
    if as_json:
        _print_json(last)
    if last["state"] in ("failed", "refused", "expired"):
        raise NotSettled(last)


def show(answer: dict[str, Any], as_json: bool, lines: Sequence[str]) -> None:
    """Print an answer, for people or for programs."""
    if as_json:
        _print_json(answer)
    else:
        click.echo("\n".join(lines))


def show_moved(answer: Answer, as_json: bool, lines: Sequence[str]) -> None:
    """As `show`, for an answer about money that was moved at once."""
    show({**answer, "replayed": answer.replayed} if as_json else answer, as_json, lines)
    _say_if_replayed(answer)


def _say_if_replayed(answer: Answer) -> None:
    if answer.replayed:
        click.echo("a replay: this key was used before, so this is the first answer again and no money moved", err=True)


def _print_json(answer: dict[str, Any]) -> None:
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def _spinner(wanted: bool) -> AbstractContextManager[object]:
    """Something that turns while we wait, on a terminal; what is printed meanwhile stands above it."""
    if not (wanted and sys.stdout.isatty()):
        return nullcontext()
    return Console().status("waiting; Ctrl-C stops the waiting, not the payment")


@asynccontextmanager
async def _client(handle: str, url: str | None) -> AsyncIterator[Client]:
    config = _config()
    client = Client(url_of(config, url), config.home / "keys", handle)
    try:
        yield client
    finally:
        await client.close()


def _config() -> Config:
    return from_environment()
