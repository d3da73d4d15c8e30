"""up: start the embedded parts, set up, take the tour on the first start, and run both processes until Ctrl-C."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from gateway import assembly
from gateway.assembly import Places
from gateway.cli.operate import operations, sign_in_links
from gateway.cli.processes.ports import check_port, free_port
from gateway.cli.wallet import printout, tour
from gateway.cli.wallet.errors import NoGateway
from gateway.cli.wallet.tour import Tour
from gateway.config.config import Config
from gateway.embedded.children import holder
from gateway.embedded.rpc import NO_AUTHORITIES
from gateway.embedded.supervise import Command, Parts, Steps, Stopped, embedded
from gateway.errors import Misconfigured
from gateway.escape import for_shell
from gateway.identity.sign_in.passkey_verification import party_of

#: The folder where npm installs anvil in a checkout.
_NODE_MODULES = Path(__file__).resolve().parents[3] / "contracts" / "node_modules"

#: Readiness is checked on a new connection each time.
_ANEW = {"Connection": "close"}

#: How long the server may take to answer a readiness check.
_READY_SECONDS = 2.0

#: How long a process may take to close its connections, in addition to the time in the settings.
_CLOSE_SECONDS = 5.0


async def up(config: Config, exit_when_ready: bool, with_tour: bool) -> None:
    """Start everything and serve until Ctrl-C, or, with `exit_when_ready`, until everything is ready. The first start
    takes the tour, which creates money: on a configured database or chain only `with_tour`.
    """
    begun = time.monotonic()
    steps = Steps()
    _check_not_running(config)
    port = config.port or free_port(config.host)
    check_port(config.host, port)
    url = config.url(port)
    with_tour = with_tour or (config.database_url is None and config.rpc_url is None)
    try:
        async with (
            httpx.AsyncClient(
                base_url=url, headers=_ANEW, timeout=_READY_SECONDS, trust_env=False, verify=NO_AUTHORITIES
            ) as server,
            embedded(
                config.home,
                _NODE_MODULES,
                database=config.database_url is None,
                chain=config.rpc_url is None,
                block_seconds=config.block_seconds,
                confirmations=2 if config.finality is None else config.finality,
                steps=steps,
            ) as parts,
        ):
            await _prepare(config, parts, url, steps)
            commands = _commands(config, server, port)
            running = asyncio.create_task(parts.run(commands))
            try:
                await _until_ready(server, parts, running)
                try:
                    if with_tour:
                        await _tour_once(config, url, steps)
                except NoGateway:
                    if not parts.stopped:
                        raise  # otherwise Ctrl-C came in the middle of the tour, which the next start continues
                steps.say(f"ready after {time.monotonic() - begun:.1f} s")
                if exit_when_ready:
                    parts.stop()
                else:
                    _point_out(config, url, await _links(config, url), steps)
                await running
            finally:
                parts.stop()
                await asyncio.gather(running, return_exceptions=True)
                assembly.run_file(config).unlink(missing_ok=True)
    except Stopped:
        steps.say("stopped")


def _check_not_running(config: Config) -> None:
    """Raises Misconfigured if another `up` uses this home: otherwise the error would be about its port."""
    process = holder(config.home)
    if process is not None:
        url = assembly.running_at(config).api_url
        where = f"at {url}, as" if url else "as"
        raise Misconfigured(
            f"{config.home} is running already {where} process {process}: use that one, stop it first, or give this "
            "one a GATEWAY_HOME and a GATEWAY_PORT of its own"
        )


async def _prepare(config: Config, parts: Parts, url: str, steps: Steps) -> None:
    """Write the URLs of the embedded parts to run.json, then bring schema and contracts up to date."""
    where = Places(
        database_url=parts.dsn or "",
        rpc_url=parts.rpc_url or "",
        chain_is_ours=config.rpc_url is None,
        api_url=url,
    )
    _write_privately(assembly.run_file(config), json.dumps(asdict(where)))
    with steps.step("brought the schema up to date"):
        await operations.migrate(config)
    with steps.step("brought the contracts up to date"):
        contracts = await operations.deploy(config)
    for code, contract in contracts.items():
        steps.say(f"  {code} is at {contract.address} on chain {contract.chain_id}")


def _commands(config: Config, server: httpx.AsyncClient, port: int) -> list[Command]:
    program = [sys.executable, "-P", "-m", "gateway"]
    settings, of_worker = {"GATEWAY_PORT": str(port)}, dict[str, str]()
    if config.metrics_port:
        of_worker = {"GATEWAY_METRICS_PORT": str(config.metrics_port + 1)}
    grace_seconds = config.drain_seconds + config.stop_seconds + _CLOSE_SECONDS
    return [
        Command(
            "the HTTP server", [*program, "serve"], settings, lambda: _is_ready(server), grace_seconds=grace_seconds
        ),
        Command("the worker", [*program, "work"], settings | of_worker, grace_seconds=grace_seconds),
    ]


async def _tour_once(config: Config, url: str, steps: Steps) -> None:
    """Take the tour on the first start, and show what it did."""
    toured = config.home / "toured.json"
    if toured.exists():
        return
    with steps.step("took the tour"):
        taken = await tour.take(url, config.home / "keys", config.assets, lambda text: steps.say(f"  {text}"))
    _show(taken, steps.say)
    _write_privately(toured, json.dumps(asdict(taken)))


async def _links(config: Config, url: str) -> list[str]:
    """The links that open the sandbox's first wallet and its console, signed in; none on a configured database or
    chain.
    """
    party = party_of(config.public_url or url)
    toured = (config.home / "toured.json").exists()
    if not toured or not party.has_passkeys or config.database_url is not None or config.rpc_url is not None:
        return []
    handle = tour.HANDLES[0]
    wallet, console = await sign_in_links.to_wallet(config, handle), await sign_in_links.to_console(config)
    once = "signed in (once, sandbox only)"
    return [
        f"@{handle}'s wallet, {once}: {party.origin}/sign-in#link={wallet}"
        if wallet
        else f"@{handle}'s wallet has a passkey: sign in with it at {party.origin}/sign-in",
        f"the console, {once}: {party.origin}/console/sign-in#link={console}"
        if console
        else f"the console, for its operators: {party.origin}/console",
    ]


def _point_out(config: Config, url: str, links: list[str], steps: Steps) -> None:
    """Print the URLs, and what to try next."""
    party = party_of(config.public_url or url)
    for line in links:
        steps.say(line)
    if party.has_passkeys:
        steps.say(f"people sign up and sign in at {party.origin}/sign-up")
    else:
        steps.say(
            f"nobody can sign up: browsers use no passkeys at {party.origin}; set GATEWAY_PUBLIC_URL to an https URL"
        )
    steps.say(f"the API is at {url}, its description at {url}/openapi.json")
    steps.say(f"the documentation is at {url}/docs")
    if config.metrics_port is not None:
        steps.say(_metrics(config))
    steps.say(f"the handles' API keys are in {config.home / 'keys'}; everything is in {config.home}")
    steps.say("try next, in another terminal:")
    for line in _try_next(config):
        steps.say(f"  {line}")
    steps.say("Ctrl-C stops everything")


def _metrics(config: Config) -> str:
    """The URLs of the metrics. With port 0 each process picks a port, and writes it to its log."""
    if config.metrics_port == 0:
        return f"the logs in {config.home / 'log'} say where each process has its metrics"
    assert config.metrics_port is not None
    serve, work = (config.url(port, config.metrics_host) for port in (config.metrics_port, config.metrics_port + 1))
    return f"the server's metrics are at {serve}/metrics, the worker's at {work}/metrics"


def _try_next(config: Config) -> list[str]:
    home = "" if config.home == Path.cwd() / ".gateway" else f"GATEWAY_HOME={for_shell(str(config.home))} "
    if not (config.home / "toured.json").exists():
        return [f"{home}.venv/bin/gateway handle create alice", f"{home}.venv/bin/gateway reconcile"]
    coffee = tour.money(config.assets, "5.00")
    return [
        f"{home}.venv/bin/gateway balance @alice",
        f"{home}.venv/bin/gateway pay @bob {coffee} --from @alice --memo coffee",
        f"{home}.venv/bin/gateway reconcile",
    ]


async def _until_ready(server: httpx.AsyncClient, parts: Parts, running: "asyncio.Task[None]") -> None:
    """Wait for the server and the worker; if one of them ended, raise the reason."""
    while not running.done():
        if parts.started.is_set() and await _is_ready(server):
            return
        await asyncio.sleep(0.05)
    await running
    raise Stopped


async def _is_ready(server: httpx.AsyncClient) -> bool:
    try:
        return (await server.get("/health/ready")).status_code == 200
    except httpx.HTTPError:
        return False


def _show(taken: Tour, say: Callable[[str], None]) -> None:
    for payment in taken.payments:
        say("  " + printout.payment_line(payment))
    say("")
    for line in printout.balances_table(_flat(taken.before), _flat(taken.after)):
        say("  " + line)
    say("")


def _flat(balances: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], str]:
    return {(handle, one["asset"]): one["available"] for handle, each in balances.items() for one in each}


def _write_privately(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
