"""The commands about who acts for the gateway, what both logs say, and the master keys: arguments, examples. They
import their parts when they run, as those in `__main__` do.
"""

import asyncio
import sys
from typing import Literal

import rich_click as click

from gateway.cli.operate import printout
from gateway.cli.wallet.calls import say, show
from gateway.config import from_environment


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def operators(context: click.Context, as_json: bool) -> None:
    """Who acts for the gateway, two together, on wallets that are not theirs.

    \b
    Example:
      gateway operators
    """
    from gateway.cli.operate import operators as operating

    if context.invoked_subcommand is None:
        found = asyncio.run(operating.operators(from_environment()))
        show(found, as_json, printout.operators_lines(found))


@operators.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def add(name: str, as_json: bool) -> None:
    """Make somebody an operator, with a code that makes their passkey: it is shown this once.

    \b
    Example:
      gateway operators add ann
    """
    from gateway.cli.operate import operators as operating

    added = asyncio.run(operating.add(from_environment(), name))
    show(added, as_json, [f"{added['name']} enrols within {added['hours']} hours with the code {added['code']}"])


@operators.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def revoke(name: str, as_json: bool) -> None:
    """Let an operator act no more, from now on.

    \b
    Example:
      gateway operators revoke ann
    """
    from gateway.cli.operate import operators as operating

    revoked = asyncio.run(operating.revoke(from_environment(), name))
    show(revoked, as_json, [f"{revoked['name']} is no operator any more"])


@operators.command("break-glass")
@click.argument("kind", type=click.Choice(["wallet.freeze", "wallet.unfreeze"]))
@click.argument("handle")
@click.option("--reason", required=True, help="Why it cannot wait for two; both logs keep it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def break_glass(kind: Literal["wallet.freeze", "wallet.unfreeze"], handle: str, reason: str, as_json: bool) -> None:
    """Do alone, at the machine, what needs two operators.

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
    """The master keys that everything secret is encrypted under: which of them encrypts, and which still decrypt.

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
    """Write the next master key into the file and encrypt nothing under it yet, for other machines to have it first.

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
    """Re-encrypt every key under the next master key, while everything runs. Run it again to go on after a stop.

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
    """Who did what, and whether both logs match their checkpoints.

    \b
    Example:
      gateway audit verify
    """


@audit.command()
@click.option("--from-head", "noted", metavar="HASH:NUMBER", help="A head from before, which has to be in the chain.")
@click.option(
    "--rows-after", type=click.IntRange(0), default=0, metavar="NUMBER", help="Skip the rows up to a checkpoint."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def verify(noted: str | None, rows_after: int, as_json: bool) -> None:
    """Verify the event log and the audit log against their checkpoints. The status is 1 if anything differs.

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
    """The newest checkpoint: note it outside the database, and no checkpoint up to it can be removed unseen.

    \b
    Example:
      gateway audit head
    """
    from gateway.cli.operate import audit_log

    newest = asyncio.run(audit_log.head(from_environment()))
    show(newest, as_json, [newest["head"]])


@audit.command("list")
@click.option("--wallet", "handle", metavar="HANDLE", help="Only what concerns the wallet of a handle.")
@click.option(
    "--kind", metavar="KIND", help="Only audit events of a kind: wallet.created, or wallet for all that begin so."
)
@click.option("--before", type=click.IntRange(1), metavar="NUMBER", help="Go on below the number of the last one.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def list_audit_events(handle: str | None, kind: str | None, before: int | None, limit: int, as_json: bool) -> None:
    """Who did what that matters to security, the newest first.

    \b
    Example:
      gateway audit list --wallet @alice --kind wallet
    """
    from gateway.cli.operate import audit_log

    found = asyncio.run(audit_log.audit_events(from_environment(), handle, kind, before, limit))
    show(found, as_json, printout.audit_event_lines(found))


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def recovery(context: click.Context, as_json: bool) -> None:
    """What the chain has and a restored database has not. The status is 1 until it is confirmed.

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


_REASON = click.option("--reason", required=True, help="Why; both logs keep it.")


@recovery.command()
@_REASON
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def confirm(reason: str, as_json: bool) -> None:
    """Let token payments and claims go on, alone, where there are no two operators.

    \b
    Example:
      gateway recovery confirm --reason "restored Monday's copy; all payments listed were looked at"
    """
    from gateway.cli.operate import recovery as recovering

    done = asyncio.run(recovering.confirm(from_environment(), reason))
    show(done, as_json, [f"confirmed by {done['by']}: {done['terms']}; token payments and claims go on"])


@recovery.command("return")
@click.argument("handle")
@_REASON
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def give_back(handle: str, reason: str, as_json: bool) -> None:
    """Let a handle that the restore has lost be claimed again, alone, where there are no two operators.

    \b
    Example:
      gateway recovery return @carol --reason "carol called, and named her last payments"
    """
    from gateway.cli.operate import recovery as recovering

    done = asyncio.run(recovering.give_back(from_environment(), handle, reason))
    show(done, as_json, [f"whoever claims @{done['handle']} next has {done['address']} and what lies there"])


@click.command()
@click.argument("debit")
@click.argument("credit")
@click.argument("amount")
@click.argument("asset")
@_REASON
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def correct(debit: str, credit: str, amount: str, asset: str, reason: str, as_json: bool) -> None:
    """Post a correcting transfer between two accounts, alone, where there are no two operators.

    \b
    Example:
      gateway correct wallet:alice:USD reserve:USD 25.00 USD --reason "the mint of block 812 was lost in a restore"
    """
    from gateway.cli.operate import recovery as recovering

    done = asyncio.run(recovering.correct(from_environment(), debit, credit, amount, asset, reason))
    show(done, as_json, [f"{done['id']}: {done['terms']}, by {done['by']}; 'gateway reconcile' lists it"])


#: In the order that `gateway --help` lists them.
COMMANDS = (operators, audit, master_keys, recovery, correct)
