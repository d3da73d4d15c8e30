"""requests: request money from another handle, and pay, decline or cancel requests."""

from collections.abc import Awaitable, Sequence

import rich_click as click

from gateway.api.requests.shapes import RequestView
from gateway.cli.options import an_amount, an_asset, asking, at_most, by, moving, waiting
from gateway.cli.output import table, when
from gateway.cli.wallet.calls import ask, every, follow, show
from gateway.cli.wallet.client import Client
from gateway.payments.requests.state import STATES

_A_REQUEST = click.argument("id", help="The request's id, req_….")


@click.group()
def requests() -> None:
    """Request money from others, and pay or decline their requests.

    \b
    Example:
      gateway requests create @bob 12.50 EUR --handle @alice --memo dinner
      gateway requests list --handle @bob --in
    """


@requests.command()
@click.argument("payer", help="The handle of the payer.")
@an_amount
@an_asset
@by("--handle", "The handle that asks.")
@click.option("--memo", help="What it is for. Both sides see it.")
@moving
@asking
def create(
    payer: str,
    amount: str,
    asset: str,
    handle: str,
    memo: str | None,
    key: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Request AMOUNT of ASSET from PAYER. No money moves until PAYER pays. A request is open for 30 days.

    \b
    Example:
      gateway requests create @bob 12.50 EUR --handle @alice --memo dinner
    """

    def making(client: Client) -> Awaitable[RequestView]:
        return client.api.requests.create(payer, amount, asset, memo=memo, idempotency_key=key)

    made = ask(handle, url, making)
    show(made, as_json, [f"{made.id}: {made.to} asks {made.from_} for {made.amount} {made.asset}"])


@requests.command("list")
@by("--handle", "The handle whose requests to list.")
@click.option("--in", "direction", flag_value="in", help="Only requests to the handle.")
@click.option("--out", "direction", flag_value="out", help="Only requests by the handle.")
@click.option("--state", type=click.Choice(STATES), help="Only requests in this state.")
@click.option("--counterparty", metavar="HANDLE", help="Only requests from or to this handle.")
@at_most
@asking
def list_requests(
    handle: str,
    direction: str | None,
    state: str | None,
    counterparty: str | None,
    limit: int,
    url: str | None,
    as_json: bool,
) -> None:
    """List requests to and by a handle, newest first.

    \b
    Example:
      gateway requests list --handle @bob --in --state open
    """

    def listed(client: Client) -> Awaitable[list[RequestView]]:
        found = client.api.requests.list(direction=direction, state=state, counterparty=counterparty)
        return every(found, limit)

    found = ask(handle, url, listed)
    show({"items": found}, as_json, requests_lines(found))


@requests.command()
@_A_REQUEST
@by("--from", "The handle that pays.")
@moving
@waiting
@asking
def pay(id: str, handle: str, key: str | None, wait: bool, url: str | None, as_json: bool) -> None:
    """Pay a request. It is paid once, however often this command is run.

    \b
    Example:
      gateway requests pay req_01m81tq52cfv7bnsbsrhbmm7f5 --from @bob
    """
    follow(handle, url, as_json, wait, "payments", lambda client: client.pay_request(id, key))


@requests.command()
@_A_REQUEST
@by("--handle", "The handle that is asked.")
@asking
def decline(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Decline a request: it can no longer be paid.

    \b
    Example:
      gateway requests decline req_01m81tq52cfv7bnsbsrhbmm7f5 --handle @bob
    """
    _show_ended(ask(handle, url, lambda client: client.api.requests.decline(id)), as_json)


@requests.command()
@_A_REQUEST
@by("--handle", "The handle that asks.")
@asking
def cancel(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Cancel a handle's own request.

    \b
    Example:
      gateway requests cancel req_01m81tq52cfv7bnsbsrhbmm7f5 --handle @alice
    """
    _show_ended(ask(handle, url, lambda client: client.api.requests.cancel(id)), as_json)


def _show_ended(ended: RequestView, as_json: bool) -> None:
    show(ended, as_json, [f"{ended.id} is {ended.state}"])


def requests_lines(found: Sequence[RequestView]) -> list[str]:
    """A line per request."""
    if not found:
        return ["no requests"]
    rows = [
        [one.id, one.to, one.from_, f"{one.amount} {one.asset}", one.state, when(one.expires_at), one.memo or ""]
        for one in found
    ]
    return table(["request", "asked by", "payer", "amount", "state", "until", "memo"], rows)


#: In the order that `gateway --help` lists them.
COMMANDS: Sequence[click.Command] = (requests,)
