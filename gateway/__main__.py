"""The command line: the commands that run the gateway, and those for people with a handle in it
(`cli/wallet/wallet.py`, `cli/pay_many/command.py`).

The commands themselves are in `cli/`. The gateway's commands import their parts when they run: importing litestar takes
a second, which somebody who asks for a balance should not wait for.
"""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

try:
    import rich_click as click
except ModuleNotFoundError:
    sys.exit("gateway: this command needs more than the client: install wallet-gateway[server]")

from gateway import __version__, logs
from gateway.cli.operate import printout, security
from gateway.cli.options import an_asset
from gateway.cli.pay_many import command
from gateway.cli.wallet import events, grants, notifications, protection, requests, wallet, webhooks
from gateway.cli.wallet.calls import say, show
from gateway.config.environment import from_environment, given
from gateway.config.settings import SETTINGS
from gateway.errors import GatewayError

T = TypeVar("T")

#: In the order of `gateway --help`.
PERSONS = (
    *wallet.COMMANDS,
    command.pay_many,
    *requests.COMMANDS,
    *protection.COMMANDS,
    *grants.COMMANDS,
    *notifications.COMMANDS,
    *webhooks.COMMANDS,
    *events.COMMANDS,
)

click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.MAX_WIDTH = 100
click.rich_click.TEXT_MARKUP = "ansi"
click.rich_click.PADDING_HELPTEXT_FIRST_LINE = (0, 0, 1, 0)
click.rich_click.COMMAND_GROUPS = {
    "gateway": [
        {
            "name": "The gateway",
            "commands": [
                *(
                    "up",
                    "serve",
                    "work",
                    "migrate",
                    "deploy",
                    "config",
                    "doctor",
                    "relayers",
                    "chain",
                    "reconcile",
                    "withdrawals",
                    "recovery",
                    "correct",
                    "operators",
                    "audit",
                    "master-keys",
                    "sizes",
                ),
            ],
        },
        {"name": "Somebody's wallet", "commands": [str(command.name) for command in PERSONS]},
    ]
}


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\n\n".join(["Settings, from the environment:", *(f"{n} ({d or 'empty'}): {m}" for n, d, m in SETTINGS)]),
)
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """One handle, one wallet, two rails: a double-entry ledger and an ERC-20 token.

    Every command answers --help with an example.
    """


for one in (*PERSONS, *security.COMMANDS):
    cli.add_command(one)


@cli.command()
@click.option("--exit", "exit_when_ready", is_flag=True, help="Stop once everything is ready and the tour is finished.")
@click.option("--tour", "with_tour", is_flag=True, help="Take the tour even on a database or chain of your own.")
def up(exit_when_ready: bool, with_tour: bool) -> None:
    """Start PostgreSQL, the chain, the HTTP server and the worker.

    The first start takes a tour: it creates three handles, deposits sandbox money, and makes a payment on each rail.
    On a database or chain of your own it does so only with --tour.

    \b
    Example:
      gateway up
    """
    from gateway.cli.processes import start

    run(start.up(from_environment(), exit_when_ready, with_tour))


@cli.command()
def serve() -> None:
    """Run the HTTP server.

    \b
    Example:
      GATEWAY_PORT=8001 gateway serve
    """
    from gateway.cli.processes import serve

    serve.serve(from_environment())


@cli.command()
def work() -> None:
    """Run the worker, which signs, relays and settles payments.

    \b
    Example:
      gateway work
    """
    from gateway.cli.processes import work

    work.work(from_environment())


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def migrate(as_json: bool) -> None:
    """Migrate the database to the current schema.

    \b
    Example:
      GATEWAY_DATABASE_URL=postgresql://user@host/db gateway migrate
    """
    from gateway.cli.operate import operations

    applied = run(operations.migrate(from_environment()))
    lines = [f"applied {name}" for name in applied] or ["nothing to do"]
    show({"applied": applied}, as_json, lines)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def deploy(as_json: bool) -> None:
    """Deploy the contract of every token that has none yet.

    \b
    Example:
      GATEWAY_RPC_URL=http://127.0.0.1:8545 GATEWAY_RELAYER_KEY_FILE=relayer.key gateway deploy
    """
    from gateway.cli.operate import operations

    contracts = [
        {"asset": code, "address": one.address, "chain_id": one.chain_id, "block": one.deployed_block}
        for code, one in run(operations.deploy(from_environment())).items()
    ]
    lines = [f"{one['asset']} is at {one['address']} on chain {one['chain_id']}" for one in contracts]
    show({"contracts": contracts}, as_json, lines)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def reconcile(as_json: bool) -> None:
    """Reconcile the ledger with the chain and the bank, and list every difference. The status is 1 if there is any.

    The worker checks each difference again, and freezes withdrawals of the asset if it is confirmed.

    \b
    Example:
      gateway reconcile
    """
    from gateway.cli.operate import operations

    found = run(operations.reconcile(from_environment())).plain()
    show(found, as_json, printout.reconciliation_lines(found))
    if found["differences"]:
        sys.exit(1)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def sizes(as_json: bool) -> None:
    """Show the sizes of the tables, and whether what every payment reads and writes still fits into memory.

    \b
    Example:
      gateway sizes
    """
    from gateway.cli.operate import sizes as sizing

    found = run(sizing.sizes(from_environment())).plain()
    show(found, as_json, printout.sizes_lines(found))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def doctor(as_json: bool) -> None:
    """Check this installation, and say how to fix what is wrong. The exit status is 1 if a check fails.

    Checks the settings, the database, the node, the clocks, the disks, the relayers, the worker and the audit log, from
    the machine that it runs on. Changes nothing.

    \b
    Example:
      gateway doctor
    """
    from gateway.cli.operate.doctor import doctor as doctors

    found = run(doctors.examine(given()))
    show(doctors.plain(found), as_json, printout.doctor_lines(doctors.plain(found)))
    if doctors.has_failed(found):
        sys.exit(1)


@cli.group()
def config() -> None:
    """Check the gateway's settings.

    \b
    Example:
      gateway config check
    """


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def check(as_json: bool) -> None:
    """Show every setting, where its value comes from, and what is wrong with it. The exit status is 1 if anything is.

    URLs that may contain a password are not shown. Connects to nothing: for that, see gateway doctor.

    \b
    Example:
      gateway config check
    """
    from gateway.cli.operate import configuration

    found = configuration.check(given()).plain()
    show(found, as_json, printout.configuration_lines(found))
    if found["faults"]:
        sys.exit(1)


@cli.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def relayers(context: click.Context, as_json: bool) -> None:
    """Show the state of each relayer, and how long its gas balance will last.

    \b
    Example:
      gateway relayers
    """
    from gateway.cli.operate import relayers as commands

    if context.invoked_subcommand is None:
        found = run(commands.listed(from_environment()))
        show({"relayers": found}, as_json, printout.relayer_lines(found))


@relayers.command()
@click.argument("address", help="The relayer's address.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def resume(address: str, as_json: bool) -> None:
    """Resume a stopped relayer.

    \b
    Example:
      gateway relayers resume 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
    """
    from gateway.cli.operate import relayers as commands

    gone_on = run(commands.resume(from_environment(), address))
    show(gone_on, as_json, [printout.resumed_line(gone_on)])


@cli.group()
def chain() -> None:
    """Read the chain again where the ledger lacks something.

    \b
    Example:
      gateway chain reread 1000 1200
    """


@chain.command()
@click.argument("first", metavar="FROM", type=click.IntRange(min=1), help="The first block's number.")
@click.argument("last", metavar="TO", type=click.IntRange(min=1), help="The last block's number.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def reread(first: int, last: int, as_json: bool) -> None:
    """Read the final blocks FROM to TO again, and post what the ledger lacks. Nothing is posted twice.

    \b
    Example:
      gateway chain reread 1000 1200
    """
    from gateway.cli.operate import chain as chaining

    read = run(chaining.reread(from_environment(), first, last))
    show(read, as_json, [printout.reread_line(read)])


@cli.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def withdrawals(context: click.Context, as_json: bool) -> None:
    """List the assets whose withdrawals are frozen, and the differences that froze them.

    \b
    Example:
      gateway withdrawals
    """
    from gateway.cli.operate import withdrawal_freezes as commands

    if context.invoked_subcommand is None:
        found = run(commands.frozen(from_environment()))
        show({"frozen": found}, as_json, printout.frozen_lines(found))


@withdrawals.command()
@an_asset
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def unfreeze(asset: str, as_json: bool) -> None:
    """Unfreeze withdrawals of an asset. Reconciles again first, and refuses while there is a difference.

    \b
    Example:
      gateway withdrawals unfreeze USDX
    """
    from gateway.cli.operate import withdrawal_freezes as commands

    done = run(commands.unfreeze(from_environment(), asset))
    show(done, as_json, [printout.unfrozen_line(done)])


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def main() -> None:
    """Run the command line. An error is one sentence on standard error and the status 1."""
    logs.to_standard_error("text")
    gc.set_threshold(50_000, 20, 50)  # a command imports its parts, which are never freed
    try:
        cli(prog_name="gateway")
    except GatewayError as refusal:
        say(f"gateway: {refusal}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
