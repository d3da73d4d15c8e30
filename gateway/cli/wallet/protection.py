"""policy and report-unauthorized: show the policy, and report a payment as unauthorized."""

from collections.abc import Sequence

import msgspec
import rich_click as click

from gateway.api.payments.shapes import PolicyView
from gateway.cli.options import a_payment, asking, by
from gateway.cli.wallet import printout
from gateway.cli.wallet.calls import ask, show


@click.command("policy")
@by("--handle", "The handle whose policy to show.")
@asking
def show_policy(handle: str, url: str | None, as_json: bool) -> None:
    """Show which payments need no approval. The owner changes the policy with a passkey (PUT /v1/policy).

    \b
    Example:
      gateway policy --handle @alice
    """
    found = ask(handle, url, lambda client: client.api.policy.get())
    show(found, as_json, policy_lines(found))


@click.command("report-unauthorized")
@a_payment
@by("--from", "The payer of the payment.")
@asking
def report_unauthorized(payment_id: str, handle: str, url: str | None, as_json: bool) -> None:
    """Report a payment as unauthorized. The wallet is frozen: it can still receive money, but not pay.

    \b
    Example:
      gateway report-unauthorized pay_01m81tq52cfv7bnsbsrhbmm7f5 --from @alice
    """
    found = ask(handle, url, lambda client: client.api.payments.report_unauthorized(payment_id))
    frozen = "nothing leaves this wallet now, until a passkey of its owner or two operators let it go on"
    show(found, as_json, [*printout.payment_lines(msgspec.to_builtins(found)), frozen])


def policy_lines(found: PolicyView) -> list[str]:
    """A policy, one line per rule."""
    limits = [f"{one.payment} {code} a payment and {one.day} {code} a day" for code, one in found.limits.items()]
    asked = {
        "a payee never paid before": found.approve_new_payee,
        "an address that is nobody's handle": found.approve_address,
        f"a payee whose address changed in {found.changed_payee_days} days": found.changed_payee_days,
        f"a device that is new since {found.new_device_hours} hours": found.new_device_hours,
    }
    undo = f"{found.undo_seconds} s" if found.undo_seconds else "no time"
    return [
        *(f"without approval  {limit}" for limit in limits),
        *(f"needs approval    {what}" for what, on in asked.items() if on),
        f"to undo tokens    {undo}",
        f"trusted           {', '.join(found.trusted) or 'nobody'}",
    ]


COMMANDS: Sequence[click.Command] = (show_policy, report_unauthorized)
