"""The parts of a running gateway, built by hand from the configuration, once per process."""

import asyncio
import json
import logging
import os
import pwd
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from gateway import __version__
from gateway.audit.log import By
from gateway.chain.deployment import deploy
from gateway.chain.node import HttpNode
from gateway.clock import Clock
from gateway.config.config import Config
from gateway.custody import wallet_keys
from gateway.custody.settle_sweeps import Sweeps
from gateway.errors import Misconfigured
from gateway.events.wake import Wake
from gateway.http.proxies import Proxies
from gateway.http.services import Services
from gateway.identity.rate_limits import Limits, Rate, Rates
from gateway.ids import PaymentId, WalletId
from gateway.keys import key_files, signer, vault
from gateway.keys.signer import RelayerSigner
from gateway.keys.vault import Vault
from gateway.ledger import ledger
from gateway.notifications.channels.channel import Channel
from gateway.notifications.channels.email import Email
from gateway.notifications.channels.push import Push
from gateway.notifications.notifier import Notifier, ReportLink
from gateway.notifications.push import vapid
from gateway.notifications.push.vapid import Vapid
from gateway.outbound.allowed import Allowed
from gateway.payments import payees, rails, settles
from gateway.payments.ends import report_unauthorized
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres import migration, pool
from gateway.postgres.connection import Deadlines
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Connection, Database
from gateway.tracing.tracer import Tracer
from gateway.webhooks.dispatcher import SLOTS, Dispatcher, Render
from gateway.webhooks.sender import Sender
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)

Built = TypeVar("Built")

#: How far a node's own "finalized" is usually behind, in seconds: two epochs of 32 slots of 12 s.
_FINALIZED_SECONDS = 64 * 12.0

#: How long after a failed start the database is tried again, in seconds.
_TRY_AGAIN_SECONDS = 1.0

#: How long a statement of a command or of the worker may take, in seconds: no caller waits for an answer.
COMMAND_SECONDS = 30.0

#: How long a statement of a migration, which may rewrite a table, or of a recount, which reads every entry (80 s for
#: ten million on two cores), may take. One that takes longer has stopped for another reason.
LONG_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Places:
    """The URLs of the database and the node. `up` writes those of its embedded parts to `run.json` in the home, so that
    every other command finds them; `chain_is_ours`: the node is the embedded one.
    """

    database_url: str
    rpc_url: str
    chain_is_ours: bool
    api_url: str = ""


def at_machine() -> By:
    """Return the user who runs a command, by the machine's name: access to the machine is the only credential that it
    needs.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return By("command", name)


def run_file(config: Config) -> Path:
    """Return the file in which a running `up` writes the URLs of its parts."""
    return config.home / "run.json"


def running_at(config: Config) -> Places:
    """Return the URLs of a running `up`'s parts; empty if there is none."""
    try:
        return Places(**json.loads(run_file(config).read_text()))
    except (OSError, ValueError, TypeError):
        return Places("", "", False)


def places(config: Config, node: bool = True) -> Places:
    """Return the URLs as configured, or else those of a running `up`. Raises Misconfigured if there is no database, or
    no node and one is needed.
    """
    running = running_at(config)
    database_url = config.database_url or running.database_url
    rpc_url = config.rpc_url or running.rpc_url
    if not database_url:
        raise Misconfigured(f"no gateway runs in {config.home}: start scripts/up, or set GATEWAY_DATABASE_URL")
    if node and not rpc_url:
        raise Misconfigured(f"no gateway runs in {config.home}: start scripts/up, or set GATEWAY_RPC_URL")
    return replace(
        running, database_url=database_url, rpc_url=rpc_url, chain_is_ours=running.chain_is_ours and not config.rpc_url
    )


@asynccontextmanager
async def database(
    config: Config,
    name: str,
    connections: int = 1,
    statement_seconds: float = COMMAND_SECONDS,
    answers: bool = True,
) -> AsyncIterator[Database]:
    """The database, whose schema must be what this code expects; `answers` as in `postgres.connect`. Raises
    DatabaseUnavailable, Misconfigured.
    """
    async with unmigrated(config, name, connections, statement_seconds, answers) as opened:
        await migration.check_migrated(opened)
        yield opened


@asynccontextmanager
async def unmigrated(
    config: Config, name: str, connections: int, statement_seconds: float, answers: bool = True
) -> AsyncIterator[Database]:
    """The database, whatever its schema. Raises DatabaseUnavailable, Misconfigured."""
    url = places(config, node=False).database_url
    deadlines = Deadlines(config.database_connect_seconds, statement_seconds)
    async with pool.connect(url, connections, f"gateway {name}", deadlines, answers) as opened:
        yield opened


def relayers(config: Config, where: Places) -> tuple[RelayerSigner, ...]:
    """Return the relayers' signers: the keys in the file or, on the embedded chain, well-known ones. The first deploys,
    and grants the others their roles.
    """
    if config.relayer_key_file is not None:
        keys = key_files.load_relayer_keys(config.relayer_key_file)
    elif where.chain_is_ours:
        keys = list(signer.LOCAL_RELAYER_KEYS)
    else:
        raise Misconfigured(
            "with GATEWAY_RPC_URL set, put the relayer's private keys (hex, one a line) into a file that only you "
            "can read and set GATEWAY_RELAYER_KEY_FILE to it"
        )
    chosen = tuple(RelayerSigner(key) for key in keys)
    for one in chosen:
        signer.refuse_well_known(one, embedded=where.chain_is_ours)
    return chosen


async def settings_of(config: Config, database: Database, where: Places) -> PaymentSettings:
    """Return the payment settings, with the assets and contracts of the database. Raises Misconfigured if the settings
    and the ledger disagree about an asset.
    """
    async with database.reading() as connection:
        assets = await ledger.with_former(connection, config.assets)
        contracts = await deploy.contracts(connection, assets)
    local = config.block_seconds * (2 + (config.finality if config.finality is not None else 2))
    return PaymentSettings(
        assets=assets,
        contracts=contracts,
        ledger_fee_basis_points=config.ledger_fee_basis_points,
        hold_seconds=config.hold_seconds,
        authorization_seconds=config.authorization_seconds,
        finality_seconds=local if where.chain_is_ours else _far(config),
        signature_seconds=config.signature_seconds,
        rails=rails.RAILS,
        payees=payees.RESOLVERS,
        settles=(*settles.KINDS, Sweeps(config.authorization_seconds)),
    )


def _far(config: Config) -> float:
    return _FINALIZED_SECONDS if config.finality is None else (config.finality + 1) * 12.0


async def vault_of(config: Config, database: Database) -> Vault:
    """Return the vault with the master keys that encrypt this database's keys, and the root key that its wallets are
    derived from. Raises Misconfigured if the files have other keys.
    """
    master_keys = key_files.load_master_keys(config.master_key_file)
    root = key_files.load_root_key(config.root_key_file)
    async with database.reading() as connection:
        await wallet_keys.check_master_keys(connection, [vault.check_value(key) for key in master_keys])
        await wallet_keys.check_root_key(connection, vault.root_check_value(root))
    return Vault(*master_keys, root=root, reload=lambda: key_files.load_master_keys(config.master_key_file))


@asynccontextmanager
async def patiently(
    build: Callable[[], AbstractAsyncContextManager[Built]], stop: asyncio.Event
) -> AsyncIterator[Built | None]:
    """Enter `build` once the database is available, or give None if `stop` is set before. The wait is logged once, and
    then continues: a process that is started first, or during a failover, need not be restarted.
    """
    async with AsyncExitStack() as stack:
        said, built = "", None
        while built is None and not stop.is_set():
            try:
                built = await stack.enter_async_context(build())
            except DatabaseUnavailable as away:
                if said != str(away):
                    said = str(away)
                    log.warning("waiting for the database: %s", said)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_TRY_AGAIN_SECONDS):
                        await stop.wait()
        if said and built is not None:
            log.info("the database answers")
        yield built


@asynccontextmanager
async def services(
    config: Config, connections: int = 16, url: str = "http://127.0.0.1:8000"
) -> AsyncIterator[Services]:
    """The services of the HTTP server, which listens at `url`. While the node is unavailable, token payments wait in
    the database; only callers who bind an address, or sign by a contract, have to retry.
    """
    where = places(config, node=False)
    node = HttpNode(where.rpc_url) if where.rpc_url else None
    try:
        async with (
            AsyncExitStack() as stack,
            database(config, "serve", connections, config.database_statement_seconds) as opened,
        ):
            vault = await vault_of(config, opened)
            settings = await settings_of(config, opened, where)
            tracer = await stack.enter_async_context(traced(config, "serve", opened.clock))
            rates = Rates(
                Rate(config.sign_ups_per_hour, timedelta(hours=1)),
                Rate(config.tries_per_minute, timedelta(minutes=1)),
                Rate(config.requests_per_minute, timedelta(minutes=1)),
            )
            yield Services(
                *(opened, settings, vault, opened.clock, node, config.public_url or url),
                *(Proxies(config.trusted_proxies), Limits(rates)),
                webhooks_allowed=webhooks_allowed(config),
                channels=notification_channels(config, vault, opened.clock),
                finality=config.finality,
                gas_batches_min=config.gas_batches_min,
                logs_requests=config.access_log,
                tracer=tracer,
            )
    finally:
        if node is not None:
            await node.close()


@asynccontextmanager
async def traced(config: Config, process: str, clock: Clock) -> AsyncIterator[Tracer | None]:
    """The tracer of this process; None if traces are off. Then nothing of OpenTelemetry is imported, which takes a
    third of a second, and it need not be installed. Raises Misconfigured if traces are on and it is not installed.
    """
    if config.traces_url is None:
        yield None
        return
    try:
        from gateway.tracing.exporter import Exporter
    except ImportError:
        raise Misconfigured(
            "GATEWAY_TRACES_URL is set, and what sends traces is not installed: run "
            "pip install 'wallet-gateway[server,traces]', or unset it"
        ) from None
    exporter = Exporter(config.traces_url, process, __version__)
    try:
        yield Tracer(config.traces_ratio, clock, exporter.record)
    finally:
        await asyncio.to_thread(exporter.close)


def webhooks_allowed(config: Config) -> Allowed:
    """Return the destinations that webhooks may be sent to."""
    return Allowed(config.webhook_schemes, config.webhook_networks)


def notification_channels(config: Config, vault: Vault, clock: Clock) -> tuple[Channel, ...]:
    """Return the configured channels, in the order in which they are listed. Raises Misconfigured."""
    found: list[Channel] = [] if config.smtp is None else [Email(config.smtp)]
    key = vapid_key(config, vault)
    if key is not None:
        found.append(Push(Vapid(key, config.vapid_subject), Allowed(), clock))
    return tuple(found)


def vapid_key(config: Config, vault: Vault) -> EllipticCurvePrivateKey | None:
    """Return the key that signs pushes: the configured one, or one derived from the root key, so that every process has
    the same. Raises Misconfigured.
    """
    if config.vapid_private_key is not None:
        return vapid.read_key(config.vapid_private_key)
    secret = vault.derive("vapid", vapid.SECRET_BYTES)
    return None if secret is None else vapid.key_of(secret)


def report_links(settings: PaymentSettings, clock: Clock) -> ReportLink:
    """Return the function that makes links which report a payment as unauthorized, for notifications."""

    async def link(connection: Connection, wallet: WalletId, payment: PaymentId) -> str:
        return await report_unauthorized.link(connection, settings, wallet, payment, clock())

    return link


@asynccontextmanager
async def worker(config: Config, render: Callable[[PaymentSettings], Render]) -> AsyncIterator[Worker]:
    """What the worker needs. `render` returns the function that renders events; it belongs to the API, which imports
    the web framework, so this module does not import it.
    """
    where = places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with AsyncExitStack() as stack, database(config, "work", 6, answers=False) as opened:
            vault = await vault_of(config, opened)
            settings = await settings_of(config, opened, where)
            sender = Sender(webhooks_allowed(config), opened.clock, SLOTS)
            notifications = Notifier(
                *(opened, vault, opened.clock, notification_channels(config, vault, opened.clock)),
                *(report_links(settings, opened.clock), config.public_url or where.api_url or config.url(config.port)),
            )
            tracer = await stack.enter_async_context(traced(config, "work", opened.clock))
            webhooks = Dispatcher(opened, vault, opened.clock, render(settings), sender, wake=Wake(opened))
            try:
                yield Worker(
                    database=opened,
                    node=node,
                    settings=settings,
                    vault=vault,
                    signers=relayers(config, where),
                    finality=config.finality,
                    clock=opened.clock,
                    webhooks=webhooks,
                    notifications=notifications,
                    gas_batches_min=config.gas_batches_min,
                    batch_wait=timedelta(seconds=config.batch_wait_seconds),
                    tracer=tracer,
                )
            finally:
                await asyncio.gather(webhooks.close(), notifications.close())
    finally:
        await node.close()
