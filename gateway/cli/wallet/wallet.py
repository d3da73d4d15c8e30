"""The commands for a wallet, each with its arguments and an example. `client.py` calls the API."""

from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from gateway.cli import output
from gateway.cli.options import (
    RAIL,
    a_handle,
    a_payee,
    a_payment,
    an_amount,
    an_asset,
    asking,
    by,
    checked_metadata,
    moving,
    paging,
    period,
    reference,
    waiting,
)
from gateway.cli.wallet import printout
from gateway.cli.wallet.calls import ask, follow, password_of, say, show, show_moved
from gateway.config.environment import from_environment
from gateway.errors import Misconfigured

# ---- handles and balances -------------------------------------------------------------------------------------------


@click.group()
def handle() -> None:
    """Create a handle, show its public details, or export its key.

    \b
    Example:
      gateway handle create carol
      gateway handle show @carol
    """


@handle.command()
@a_handle
@asking
def create(handle: str, url: str | None, as_json: bool) -> None:
    """Claim a handle. It gets a wallet, an address on the chain, and an API key, which is stored in keys/ in the home.

    \b
    Example:
      gateway handle create carol
    """
    claimed = ask(handle, url, lambda client: client.claim())
    shown = {name: value for name, value in claimed.items() if name != "api_key"}
    key_file = str(from_environment().home / "keys" / claimed["handle"])
    show({**shown, "api_key_file": key_file}, as_json, printout.handle_lines(claimed, key_file))


@handle.command("show")
@a_handle
@asking
def show_handle(handle: str, url: str | None, as_json: bool) -> None:
    """Show the public details of a handle: its wallet's id and its address.

    \b
    Example:
      gateway handle show @bob
    """
    found = ask(handle, url, lambda client: client.public())
    show(found, as_json, printout.handle_lines(found))


@handle.command("export-key")
@a_handle
@click.option(
    "--keystore", type=click.Path(path_type=Path), required=True, help="The file to write. It must not exist."
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    help="A file with the password, which only you can read.",
)
@asking
def export_key(handle: str, keystore: Path, password_file: Path | None, url: str | None, as_json: bool) -> None:
    """Export the private key of a handle's address into a keystore file, encrypted with a password.

    Anybody who has the key can take everything at the address. The gateway keeps the key as well, and records the
    export in the audit log.

    \b
    Example:
      gateway handle export-key @alice --keystore alice.json
    """
    # eth-account takes a while to import, which other commands should not wait for
    from gateway.keys import keystore as keystores

    if keystore.exists():
        raise Misconfigured(f"{keystore} already exists and is not overwritten; name another file")
    password = password_of(password_file)
    exported = ask(handle, url, lambda client: client.export_key())
    address = keystores.write(keystore, exported["private_key"], password)
    shown = {"address": address, "keystore": str(keystore), "warning": exported["warning"]}
    show(shown, as_json, output.fields([("address", address), ("keystore", str(keystore))]))
    say(exported["warning"], err=True)


@click.command()
@a_handle
@click.option("--at", metavar="TIME", help="Balances at a past time, such as 2030-01-31T12:00:00Z.")
@asking
def balance(handle: str, at: str | None, url: str | None, as_json: bool) -> None:
    """Show a handle's balances in every currency and token, now or at a past time.

    \b
    Example:
      gateway balance @alice
      gateway balance @alice --at 2025-12-31T23:59:59Z
    """
    wallet = ask(handle, url, lambda client: client.wallet(at))
    show(wallet, as_json, printout.wallet_lines(wallet))


@click.command()
@a_handle
@an_asset
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
    """List the entries of a handle's account in one asset, newest first, each with the balance after it.

    \b
    Example:
      gateway statement @alice EUR --limit 5
      gateway statement @alice EUR --since 2025-12-01T00:00:00Z --until 2026-01-01T00:00:00Z
    """
    entries = ask(handle, url, lambda client: client.statement(asset, limit, cursor, since, until))
    show(entries, as_json, printout.statement_lines(entries))


# ---- money in and out -----------------------------------------------------------------------------------------------


@click.command()
@an_amount
@an_asset
@by("--to", "The handle to credit.")
@moving
@asking
def deposit(amount: str, asset: str, handle: str, key: str | None, url: str | None, as_json: bool) -> None:
    """Deposit money from the bank.

    \b
    Example:
      gateway deposit 50.00 EUR --to @alice
    """
    moved = ask(handle, url, lambda client: client.deposit(amount, asset, key))
    show_moved(moved, as_json, [printout.bank_line(moved, handle.removeprefix("@"))])


@click.command()
@an_amount
@an_asset
@by("--from", "The handle that pays.")
@moving
@asking
def withdraw(amount: str, asset: str, handle: str, key: str | None, url: str | None, as_json: bool) -> None:
    """Withdraw money to the bank.

    \b
    Example:
      gateway withdraw 20.00 EUR --from @alice
    """
    moved = ask(handle, url, lambda client: client.withdraw(amount, asset, key))
    show_moved(moved, as_json, [printout.bank_line(moved, handle.removeprefix("@"))])


@click.command()
@an_amount
@an_asset
@click.argument("to_asset", help="The code of the asset to convert it into.")
@by("--from", "The handle that pays.")
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
    """Convert one for one between a token and the currency that backs it.

    \b
    Example:
      gateway convert 25.00 USD USDX --from @alice
      gateway convert 10.00 USDX USD --from @alice
    """
    start = lambda client: client.convert(amount, asset, to_asset, key)  # noqa: E731 - said once, used below
    follow(handle, url, as_json, wait, "conversions", start)


# ---- payments -------------------------------------------------------------------------------------------------------


@click.command()
@a_payee
@an_amount
@an_asset
@by("--from", "The handle that pays.")
@click.option("--memo", help="A note to the payee. Both sides see it.")
@reference
@click.option(
    "--metadata",
    metavar="KEY=VALUE",
    multiple=True,
    callback=checked_metadata,
    help="Data for your own systems. Only you see it. May be repeated.",
)
@click.option("--hold", is_flag=True, help="Hold the money only, to capture or void later.")
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

    The exit status is 0 if the payment is settled, held or submitted, 1 if it is refused or fails, and 4 if it waits:
    for your approval by passkey on the gateway's page, or for the signature of your own key.

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
@a_payee
@an_amount
@an_asset
@by("--from", "The handle that would pay.")
@asking
def preview(to: str, amount: str, asset: str, handle: str, url: str | None, as_json: bool) -> None:
    """Preview a payment: its rail and why, its fee, and the balance that would be left. No money moves.

    \b
    Example:
      gateway preview @shop 3.00 USDX --from @alice
    """
    found = ask(handle, url, lambda client: client.preview(to, amount, asset))
    show(found, as_json, printout.preview_lines(found, asset))


@click.command()
@a_handle
@click.option("--state", help="Only payments in this state, such as held or failed.")
@click.option("--reference", help="Only payments with this reference, given by this handle.")
@click.option("--counterparty", metavar="PARTY", help="Only payments to or from this handle or address.")
@click.option("--asset", help="Only payments in this asset.")
@click.option("--rail", type=RAIL, help="Only payments on this rail.")
@click.option("--memo", help="Only payments with exactly this memo.")
@click.option("--min", "amount_min", metavar="AMOUNT", help="Only payments of at least this amount of --asset.")
@click.option("--max", "amount_max", metavar="AMOUNT", help="Only payments of at most this amount of --asset.")
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
    """List a handle's payments, in and out, newest first. With several filters, a payment must match them all.

    A page may be short or empty although more payments follow. Continue with --cursor.

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
@click.argument("payment_id", help="The id of a payment, pay_…, or of a conversion, cnv_….")
@by("--from", "The payer or the payee of the payment.")
@asking
def show_payment(payment_id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Show all details of a payment or a conversion.

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
@a_payment
@by("--from", "The payer or the payee of the payment.")
@click.option("--amount", help="Capture only this much. The rest is returned to the payer.")
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
    """Capture a held payment, in full or in part.

    \b
    Example:
      gateway capture pay_01m81tq52cfv7bnsbsrhbmm7f5 --from @shop --amount 8.00
    """
    follow(handle, url, as_json, wait, "payments", lambda client: client.end("capture", payment_id, amount, key))


@click.command()
@a_payment
@by("--from", "The payer or the payee of the payment.")
@moving
@asking
def void(payment_id: str, handle: str, key: str | None, url: str | None, as_json: bool) -> None:
    """Void a held payment: the money is returned to the payer.

    \b
    Example:
      gateway void pay_01m81tq52cfv7bnsbsrhbmm7f5 --from @shop
    """
    follow(handle, url, as_json, False, "payments", lambda client: client.end("void", payment_id, key=key))


@click.command()
@a_payment
@by("--from", "The payee of the payment.")
@click.option("--amount", help="Refund only this much. The rest can be refunded later.")
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
    """Refund a settled payment, in full or in part. A refund is a payment of its own.

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
