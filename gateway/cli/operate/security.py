"""The commands for operators, both logs, recovery and the master keys: arguments and examples. Like those in
`__main__`, they import their parts when they run.
"""

import asyncio
import sys
from typing import Literal

import rich_click as click

from gateway.cli.operate import printout
from gateway.cli.options import an_amount, an_asset
from gateway.cli.wallet.calls import say, show
from gateway.config.environment import from_environment
from gateway.operators.roles import ROLES

_ROLE = click.Choice(ROLES)


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def operators(context: click.Context, as_json: bool) -> None:
    """List the operators, and manage them. Two operators together may act on the wallets of others.

    \b
    Example:
      gateway operators
    """
    from gateway.cli.operate import operators as operating

    if context.invoked_subcommand is None:
        found = asyncio.run(operating.operators(from_environment()))
        show(found, as_json, printout.operators_lines(found))


@operators.command()
@click.argument("name", help="The operator's name.")
@click.option("--role", type=_ROLE, required=True, help="Their rights beyond reading; the guide has a table.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def add(name: str, role: str, as_json: bool) -> None:
    """Add an operator. Prints a code to enrol a passkey with: it is shown only once.

    \b
    Example:
      gateway operators add ann --role security
    """
    from gateway.cli.operate import operators as operating

    added = asyncio.run(operating.add(from_environment(), name, role))
    show(added, as_json, [f"{added['name']} enrols within {added['hours']} hours with the code {added['code']}"])


@operators.command("role")
@click.argument("name", help="The operator's name.")
@click.argument("role", type=_ROLE, help="Their rights beyond reading.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def set_role(name: str, role: str, as_json: bool) -> None:
    """Change an operator's role, with immediate effect.

    \b
    Example:
      gateway operators role ann finance
    """
    from gateway.cli.operate import operators as operating

    given = asyncio.run(operating.set_role(from_environment(), name, role))
    show(given, as_json, [f"{given['name']} has the role {given['role']} from now on"])


@operators.command()
@click.argument("name", help="The operator's name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def revoke(name: str, as_json: bool) -> None:
    """Revoke an operator at once.

    \b
    Example:
      gateway operators revoke ann
    """
    from gateway.cli.operate import operators as operating

    revoked = asyncio.run(operating.revoke(from_environment(), name))
    show(revoked, as_json, [f"{revoked['name']} is revoked"])


@operators.command("break-glass")
@click.argument("kind", type=click.Choice(["wallet.freeze", "wallet.unfreeze"]), help="The operation.")
@click.argument("handle", help="The handle of the wallet.")
@click.option("--reason", required=True, help="Why it cannot wait for two operators. Recorded in both logs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def break_glass(kind: Literal["wallet.freeze", "wallet.unfreeze"], handle: str, reason: str, as_json: bool) -> None:
    """Freeze or unfreeze a wallet alone, at the machine, which otherwise takes two operators.

    \b
    Example:
      gateway operators break-glass wallet.unfreeze @alice --reason "no second operator until Monday"
    """
    from gateway.cli.operate import operators as operating

    done = asyncio.run(operating.break_glass(from_environment(), kind, handle, reason))
    show(done, as_json, [f"{done['kind']} of {handle}, by {done['by']} alone; the audit log has it"])


@click.group("master-keys", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def master_keys(context: click.Context, as_json: bool) -> None:
    """List the master keys: the one that encrypts secrets, and those that only decrypt.

    \b
    Example:
      gateway master-keys
    """
    from gateway.cli.operate import master_keys as commands

    if context.invoked_subcommand is None:
        found = asyncio.run(commands.keys(from_environment()))
        show({"keys": found}, as_json, printout.master_keys_lines(found))


@master_keys.command("add")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def add_key(as_json: bool) -> None:
    """Add the next master key to the file, unused until master-keys rotate: copy it to the other machines first.

    \b
    Example:
      gateway master-keys add
    """
    from gateway.cli.operate import master_keys as commands

    added = asyncio.run(commands.add(from_environment()))
    show(
        added,
        as_json,
        printout.added_key_lines(added),
    )


@master_keys.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def rotate(as_json: bool) -> None:
    """Re-encrypt all secrets under the next master key, while the gateway runs. If interrupted, run it again.

    \b
    Example:
      gateway master-keys rotate
    """
    from gateway.cli.operate import master_keys as commands

    def tell(reencrypted: int) -> None:
        say(f"{reencrypted:,} keys re-encrypted so far", err=True)

    rotated = asyncio.run(commands.rotate(from_environment(), tell))
    show(rotated, as_json, printout.rotated_lines(rotated))


@click.group()
def audit() -> None:
    """List audit events, and verify the event log and the audit log.

    \b
    Example:
      gateway audit verify
    """


@audit.command()
@click.option(
    "--from-head", "noted", metavar="HASH:NUMBER", help="An earlier head, which must be in the chain of checkpoints."
)
@click.option(
    "--rows-after", type=click.IntRange(0), default=0, metavar="NUMBER", help="Skip the rows up to this checkpoint."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def verify(noted: str | None, rows_after: int, as_json: bool) -> None:
    """Verify the event log and the audit log against their checkpoints. The exit status is 1 if anything differs.

    \b
    Example:
      gateway audit verify
    """
    from gateway.cli.operate import audit_log

    found = asyncio.run(audit_log.verify(from_environment(), noted, rows_after))
    show(found, as_json, printout.verified_lines(found))
    if found["broken"]:
        sys.exit(1)


@audit.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def head(as_json: bool) -> None:
    """Print the newest checkpoint. Store it elsewhere: audit verify --from-head then shows if any was removed.

    \b
    Example:
      gateway audit head
    """
    from gateway.cli.operate import audit_log

    newest = asyncio.run(audit_log.head(from_environment()))
    show(newest, as_json, [newest["head"]])


@audit.command("list")
@click.option("--handle", metavar="HANDLE", help="Only events about this handle's wallet.")
@click.option(
    "--kind",
    metavar="KIND",
    help="Only this kind, such as wallet.created, or wallet for every kind that begins so.",
)
@click.option(
    "--before", type=click.IntRange(1), metavar="NUMBER", help="Only events before this number, to continue a list."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The most to list.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def list_audit_events(handle: str | None, kind: str | None, before: int | None, limit: int, as_json: bool) -> None:
    """List audit events, newest first.

    \b
    Example:
      gateway audit list --handle @alice --kind wallet
    """
    from gateway.cli.operate import audit_log

    found = asyncio.run(audit_log.audit_events(from_environment(), handle, kind, before, limit))
    show(found, as_json, printout.audit_event_lines(found))


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def recovery(context: click.Context, as_json: bool) -> None:
    """Show payments on the chain that a restored database lacks. The exit status is 1 until they are confirmed.

    \b
    Example:
      gateway recovery
    """
    from gateway.cli.operate import recovery as recovering

    if context.invoked_subcommand is None:
        found = asyncio.run(recovering.recovery(from_environment()))
        show(found, as_json, printout.recovery_lines(found))
        if found["state"] in ("reading", "read"):
            sys.exit(1)


_REASON = click.option("--reason", required=True, help="The reason, recorded in both logs.")


@recovery.command()
@_REASON
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def confirm(reason: str, as_json: bool) -> None:
    """Confirm a restore, so that token payments and claims continue. For installations without two operators.

    \b
    Example:
      gateway recovery confirm --reason "restored Monday's copy; all payments listed were looked at"
    """
    from gateway.cli.operate import recovery as recovering

    done = asyncio.run(recovering.confirm(from_environment(), reason))
    show(done, as_json, [f"confirmed by {done['by']}: {done['terms']}; token payments and claims go on"])


@recovery.command("return")
@click.argument("handle", help="The handle that the restore lost.")
@_REASON
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def give_back(handle: str, reason: str, as_json: bool) -> None:
    """Let a handle that the restore lost be claimed again. For installations without two operators.

    \b
    Example:
      gateway recovery return @carol --reason "carol called, and named her last payments"
    """
    from gateway.cli.operate import recovery as recovering

    done = asyncio.run(recovering.give_back(from_environment(), handle, reason))
    show(done, as_json, [f"whoever claims @{done['handle']} next has {done['address']} and what lies there"])


@click.command()
@click.argument("debit", help="The account to debit, such as wallet:alice:USD.")
@click.argument("credit", help="The account to credit, such as reserve:USD.")
@an_amount
@an_asset
@_REASON
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def correct(debit: str, credit: str, amount: str, asset: str, reason: str, as_json: bool) -> None:
    """Post a correcting transfer between two accounts. For installations without two operators.

    \b
    Example:
      gateway correct wallet:alice:USD reserve:USD 25.00 USD --reason "the mint of block 812 was lost in a restore"
    """
    from gateway.cli.operate import recovery as recovering

    done = asyncio.run(recovering.correct(from_environment(), debit, credit, amount, asset, reason))
    show(done, as_json, [f"{done['id']}: {done['terms']}, by {done['by']}; 'gateway reconcile' lists it"])


#: In the order that `gateway --help` lists them.
COMMANDS = (operators, audit, master_keys, recovery, correct)
