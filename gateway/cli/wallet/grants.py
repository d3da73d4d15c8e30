"""api-keys and mandates: what a handle lets programs and other handles do, and taking that back."""

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from gateway.cli.options import asking, by, moving, waiting
from gateway.cli.output import facts, table, when
from gateway.cli.wallet.calls import ask, follow, show
from gateway.cli.wallet.client import Answer, Client
from gateway.errors import InvalidRequest

_RAIL, _SCOPE = click.Choice(["ledger", "chain"]), click.Choice(["read", "pay", "refund", "webhooks"])

# ---- API keys -------------------------------------------------------------------------------------------------------


@click.group("api-keys")
def api_keys() -> None:
    """Keys for programs: what each may do, until when and from where.

    \b
    Example:
      gateway api-keys make "Web shop" --of @shop --scope read --scope pay --cap EUR:50.00:200.00
      gateway api-keys list --of @shop
    """


@api_keys.command("list")
@by("--of", "Whose keys.")
@asking
def list_keys(handle: str, url: str | None, as_json: bool) -> None:
    """The keys of a handle that are good, newest first.

    \b
    Example:
      gateway api-keys list --of @shop
    """
    found = ask(handle, url, lambda client: client.api_keys())
    show(found, as_json, keys_lines(found["items"]))


@api_keys.command("make")
@click.argument("name")
@by("--of", "Whose wallet it is for.")
@click.option("--scope", "scopes", multiple=True, required=True, type=_SCOPE, help="What it may do; webhooks: notify.")
@click.option("--cap", "caps", multiple=True, metavar="ASSET:PAYMENT:DAY", help="The most at once and a day.")
@click.option("--network", "networks", multiple=True, metavar="CIDR", help="From where it is good; anywhere, if none.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is good; until it is revoked, if not said.")
@asking
def make_key(
    name: str,
    handle: str,
    scopes: Sequence[str],
    caps: Sequence[str],
    networks: Sequence[str],
    days: int | None,
    url: str | None,
    as_json: bool,
) -> None:
    """A key for a program, shown this once.

    \b
    Example:
      gateway api-keys make "Web shop" --of @shop --scope read --scope pay --cap EUR:50.00:200.00 --days 90
    """
    wanted: dict[str, Any] = {"name": name, "scopes": list(scopes), "networks": list(networks)}
    wanted |= {"caps": [_cap(text) for text in caps], "expires_in": days * 86_400 if days else None}
    made = ask(handle, url, lambda client: client.make_api_key(wanted))
    show(made, as_json, facts([("API key", made["api_key"]), ("id", made["id"])]))


@api_keys.command("replace")
@click.argument("id")
@by("--of", "Whose key it is.")
@click.option(
    "--overlap", type=click.IntRange(0, 604_800), default=3600, help="Seconds both are good.  [default: 3600]"
)
@asking
def replace_key(id: str, handle: str, overlap: int, url: str | None, as_json: bool) -> None:
    """Another key that may do the same, shown this once; the old one is good for a while. Where it is the key that this
    command line uses, the new one takes its place in keys/ in the home.

    \b
    Example:
      gateway api-keys replace key_01m81tq52cfv7bnsbsrhbmm7f5 --of @shop
    """

    async def replaced(client: Client) -> Answer:
        is_ours = any(one["id"] == id and one["current"] for one in (await client.api_keys())["items"])
        made = await client.replace_api_key(id, overlap)
        show(made, as_json, facts([("API key", made["api_key"]), ("id", made["id"])]))
        if is_ours:
            client.keep_api_key(made["api_key"])
        return made

    ask(handle, url, replaced)


@api_keys.command("revoke")
@click.argument("id")
@by("--of", "Whose key it is.")
@asking
def revoke_key(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """It is no key from this moment on.

    \b
    Example:
      gateway api-keys revoke key_01m81tq52cfv7bnsbsrhbmm7f5 --of @shop
    """
    ended = ask(handle, url, lambda client: client.revoke_api_key(id))
    show(ended, as_json, [f"{ended['id']}, {ended['name']}, is no key any more"])


def keys_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line per key."""
    rows = [
        [
            one["id"],
            one["name"],
            " ".join(one["scopes"]),
            "; ".join(map(_cap_text, one["caps"])),
            _until(one),
            when(one["last_used_at"]),
        ]
        for one in found
    ]
    return table(["key", "name", "scopes", "caps", "until", "last used"], rows)


def _until(grant: Mapping[str, Any]) -> str:
    """Until when a key or a mandate is good; or that its owner has to approve it first, on the wallet's page."""
    return "waits for its owner's approval" if grant["waits_for_approval"] else when(grant["expires_at"])


def _cap(text: str) -> dict[str, str | None]:
    asset, _, most = text.partition(":")
    payment, _, day = most.partition(":")
    if not asset or ":" in day or not (payment or day):
        raise InvalidRequest("cap", f"--cap {text!r}: write ASSET:PAYMENT:DAY, such as EUR:50.00:200.00 or EUR::200.00")
    return {"asset": asset, "payment": payment or None, "day": day or None}


def _cap_text(cap: Mapping[str, Any]) -> str:
    parts = [f"{cap[name]} {words}" for name, words in (("payment", "at once"), ("day", "a day")) if cap[name]]
    where = [f"to {cap['payee']}"] if cap["payee"] else []
    return f"{cap['asset']}: " + ", ".join([*parts, *where, *([f"by the {cap['rail']}"] if cap["rail"] else [])])


#: Fields of a mandate that may not be said, and what they are.
_MOST = (("draw", "at once"), ("total", "in all"))

# ---- mandates -------------------------------------------------------------------------------------------------------


@click.group()
def mandates() -> None:
    """What a handle lets others draw from its wallet.

    \b
    Example:
      gateway mandates grant @shop 20.00 EUR --of @alice --days 30
      gateway mandates list --of @alice
    """


@mandates.command("list")
@by("--of", "Who granted them, or draws by them.")
@asking
def list_mandates(handle: str, url: str | None, as_json: bool) -> None:
    """The mandates of a handle, newest first: those it granted, and those by which it draws.

    \b
    Example:
      gateway mandates list --of @alice
    """
    found = ask(handle, url, lambda client: client.mandates())
    show(found, as_json, mandates_lines(found["items"]))


@mandates.command()
@click.argument("payee")
@click.argument("period", metavar="AMOUNT")
@click.argument("asset")
@by("--of", "Whose money it is.")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="The days of a period.")
@click.option("--at-once", "draw", metavar="AMOUNT", help="The most of one draw; any, if not said.")
@click.option("--in-all", "total", metavar="AMOUNT", help="The most of all draws together; any, if not said.")
@click.option("--rail", type=_RAIL, help="By which rail; any, if not said.")
@asking
def grant(
    payee: str,
    period: str,
    asset: str,
    handle: str,
    days: int,
    draw: str | None,
    total: str | None,
    rail: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Let PAYEE draw up to AMOUNT of ASSET in any --days days. A wallet with a passkey grants with that, over HTTP.

    \b
    Example:
      gateway mandates grant @shop 20.00 EUR --of @alice --days 30 --at-once 5.00
    """
    wanted = {"payee": payee, "asset": asset, "period": period, "period_days": days}
    wanted |= {"draw": draw, "total": total, "rail": rail}
    granted = ask(handle, url, lambda client: client.grant_mandate(wanted))
    show(granted, as_json, mandates_lines([granted]))


@mandates.command()
@click.argument("id")
@by("--of", "Who granted it, or draws by it.")
@asking
def revoke(id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Nothing is drawn by it from this moment on.

    \b
    Example:
      gateway mandates revoke mdt_01m81tq52cfv7bnsbsrhbmm7f5 --of @alice
    """
    ended = ask(handle, url, lambda client: client.revoke_mandate(id))
    show(ended, as_json, [f"{ended['id']}: {ended['to']} draws nothing from {ended['from']} any more"])


@mandates.command()
@click.argument("id")
@click.argument("amount")
@by("--to", "Who draws.")
@moving
@waiting
@asking
def draw(id: str, amount: str, handle: str, key: str | None, wait: bool, url: str | None, as_json: bool) -> None:
    """Draw from the wallet that granted it: a payment to you.

    \b
    Example:
      gateway mandates draw mdt_01m81tq52cfv7bnsbsrhbmm7f5 5.00 --to @shop
    """
    follow(handle, url, as_json, wait, "payments", lambda client: client.draw(id, amount, key))


def mandates_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line per mandate."""
    rows = [
        [
            one["id"],
            one["from"],
            one["to"],
            f"{one['period']} {one['asset']} in {one['period_days']} days",
            "; ".join(
                f"{one[name]} {words}" for name, words in (("draw", "at once"), ("total", "in all")) if one[name]
            ),
            "revoked" if one["revoked_at"] else _until(one),
        ]
        for one in found
    ]
    return table(["mandate", "from", "to", "draws", "and", "until"], rows)


#: In the order that `gateway --help` lists them.
COMMANDS: Sequence[click.Command] = (api_keys, mandates)
