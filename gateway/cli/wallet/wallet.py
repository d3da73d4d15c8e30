"""What a person does with a handle: each command, its arguments and its worked example. `client.py` does the asking."""

from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from gateway.cli import output
from gateway.cli.options import asking, by, checked_metadata, moving, paging, period, reference, waiting
from gateway.cli.wallet import printout
from gateway.cli.wallet.calls import ask, follow, password_of, say, show, show_moved
from gateway.config import from_environment
from gateway.errors import Misconfigured

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
    key_file = str(from_environment().home / "keys" / claimed["handle"])
    show({**shown, "api_key_file": key_file}, as_json, printout.handle_lines(claimed, key_file))


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
    show(found, as_json, printout.handle_lines(found))


@handle.command("export-key")
@click.argument("handle")
@click.option("--keystore", type=click.Path(path_type=Path), required=True, help="The file to write; not there yet.")
@click.option(
    "--password-file", type=click.Path(path_type=Path), help="A file with its password, that only you can read."
)
@asking
def export_key(handle: str, keystore: Path, password_file: Path | None, url: str | None, as_json: bool) -> None:
    """Have the gateway hand you the private key of a handle's address, in a keystore that your password opens.

    Whoever has it can take all that is at the address. The gateway keeps it too, and writes down that it was exported.

    \b
    Example:
      gateway handle export-key @alice --keystore alice.json
    """
    from gateway.keys import keystore as keystores  # eth-account takes a while, which nobody else should wait for

    if keystore.exists():
        raise Misconfigured(f"there is a file at {keystore} already, and it is left as it is; name another")
    password = password_of(password_file)
    exported = ask(handle, url, lambda client: client.export_key())
    address = keystores.write(keystore, exported["private_key"], password)
    shown = {"address": address, "keystore": str(keystore), "warning": exported["warning"]}
    show(shown, as_json, output.facts([("address", address), ("keystore", str(keystore))]))
    say(exported["warning"], err=True)


@click.command()
@click.argument("handle")
@click.option("--at", metavar="TIME", help="What it had at a past time, such as 2030-01-31T12:00:00Z.")
@asking
def balance(handle: str, at: str | None, url: str | None, as_json: bool) -> None:
    """What a handle has, or had at a past time: every currency and every token.

    \b
    Example:
      gateway balance @alice
      gateway balance @alice --at 2025-12-31T23:59:59Z
    """
    wallet = ask(handle, url, lambda client: client.wallet(at))
    show(wallet, as_json, printout.wallet_lines(wallet))


@click.command()
@click.argument("handle")
@click.argument("asset")
@period
@paging
@asking
def statement(
    handle: str,
    asset: str,
    since: str | None,
    until: str | None,
    limit: int,
    cursor: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """The entries of a handle's account in one asset, newest first, with the balance after each.

    \b
    Example:
      gateway statement @alice EUR --limit 5
      gateway statement @alice EUR --since 2025-12-01T00:00:00Z --until 2026-01-01T00:00:00Z
    """
    entries = ask(handle, url, lambda client: client.statement(asset, limit, cursor, since, until))
    show(entries, as_json, printout.statement_lines(entries))


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
    show_moved(moved, as_json, [printout.bank_line(moved, handle.removeprefix("@"))])


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
    show_moved(moved, as_json, [printout.bank_line(moved, handle.removeprefix("@"))])


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
@reference
@click.option(
    "--metadata", metavar="KEY=VALUE", multiple=True, callback=checked_metadata, help="For your own systems, like it."
)
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
    reference: str | None,
    metadata: dict[str, str],
    hold: bool,
    key: str | None,
    wait: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Pay a handle or an address.

    The status is 0 when it is paid, held or on its way, 1 when it is refused or ends unpaid, and 4 when it waits: for
    an approval by a passkey on the gateway's page, or for the signature of your own key.

    \b
    Example:
      gateway pay @bob 5.00 EUR --from @alice --memo coffee
      gateway pay @shop 3.00 USDX --from @alice --key order-17
      gateway pay @shop 3.00 EUR --from @alice --reference order-17 --metadata shop=berlin
    """
    start = lambda client: client.pay(  # noqa: E731 - as above
        to, amount, asset, memo, capture=not hold, key=key, reference=reference, metadata=metadata
    )
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
    show(found, as_json, printout.preview_lines(found, asset))


@click.command()
@click.argument("handle")
@click.option("--state", help="In this state, such as held or failed.")
@click.option("--reference", help="With this reference of the handle's own.")
@click.option("--counterparty", metavar="PARTY", help="With this handle or address on the other side.")
@click.option("--asset", help="Of this asset.")
@click.option("--rail", type=click.Choice(["ledger", "chain"]), help="By this rail.")
@click.option("--memo", help="With just this memo.")
@click.option("--min", "amount_min", metavar="AMOUNT", help="Of this amount of --asset or more.")
@click.option("--max", "amount_max", metavar="AMOUNT", help="Of this amount of --asset or less.")
@period
@paging
@asking
def payments(
    handle: str,
    state: str | None,
    reference: str | None,
    counterparty: str | None,
    asset: str | None,
    rail: str | None,
    memo: str | None,
    amount_min: str | None,
    amount_max: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    cursor: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """What a handle paid and was paid, newest first; of it what fits all the options.

    A page may be short, or have none, while there are more: go on with --cursor.

    \b
    Example:
      gateway payments @alice --limit 5
      gateway payments @alice --reference order-17
      gateway payments @alice --state held --counterparty @shop --since 2030-01-01T00:00:00Z
    """
    filters = {"state": state, "reference": reference, "counterparty": counterparty, "asset": asset, "rail": rail}
    filters |= {"memo": memo, "amount_min": amount_min, "amount_max": amount_max}
    filters |= {"created_from": since, "created_until": until}
    page = ask(handle, url, lambda client: client.payments(limit, cursor, **filters))
    show(page, as_json, printout.payments_lines(page))


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
        show(found, as_json, printout.conversion_lines(found))
    else:
        found = ask(handle, url, lambda client: client.show("payments", payment_id))
        show(found, as_json, printout.payment_lines(found))


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
@reference
@moving
@waiting
@asking
def refund(
    payment_id: str,
    handle: str,
    amount: str | None,
    reference: str | None,
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
    start = lambda client: client.end("refund", payment_id, amount, key, reference)  # noqa: E731 - as above
    follow(handle, url, as_json, wait, "payments", start)


#: In the order that `gateway --help` lists them.
COMMANDS: Sequence[click.Command] = (
    *(handle, balance, deposit, withdraw, convert),
    *(preview, pay, payments, show_payment, capture, void, refund, statement),
)
