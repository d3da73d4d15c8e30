"""events: print a wallet's events as they happen, one per line."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import rich_click as click

from gateway.cli.options import asking, by
from gateway.cli.output import when
from gateway.cli.wallet.calls import ask, say
from gateway.cli.wallet.client import Client
from gateway.client import Event
from gateway.escape import for_shell, json_line_for_terminal


@click.group()
def events() -> None:
    """Follow the events of a wallet.

    \b
    Example:
      gateway events tail --handle @shop
      gateway events tail --handle @shop --type 'payment.*' --json
    """


@events.command()
@by("--handle", "Whose events.")
@click.option("--type", "kind", metavar="TYPE", help="An event type, or a group such as payment.*.")
@click.option("--after", metavar="EVENT", help="Start after this event, by its id.  [default: the newest]")
@asking
def tail(handle: str, kind: str | None, after: str | None, url: str | None, as_json: bool) -> None:
    """Print events as they happen, one per line, until Ctrl-C. With --json a line is an event as the API returns it.

    Reconnects when the gateway restarts, and misses no event. At the end it prints how to continue.

    \b
    Example:
      gateway events tail --handle @shop
      gateway events tail --handle @shop --type 'payment.*' --json
      gateway events tail --handle @shop --after evt_01m8p4zk5xg00800000000000j
    """
    try:
        ask(handle, url, lambda client: _tail(client, kind, after, as_json))
    except KeyboardInterrupt:
        pass  # Ctrl-C is how it ends
    except BrokenPipeError:  # the reader has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _tail(client: Client, kind: str | None, after: str | None, as_json: bool) -> None:
    newest = await client.last_event()  # also fails at once if there is no gateway
    after = after or newest
    try:
        async with aclosing(client.tail(kind, after)) as following:
            async for event in following:
                if as_json:
                    say(json_line_for_terminal(msgspec.to_builtins(event)))
                else:
                    say(event_line(event))
                after = event.id
    except BrokenPipeError:
        raise
    except BaseException:
        if after is not None:
            again = f"gateway events tail --handle {for_shell('@' + client.handle)} --after {for_shell(after)}"
            say(f"the last event was {after}; to continue: {again}", err=True)
        raise


def event_line(event: Event) -> str:
    """The time of an event, its type and id, and its object."""
    data: Mapping[str, Any] = msgspec.to_builtins(event.data)
    parties = " to ".join(str(data[side]) for side in ("from", "to") if data.get(side))
    money = f"{data['amount']} {data['asset']}" if data.get("amount") and data.get("asset") else ""
    about = [data.get("id"), parties, money, data.get("memo"), data.get("name"), data.get("failure")]
    return "  ".join([when(event.created_at), event.type, event.id, *(str(one) for one in about if one)])


#: In the order that `gateway --help` lists them.
COMMANDS: Sequence[click.Command] = (events,)
