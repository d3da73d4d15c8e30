"""webhooks: a handle's endpoints and deliveries, and a way to test a receiver on this machine."""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import httpx
import msgspec
import rich_click as click

from gateway.api.webhooks.shapes import DeliveryView, WebhookView
from gateway.cli.options import asking, by
from gateway.cli.output import fields, table, when
from gateway.cli.wallet.calls import ask, every, say, show
from gateway.cli.wallet.client import Client
from gateway.clock import system_clock
from gateway.webhooks import message

#: How long a receiver may take, in seconds, the same as in the worker.
_ANSWER_SECONDS: Final = 15.0

#: How many deliveries are listed.
_DELIVERIES: Final = 50


@click.group()
def webhooks() -> None:
    """Manage a handle's webhook endpoints, and see their deliveries.

    \b
    Example:
      gateway webhooks create https://shop.example/webhooks --handle @shop --type payment.settled
      gateway webhooks listen --handle @shop --forward http://127.0.0.1:9000/webhooks
    """


@webhooks.command("list")
@by("--handle", "Whose webhooks.")
@asking
def list_webhooks(handle: str, url: str | None, as_json: bool) -> None:
    """List a handle's endpoints, newest first.

    \b
    Example:
      gateway webhooks list --handle @shop
    """
    found = ask(handle, url, lambda client: every(client.api.webhooks.list()))
    show({"items": found}, as_json, webhooks_lines(found))


@webhooks.command()
@click.argument("endpoint", metavar="ENDPOINT", help="The URL to send events to.")
@by("--handle", "Whose events.")
@click.option("--type", "types", multiple=True, default=["*"], help="An event type, or a group such as payment.*.")
@click.option("--description", default="", help="A note for yourself.")
@asking
def create(endpoint: str, handle: str, types: Sequence[str], description: str, url: str | None, as_json: bool) -> None:
    """Send events to ENDPOINT, a URL, from now on. Prints the secret that signs them: it is shown only once.

    \b
    Example:
      gateway webhooks create https://shop.example/webhooks --handle @shop --type payment.settled
    """
    made = ask(handle, url, lambda client: client.api.webhooks.create(endpoint, types, description=description))
    show(made, as_json, fields([("secret", made.secret), ("id", made.id)]))


@webhooks.command()
@click.argument("id", help="The endpoint's id, whk_….")
@by("--handle", "Whose webhook it is.")
@asking
def delete(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Delete an endpoint: nothing more is sent to it.

    \b
    Example:
      gateway webhooks delete whk_01m81tq52cfv7bnsbsrhbmm7f5 --handle @shop
    """
    ended = ask(handle, url, lambda client: client.api.webhooks.delete(id))
    show(ended, as_json, [f"nothing is sent to {ended.url} any more"])


@webhooks.command()
@click.argument("id", help="The endpoint's id, whk_….")
@by("--handle", "Whose webhook it is.")
@asking
def trigger(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Send a test event to an endpoint. gateway webhooks deliveries shows the outcome.

    \b
    Example:
      gateway webhooks trigger whk_01m81tq52cfv7bnsbsrhbmm7f5 --handle @shop
    """
    found = ask(handle, url, lambda client: client.api.webhooks.test(id))
    show(found, as_json, [f"a test event is being sent to {found.url}"])


@webhooks.command()
@click.argument("id", help="The endpoint's id, whk_….")
@by("--handle", "Whose webhook it is.")
@asking
def deliveries(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """List an endpoint's recent deliveries and their outcomes, newest first.

    \b
    Example:
      gateway webhooks deliveries whk_01m81tq52cfv7bnsbsrhbmm7f5 --handle @shop
    """

    def recent(client: Client) -> Awaitable[list[DeliveryView]]:
        return every(client.api.webhooks.deliveries(id, page_size=_DELIVERIES), _DELIVERIES)

    found = ask(handle, url, recent)
    show({"items": found}, as_json, deliveries_lines(found))


@webhooks.command()
@by("--handle", "Whose events.")
@click.option("--forward", "to", metavar="URL", required=True, help="A URL of this machine to send them to.")
@click.option("--type", "kind", metavar="TYPE", help="An event type, or a group such as payment.*.")
@click.option("--url", metavar="URL", help="The gateway's URL.  [default: the one that runs in the home]")
def listen(handle: str, to: str, kind: str | None, url: str | None) -> None:
    """Forward events to a URL of this machine as they happen, until Ctrl-C: for testing a receiver.

    They look like webhooks and are signed with a secret that is printed first and valid for this run. They are sent
    from this machine, once: nothing is retried.

    \b
    Example:
      gateway webhooks listen --handle @shop --forward http://127.0.0.1:9000/webhooks --type 'payment.*'
    """
    ask(handle, url, lambda client: _forward(client, to, kind))


async def _forward(client: Client, to: str, kind: str | None) -> None:
    secret, after = message.new_secret(), await client.last_event()
    say(f"forwarding events of @{client.handle} to {to}, signed with the secret {message.secret_text(secret)}")
    async with (
        httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False) as there,
        aclosing(client.tail(kind, after)) as following,
    ):
        async for event in following:
            body = message.fitting(msgspec.json.encode(event))
            headers = message.headers([secret], event.id, system_clock(), body)
            say(f"{event.type}  {event.id}  {await _sent(there, to, headers, body)}")


async def _sent(there: httpx.AsyncClient, to: str, headers: Mapping[str, str], body: bytes) -> str:
    try:
        return str((await there.post(to, headers=dict(headers), content=body)).status_code)
    except httpx.TimeoutException:
        return "no answer in time"
    except (httpx.HTTPError, httpx.InvalidURL):
        return "no connection"


def webhooks_lines(found: Sequence[WebhookView]) -> list[str]:
    """A line per endpoint."""
    rows = [
        [
            one.id,
            one.url,
            " ".join(one.types),
            one.description,
            f"disabled ({one.disabled_by})" if one.disabled_by else "enabled",
            when(one.failing_since),
        ]
        for one in found
    ]
    return table(["webhook", "URL", "types", "description", "state", "failing since"], rows)


def deliveries_lines(found: Sequence[DeliveryView]) -> list[str]:
    """A line per delivery, with its last try."""
    rows = [[one.event_id, one.type, one.state, str(len(one.attempts)), _last(one), when(one.next_at)] for one in found]
    return table(["event", "type", "state", "tries", "last", "next"], rows, right=(3,))


def _last(delivery: DeliveryView) -> str:
    if not delivery.attempts:
        return ""
    last = delivery.attempts[-1]
    return f"{last.outcome} {last.status}" if last.status else last.outcome


#: In the order that `gateway --help` lists them.
COMMANDS: Sequence[click.Command] = (webhooks,)
