"""The configuration: a field per setting, each parsed once.

Every setting has a default that needs nothing: without any, the gateway runs its own PostgreSQL and its own local chain
below `.gateway/`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.config import assets, mail, values
from gateway.config.mail import SmtpServer
from gateway.config.settings import SETTINGS
from gateway.config.values import Network
from gateway.errors import Misconfigured
from gateway.escape import for_shell
from gateway.logs import LogFormat
from gateway.money import Assets


@dataclass(frozen=True, slots=True)
class Config:
    """A field per line of `SETTINGS`, except those that name a file to read other settings from."""

    home: Path
    host: str
    port: int
    public_url: str | None
    trusted_proxies: tuple[Network, ...]
    sign_ups_per_hour: int
    tries_per_minute: int
    requests_per_minute: int
    metrics_port: int | None
    metrics_host: str
    log_format: LogFormat
    access_log: bool
    traces_url: str | None
    traces_ratio: float
    drain_seconds: float
    stop_seconds: float
    database_url: str | None
    database_connect_seconds: float
    database_statement_seconds: float
    rpc_url: str | None
    relayer_key_file: Path | None
    master_key_file: Path
    root_key_file: Path
    assets: Assets
    finality: int | None  # Blocks on top of a final one; None: the node says which is finalized.
    block_seconds: float
    batch_wait_seconds: float
    authorization_seconds: int
    signature_seconds: int
    hold_seconds: int
    gas_batches_min: int
    ledger_fee_basis_points: int
    webhook_schemes: tuple[str, ...]
    webhook_networks: tuple[Network, ...]
    smtp: SmtpServer | None
    vapid_private_key: str | None
    vapid_subject: str | None

    def url(self, port: int, host: str | None = None) -> str:
        """Return the URL of the HTTP server, or of one on another host, on this machine (RFC 3986: an IPv6 address is
        in brackets). If it listens on every address, the URL has the loopback one.
        """
        host = self.host if host is None else host
        if host.strip("0.:") == "":  # 0.0.0.0 and ::
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def read(variables: Mapping[str, str]) -> Config:
    """Return the configuration of these variables. Raises Misconfigured, which names the setting and its allowed
    values.
    """
    text = {name: variables.get(name, "").strip() or default for name, default, _ in SETTINGS}
    home = Path(text["GATEWAY_HOME"]).absolute()
    relayer, master, root = (text[f"GATEWAY_{which}_KEY_FILE"] for which in ("RELAYER", "MASTER", "ROOT"))
    finality = text["GATEWAY_FINALITY"]
    return Config(
        home=home,
        host=text["GATEWAY_HOST"],
        port=values.whole("GATEWAY_PORT", text, 0, 65_535),
        public_url=values.url("GATEWAY_PUBLIC_URL", text),
        trusted_proxies=values.networks("GATEWAY_TRUSTED_PROXIES", text),
        sign_ups_per_hour=values.whole("GATEWAY_SIGN_UPS_PER_HOUR", text, 1, 1_000_000_000),
        tries_per_minute=values.whole("GATEWAY_TRIES_PER_MINUTE", text, 1, 1_000_000_000),
        requests_per_minute=values.whole("GATEWAY_REQUESTS_PER_MINUTE", text, 1, 1_000_000_000),
        metrics_port=values.whole("GATEWAY_METRICS_PORT", text, 0, 65_534) if text["GATEWAY_METRICS_PORT"] else None,
        metrics_host=text["GATEWAY_METRICS_HOST"],
        log_format="json" if values.choice("GATEWAY_LOG_FORMAT", text, "text", "json") == "json" else "text",
        access_log=values.choice("GATEWAY_ACCESS_LOG", text, "off", "on") == "on",
        traces_url=values.url("GATEWAY_TRACES_URL", text),
        traces_ratio=values.ratio("GATEWAY_TRACES_RATIO", text),
        drain_seconds=values.seconds("GATEWAY_DRAIN_SECONDS", text, 0.0),
        stop_seconds=values.seconds("GATEWAY_STOP_SECONDS", text, 0.0),
        database_url=text["GATEWAY_DATABASE_URL"] or None,
        database_connect_seconds=values.seconds("GATEWAY_DATABASE_CONNECT_SECONDS", text, 0.5),
        database_statement_seconds=values.seconds("GATEWAY_DATABASE_STATEMENT_SECONDS", text, 0.5),
        rpc_url=values.node_url("GATEWAY_RPC_URL", text),
        relayer_key_file=Path(relayer) if relayer else None,
        master_key_file=Path(master) if master else home / "master.key",
        root_key_file=Path(root) if root else home / "root.key",
        assets=assets.read(text["GATEWAY_CURRENCIES"], text["GATEWAY_TOKENS"]),
        finality=None if finality == "finalized" else values.whole("GATEWAY_FINALITY", text, 0, 10_000),
        block_seconds=values.seconds("GATEWAY_BLOCK_SECONDS", text, 0.1),
        batch_wait_seconds=values.seconds("GATEWAY_BATCH_WAIT_SECONDS", text, 0.0),
        authorization_seconds=values.whole("GATEWAY_AUTHORIZATION_SECONDS", text, 30, 30 * 86_400),
        signature_seconds=values.whole("GATEWAY_SIGNATURE_SECONDS", text, 10, 7 * 86_400),
        hold_seconds=values.whole("GATEWAY_HOLD_SECONDS", text, 1, 365 * 86_400),
        gas_batches_min=values.whole("GATEWAY_GAS_BATCHES_MIN", text, 1, 1_000_000),
        ledger_fee_basis_points=values.whole("GATEWAY_LEDGER_FEE_BASIS_POINTS", text, 0, 5_000),
        webhook_schemes=values.schemes("GATEWAY_WEBHOOK_SCHEMES", text),
        webhook_networks=values.networks("GATEWAY_WEBHOOK_NETWORKS", text),
        smtp=mail.smtp_server(text["GATEWAY_SMTP_URL"], text["GATEWAY_EMAIL_FROM"]),
        vapid_private_key=text["GATEWAY_VAPID_PRIVATE_KEY"] or None,
        vapid_subject=_vapid_subject(text),
    )


def _vapid_subject(text: Mapping[str, str]) -> str | None:
    """Return the subject, a mailto: or https: URL (RFC 8292, 2.1); None if there is none."""
    given, public = text["GATEWAY_VAPID_SUBJECT"], text["GATEWAY_PUBLIC_URL"]
    if not given:
        return public if public.startswith("https://") else None
    if not re.fullmatch(r"mailto:[^\s@<>\"]+@[^\s@<>\"]+|https://[^\s<>\"]+", given) or not given.isascii():
        raise Misconfigured(
            f"GATEWAY_VAPID_SUBJECT={for_shell(given[:80])}: set it to a URL such as mailto:ops@pay.example or "
            "https://pay.example"
        )
    return given
