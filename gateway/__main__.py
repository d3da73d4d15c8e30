"""The command line: every command, its arguments and its worked example. What a command does is in `commands/`."""

import asyncio
import logging
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import rich_click as click

from gateway.commands import operating, running, upping
from gateway.config import SETTINGS, from_environment
from gateway.errors import GatewayError

T = TypeVar("T")

click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.TEXT_MARKUP = "markdown"


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings, from the environment:\n\n" + "\n".join(f"- `{n}` ({d or 'empty'}): {m}" for n, d, m in SETTINGS),
)
def cli() -> None:
    """One handle, one wallet, two rails: a double-entry ledger and an ERC-20 token."""


@cli.command()
@click.option("--exit", "exit_after_tour", is_flag=True, help="Stop again once both payments of the tour are settled.")
def up(exit_after_tour: bool) -> None:
    """Start everything: PostgreSQL, the chain, the server, the worker.

    Example: `gateway up`
    """
    run(upping.up(from_environment(), exit_after_tour))


@cli.command()
def serve() -> None:
    """Serve the HTTP API over a database that is there.

    Example: `GATEWAY_PORT=8001 gateway serve`
    """
    running.serve(from_environment())


@cli.command()
def work() -> None:
    """Sign, send, watch and settle: the worker.

    Example: `gateway work`
    """
    running.work(from_environment())


@cli.command()
def migrate() -> None:
    """Bring the database's schema up to date.

    Example: `GATEWAY_DATABASE_URL=postgresql://user@host/db gateway migrate`
    """
    applied = run(operating.migrate(from_environment()))
    click.echo("\n".join(f"applied {name}" for name in applied) or "nothing to do")


@cli.command()
def deploy() -> None:
    """Deploy the contract of every token that has none.

    Example: `GATEWAY_RPC_URL=http://127.0.0.1:8545 GATEWAY_RELAYER_KEY_FILE=relayer.key gateway deploy`
    """
    for code, contract in run(operating.deploy(from_environment())).items():
        click.echo(f"{code} is at {contract.address} on chain {contract.chain_id}, block {contract.deployed_block}")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def main() -> None:
    """Run the command line. A refusal is one sentence on standard error and the status 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        cli()
    except GatewayError as refusal:
        click.echo(f"gateway: {refusal}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
