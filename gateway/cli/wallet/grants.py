"""api-keys and mandates: grant rights to programs and other handles, and revoke them."""

from collections.abc import Awaitable, Sequence

import rich_click as click

from gateway.api.identity.shapes import CapView, KeyView, NewKeyView
from gateway.api.payments.shapes import MandateView
from gateway.cli.options import RAIL, an_amount, an_asset, asking, by, moving, waiting
from gateway.cli.output import fields, table, when
from gateway.cli.wallet.calls import ask, every, follow, show
from gateway.cli.wallet.client import Client
from gateway.errors import InvalidRequest
from gateway.payments.model.route import RailName

_SCOPE = click.Choice(["read", "pay", "refund", "webhooks"])

# ---- API keys -------------------------------------------------------------------------------------------------------


@click.group("api-keys")
def api_keys() -> None:
    """Manage API keys: what each may do, until when, and from which networks.

    \b
    Example:
      gateway api-keys create "Web shop" --handle @shop --scope read --scope pay --cap EUR:50.00:200.00
      gateway api-keys list --handle @shop
    """


@api_keys.command("list")
@by("--handle", "The handle whose keys to list.")
@asking
def list_keys(handle: str, url: str | None, as_json: bool) -> None:
    """List the valid API keys of a handle, newest first.

    \b
    Example:
      gateway api-keys list --handle @shop
    """
    found = ask(handle, url, lambda client: every(client.api.api_keys.list()))
    show({"items": found}, as_json, keys_lines(found))


@api_keys.command("create")
@click.argument("name", help="A name for the key, for people.")
@by("--handle", "The handle whose wallet the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=_SCOPE, help="A scope of the key. May be repeated."
)
@click.option(
    "--cap",
    "caps",
    multiple=True,
    metavar="ASSET:PAYMENT:DAY",
    help="A spending cap: the most of an asset per payment and per day. May be repeated.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="A network that may use the key. May be repeated.  [default: any]",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Days until the key expires.  [default: never]")
@asking
def create_key(
    name: str,
    handle: str,
    scopes: Sequence[str],
    caps: Sequence[str],
    networks: Sequence[str],
    days: int | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Create an API key for a program. The key is shown only once.

    \b
    Example:
      gateway api-keys create "Web shop" --handle @shop --scope read --scope pay --cap EUR:50.00:200.00 --days 90
    """
    limits, expires_in = [_cap(text) for text in caps], days * 86_400 if days else None

    def making(client: Client) -> Awaitable[NewKeyView]:
        return client.api.api_keys.create(name, scopes, caps=limits, networks=networks, expires_in=expires_in)

    made = ask(handle, url, making)
    show(made, as_json, fields([("API key", made.api_key), ("id", made.id)]))


@api_keys.command("replace")
@click.argument("id", help="The key's id, key_….")
@by("--handle", "The handle that the key belongs to.")
@click.option(
    "--overlap",
    type=click.IntRange(0, 604_800),
    default=3600,
    help="Seconds for which both keys are valid.  [default: 3600]",
)
@asking
def replace_key(id: str, handle: str, overlap: int, url: str | None, as_json: bool) -> None:
    """Replace an API key by one with the same rights. The new key is shown only once.

    The old key stays valid for --overlap seconds. If it is the key that this command line uses for the handle, the new
    one replaces it in keys/ in the home.

    \b
    Example:
      gateway api-keys replace key_01m81tq52cfv7bnsbsrhbmm7f5 --handle @shop
    """

    async def replaced(client: Client) -> None:
        is_ours = any(one.id == id and one.current for one in await every(client.api.api_keys.list()))
        made = await client.api.api_keys.replace(id, overlap)
        show(made, as_json, fields([("API key", made.api_key), ("id", made.id)]))
        if is_ours:
            client.keep_api_key(made.api_key)

    ask(handle, url, replaced)


@api_keys.command("revoke")
@click.argument("id", help="The key's id, key_….")
@by("--handle", "The handle that the key belongs to.")
@asking
def revoke_key(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Revoke an API key at once.

    \b
    Example:
      gateway api-keys revoke key_01m81tq52cfv7bnsbsrhbmm7f5 --handle @shop
    """
    ended = ask(handle, url, lambda client: client.api.api_keys.revoke(id))
    show(ended, as_json, [f"{ended.id}, {ended.name}, is revoked"])


def keys_lines(found: Sequence[KeyView]) -> list[str]:
    """A line per key."""
    rows = [
        [
            one.id,
            one.name,
            " ".join(one.scopes),
            "; ".join(map(_cap_text, one.caps)),
            _until(one),
            when(one.last_used_at),
        ]
        for one in found
    ]
    return table(["key", "name", "scopes", "caps", "until", "last used"], rows)


def _until(grant: KeyView | MandateView) -> str:
    """Until when a key or a mandate is valid; or that its owner has to approve it first, on the wallet's page."""
    return "waits for its owner's approval" if grant.needs_approval else when(grant.expires_at)


def _cap(text: str) -> CapView:
    asset, _, limits = text.partition(":")
    payment, _, day = limits.partition(":")
    if not asset or ":" in day or not (payment or day):
        raise InvalidRequest("cap", f"--cap {text!r}: write ASSET:PAYMENT:DAY, such as EUR:50.00:200.00 or EUR::200.00")
    return CapView(asset, payment=payment or None, day=day or None)


def _cap_text(cap: CapView) -> str:
    parts = [f"{amount} {words}" for amount, words in ((cap.payment, "at once"), (cap.day, "a day")) if amount]
    where = [f"to {cap.payee}"] if cap.payee else []
    return f"{cap.asset}: " + ", ".join([*parts, *where, *([f"by the {cap.rail}"] if cap.rail else [])])


# ---- mandates -------------------------------------------------------------------------------------------------------


@click.group()
def mandates() -> None:
    """Manage mandates: what others may draw from a wallet.

    \b
    Example:
      gateway mandates grant @shop 20.00 EUR --handle @alice --days 30
      gateway mandates list --handle @alice
    """


@mandates.command("list")
@by("--handle", "The handle that granted the mandates, or draws by them.")
@asking
def list_mandates(handle: str, url: str | None, as_json: bool) -> None:
    """List the mandates that a handle has granted, and those that it may draw by, newest first.

    \b
    Example:
      gateway mandates list --handle @alice
    """
    found = ask(handle, url, lambda client: every(client.api.mandates.list()))
    show({"items": found}, as_json, mandates_lines(found))


@mandates.command()
@click.argument("payee", help="The handle that may draw.")
@click.argument("period", metavar="AMOUNT", help="The most in any period.")
@an_asset
@by("--handle", "The handle that grants the mandate.")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="Days of a period.")
@click.option("--per-draw", "draw", metavar="AMOUNT", help="The most in one draw.  [default: no limit]")
@click.option("--total", metavar="AMOUNT", help="The most in all draws together.  [default: no limit]")
@click.option("--rail", type=RAIL, help="The rail that draws must take.  [default: any]")
@asking
def grant(
    payee: str,
    period: str,
    asset: str,
    handle: str,
    days: int,
    draw: str | None,
    total: str | None,
    rail: RailName | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Let PAYEE draw up to AMOUNT of ASSET in any period of --days days.

    A wallet with a passkey grants mandates over HTTP, approved by the passkey.

    \b
    Example:
      gateway mandates grant @shop 20.00 EUR --handle @alice --days 30 --per-draw 5.00
    """

    def granting(client: Client) -> Awaitable[MandateView]:
        grant = client.api.mandates.grant
        return grant(payee, asset, period, period_days=days, draw=draw, total=total, rail=rail)

    granted = ask(handle, url, granting)
    show(granted, as_json, mandates_lines([granted]))


@mandates.command()
@click.argument("id", help="The mandate's id, mdt_….")
@by("--handle", "The handle that granted the mandate, or draws by it.")
@asking
def revoke(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Revoke a mandate at once: no further draw is accepted.

    \b
    Example:
      gateway mandates revoke mdt_01m81tq52cfv7bnsbsrhbmm7f5 --handle @alice
    """
    ended = ask(handle, url, lambda client: client.api.mandates.revoke(id))
    show(ended, as_json, [f"{ended.id}: {ended.to} draws nothing from {ended.from_} any more"])


@mandates.command()
@click.argument("id", help="The mandate's id, mdt_….")
@an_amount
@by("--to", "The handle that draws.")
@moving
@waiting
@asking
def draw(id: str, amount: str, handle: str, key: str | None, wait: bool, url: str | None, as_json: bool) -> None:
    """Draw by a mandate: a payment from the wallet that granted it.

    \b
    Example:
      gateway mandates draw mdt_01m81tq52cfv7bnsbsrhbmm7f5 5.00 --to @shop
    """
    follow(handle, url, as_json, wait, "payments", lambda client: client.draw(id, amount, key))


def mandates_lines(found: Sequence[MandateView]) -> list[str]:
    """A line per mandate."""
    rows = [
        [
            one.id,
            one.from_,
            one.to,
            f"{one.period} {one.asset} in {one.period_days} days",
            "; ".join(
                f"{amount} {words}" for amount, words in ((one.draw, "at once"), (one.total, "in all")) if amount
            ),
            "revoked" if one.revoked_at else _until(one),
        ]
        for one in found
    ]
    return table(["mandate", "from", "to", "draws", "and", "until"], rows)


#: In the order that `gateway --help` lists them.
COMMANDS: Sequence[click.Command] = (api_keys, mandates)
