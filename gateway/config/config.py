"""The settings, read once from the environment and from a file. Nothing else in the gateway reads `os.environ`.

Every setting has a default that needs nothing: without any, the gateway keeps its own PostgreSQL and its own local
chain below `.gateway/`. `SETTINGS` is the table that the reference page and `gateway --help` show.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from gateway.errors import Misconfigured
from gateway.escape import for_shell
from gateway.logs import LogFormat
from gateway.money import Asset, Assets, fiat

Network = IPv4Network | IPv6Network

#: Name, default, meaning: the whole configuration.
SETTINGS: Final = (
    (
        "GATEWAY_CONFIG_FILE",
        "",
        "TOML file with settings, named in lower case without GATEWAY_; the environment takes precedence",
    ),
    ("GATEWAY_HOME", ".gateway", "the folder that holds all state"),
    ("GATEWAY_HOST", "127.0.0.1", "the address that the HTTP server listens on"),
    ("GATEWAY_PORT", "8000", "the port of the HTTP server; 0 picks a free one and prints it"),
    (
        "GATEWAY_PUBLIC_URL",
        "",
        "the URL at which people open the gateway, which signed messages name; empty: where it listens",
    ),
    ("GATEWAY_TRUSTED_PROXIES", "", "networks of the proxies in front, whose X-Forwarded-For is believed"),
    ("GATEWAY_SIGN_UPS_PER_HOUR", "600", "handles that one address may claim in an hour"),
    (
        "GATEWAY_TRIES_PER_MINUTE",
        "300",
        "sign-ins, handle look-ups, and wrong keys and names that one address may send in a minute",
    ),
    ("GATEWAY_REQUESTS_PER_MINUTE", "60000", "requests that one caller may send in a minute"),
    (
        "GATEWAY_METRICS_PORT",
        "",
        "the port of GET /metrics; serve and work each need their own (up gives work the next one); 0 picks a free one "
        "and prints it; empty: no metrics",
    ),
    ("GATEWAY_METRICS_HOST", "127.0.0.1", "the address of that port; it asks for no key, so let only Prometheus in"),
    ("GATEWAY_LOG_FORMAT", "text", "the log format of serve and work: text, or json (one object per line)"),
    (
        "GATEWAY_ACCESS_LOG",
        "off",
        "on: serve logs every request, by its route's template and without personal data",
    ),
    (
        "GATEWAY_TRACES_URL",
        "",
        "where serve and work send traces by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; empty: nowhere",
    ),
    ("GATEWAY_TRACES_RATIO", "0.01", "the part of payments, and of other requests, that is traced: from 0 to 1"),
    (
        "GATEWAY_DRAIN_SECONDS",
        "0",
        "how long a stopping server still answers while /health/ready is 503, so that load balancers leave it first",
    ),
    (
        "GATEWAY_STOP_SECONDS",
        "10",
        "how long a stopping process may take to finish its work",
    ),
    ("GATEWAY_DATABASE_URL", "", "the URL of your own PostgreSQL; empty: one is embedded"),
    ("GATEWAY_DATABASE_URL_FILE", "", "a file to read that URL from, for secrets that are mounted as files"),
    (
        "GATEWAY_DATABASE_CONNECT_SECONDS",
        "5",
        "how long connecting may take; connect_timeout in the URL takes precedence",
    ),
    ("GATEWAY_DATABASE_STATEMENT_SECONDS", "10", "how long a statement of a request may take"),
    ("GATEWAY_RPC_URL", "", "the URL of your own Ethereum node; empty: a local anvil is embedded"),
    ("GATEWAY_RPC_URL_FILE", "", "a file to read that URL from, for secrets that are mounted as files"),
    (
        "GATEWAY_RELAYER_KEY_FILE",
        "",
        "file with the relayers' private keys (hex), one a line; empty: those of the local chain",
    ),
    (
        "GATEWAY_MASTER_KEY_FILE",
        "",
        "file with the master keys (hex) that encrypt the wallets' keys, one a line; empty: master.key in the home",
    ),
    (
        "GATEWAY_ROOT_KEY_FILE",
        "",
        "file with the root key (hex) that new wallets' keys are derived from; empty: root.key in the home",
    ),
    ("GATEWAY_CURRENCIES", "EUR,USD,THB,JPY", "ISO 4217 codes of the fiat assets"),
    ("GATEWAY_TOKENS", "USDX:USD:6", "tokens as CODE:CURRENCY:DECIMALS, each backed at par by its currency"),
    (
        "GATEWAY_FINALITY",
        "finalized",
        "when a block is final: what the node calls 'finalized', or a number of blocks on top of it",
    ),
    ("GATEWAY_BLOCK_SECONDS", "0.5", "time between two blocks of the embedded chain"),
    (
        "GATEWAY_BATCH_WAIT_SECONDS",
        "0.2",
        "how long a token payment waits for others to share a chain transaction with",
    ),
    ("GATEWAY_AUTHORIZATION_SECONDS", "3600", "how long a signed token payment may be settled"),
    (
        "GATEWAY_SIGNATURE_SECONDS",
        "900",
        "how long a token payment waits for its payer's own signature",
    ),
    ("GATEWAY_HOLD_SECONDS", "604800", "how long a hold lasts before it expires"),
    ("GATEWAY_GAS_BATCHES_LEAST", "10", "warn when a relayer's gas balance pays for fewer full batches than this"),
    (
        "GATEWAY_LEDGER_FEE_BASIS_POINTS",
        "0",
        "the payer's fee on the ledger rail, in basis points (hundredths of a percent), rounded down",
    ),
    (
        "GATEWAY_WEBHOOK_SCHEMES",
        "https",
        "the schemes that webhook URLs may have: https, or https,http",
    ),
    (
        "GATEWAY_WEBHOOK_NETWORKS",
        "",
        "networks that webhooks may be sent to in addition to public addresses, such as 10.1.0.0/16",
    ),
    (
        "GATEWAY_SMTP_URL",
        "",
        "the mail server that sends notices, such as smtp://user:password@mail.example:587 (STARTTLS) or smtps:// "
        "(TLS); empty: no e-mail is sent",
    ),
    ("GATEWAY_SMTP_URL_FILE", "", "a file to read that URL from, for secrets that are mounted as files"),
    ("GATEWAY_EMAIL_FROM", "", "the sender of e-mail, such as Example Pay <no-reply@pay.example>"),
    (
        "GATEWAY_VAPID_PRIVATE_KEY",
        "",
        "the key that web pushes are signed with (base64url or PEM); empty: it is derived from the root key",
    ),
    ("GATEWAY_VAPID_PRIVATE_KEY_FILE", "", "a file to read that key from, for secrets that are mounted as files"),
    (
        "GATEWAY_VAPID_SUBJECT",
        "",
        "where push services reach the operator: a mailto: or https: URL; empty: GATEWAY_PUBLIC_URL, if that is https",
    ),
)

#: What may hold a password or an access key: never shown, and read from the file that `<name>_FILE` names.
SECRETS: Final = ("GATEWAY_DATABASE_URL", "GATEWAY_RPC_URL", "GATEWAY_SMTP_URL", "GATEWAY_VAPID_PRIVATE_KEY")

Encryption = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where e-mail is handed in, and whom it is from. `user` is None where the server asks for none."""

    host: str
    port: int
    encryption: Encryption
    user: str | None
    password: str | None = field(repr=False)
    sender: Address


@dataclass(frozen=True, slots=True)
class Config:
    """See `SETTINGS`; a field per line of it, but for the names of files that are read here."""

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
    finality: int | None  #: Blocks on top of a final one; None: what the node calls finalized.
    block_seconds: float
    batch_wait_seconds: float
    authorization_seconds: int
    signature_seconds: int
    hold_seconds: int
    gas_batches_least: int
    ledger_fee_basis_points: int
    webhook_schemes: tuple[str, ...]
    webhook_networks: tuple[Network, ...]
    smtp: SmtpServer | None
    vapid_private_key: str | None
    vapid_subject: str | None

    def url(self, port: int, host: str | None = None) -> str:
        """Where the HTTP server, or one on another host, is on this machine (RFC 3986: an IPv6 address stands in
        brackets). One that listens on every address is asked at the loopback one.
        """
        host = self.host if host is None else host
        if host.strip("0.:") == "":  # 0.0.0.0 and ::
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def given(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that look like settings, whether there is such a setting or not."""
    return {name: value for name, value in environ.items() if name.startswith("GATEWAY_") and value.strip()}


def from_environment(environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration that the environment and its files give. Raises Misconfigured, naming the setting and what it
    takes.
    """
    return read(with_files(environ))


def with_files(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables, with the settings of the configuration file that they lack, and with secrets read from the files
    that hold them. Raises Misconfigured.
    """
    file = environ.get("GATEWAY_CONFIG_FILE", "").strip()
    return (_with_secrets(_of_toml(Path(file))) if file else {}) | _with_secrets(environ)


def _of_toml(file: Path) -> dict[str, str]:
    said = f"GATEWAY_CONFIG_FILE={for_shell(str(file))}"
    try:
        found = tomllib.loads(_text_of("GATEWAY_CONFIG_FILE", file))
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{said}: it is not TOML: {error}") from None
    names, values = {name for name, _, _ in SETTINGS}, dict[str, str]()
    for key, value in found.items():
        name, texts = f"GATEWAY_{key.upper()}", value if isinstance(value, list) else [value]
        if name not in names or key != key.lower():
            raise Misconfigured(f"{said}: {key} is not a setting: remove it; 'gateway --help' lists them")
        if name == "GATEWAY_CONFIG_FILE":
            raise Misconfigured(f"{said}: {key} is not a setting there: remove it")
        if type(value) not in (str, int, float, list) or (
            texts is value and not all(type(one) is str for one in texts)
        ):
            raise Misconfigured(f"{said}: {key} is not a text, a number or a list of texts")
        values[name] = ",".join(map(str, texts))
    return values


def _with_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    found = dict(variables)
    for name in SECRETS:
        if file := variables.get(f"{name}_FILE", "").strip():
            if variables.get(name, "").strip():
                raise Misconfigured(f"{name} and {name}_FILE are both set: remove one")
            found[name] = _text_of(f"{name}_FILE", Path(file)).strip()
    return found


def _text_of(name: str, file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Misconfigured(f"{name}={str(file)!r}: it cannot be read: {why}") from None


def read(variables: Mapping[str, str]) -> Config:
    """The configuration that these variables give. Raises Misconfigured, naming the setting and what it takes."""
    text = {name: variables.get(name, "").strip() or default for name, default, _ in SETTINGS}
    home = Path(text["GATEWAY_HOME"]).absolute()
    relayer, master, root = (text[f"GATEWAY_{which}_KEY_FILE"] for which in ("RELAYER", "MASTER", "ROOT"))
    finality = text["GATEWAY_FINALITY"]
    return Config(
        home=home,
        host=text["GATEWAY_HOST"],
        port=_whole("GATEWAY_PORT", text, 0, 65_535),
        public_url=_url("GATEWAY_PUBLIC_URL", text),
        trusted_proxies=_networks("GATEWAY_TRUSTED_PROXIES", text),
        sign_ups_per_hour=_whole("GATEWAY_SIGN_UPS_PER_HOUR", text, 1, 1_000_000_000),
        tries_per_minute=_whole("GATEWAY_TRIES_PER_MINUTE", text, 1, 1_000_000_000),
        requests_per_minute=_whole("GATEWAY_REQUESTS_PER_MINUTE", text, 1, 1_000_000_000),
        metrics_port=_whole("GATEWAY_METRICS_PORT", text, 0, 65_534) if text["GATEWAY_METRICS_PORT"] else None,
        metrics_host=text["GATEWAY_METRICS_HOST"],
        log_format="json" if _choice("GATEWAY_LOG_FORMAT", text, "text", "json") == "json" else "text",
        access_log=_choice("GATEWAY_ACCESS_LOG", text, "off", "on") == "on",
        traces_url=_url("GATEWAY_TRACES_URL", text),
        traces_ratio=_ratio("GATEWAY_TRACES_RATIO", text),
        drain_seconds=_seconds("GATEWAY_DRAIN_SECONDS", text, 0.0),
        stop_seconds=_seconds("GATEWAY_STOP_SECONDS", text, 0.0),
        database_url=text["GATEWAY_DATABASE_URL"] or None,
        database_connect_seconds=_seconds("GATEWAY_DATABASE_CONNECT_SECONDS", text, 0.5),
        database_statement_seconds=_seconds("GATEWAY_DATABASE_STATEMENT_SECONDS", text, 0.5),
        rpc_url=_node_url("GATEWAY_RPC_URL", text),
        relayer_key_file=Path(relayer) if relayer else None,
        master_key_file=Path(master) if master else home / "master.key",
        root_key_file=Path(root) if root else home / "root.key",
        assets=_assets(text["GATEWAY_CURRENCIES"], text["GATEWAY_TOKENS"]),
        finality=None if finality == "finalized" else _whole("GATEWAY_FINALITY", text, 0, 10_000),
        block_seconds=_seconds("GATEWAY_BLOCK_SECONDS", text, 0.1),
        batch_wait_seconds=_seconds("GATEWAY_BATCH_WAIT_SECONDS", text, 0.0),
        authorization_seconds=_whole("GATEWAY_AUTHORIZATION_SECONDS", text, 30, 30 * 86_400),
        signature_seconds=_whole("GATEWAY_SIGNATURE_SECONDS", text, 10, 7 * 86_400),
        hold_seconds=_whole("GATEWAY_HOLD_SECONDS", text, 1, 365 * 86_400),
        gas_batches_least=_whole("GATEWAY_GAS_BATCHES_LEAST", text, 1, 1_000_000),
        ledger_fee_basis_points=_whole("GATEWAY_LEDGER_FEE_BASIS_POINTS", text, 0, 5_000),
        webhook_schemes=_schemes("GATEWAY_WEBHOOK_SCHEMES", text),
        webhook_networks=_networks("GATEWAY_WEBHOOK_NETWORKS", text),
        smtp=_smtp(text["GATEWAY_SMTP_URL"], text["GATEWAY_EMAIL_FROM"]),
        vapid_private_key=text["GATEWAY_VAPID_PRIVATE_KEY"] or None,
        vapid_subject=_subject(text),
    )


def _whole(name: str, text: Mapping[str, str], least: int, most: int) -> int:
    digits = text[name]
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18 and least <= int(digits) <= most):
        raise Misconfigured(f"{name}={digits[:80]!r}: set it to a whole number from {least} to {most}")
    return int(digits)


def _choice(name: str, text: Mapping[str, str], *choices: str) -> str:
    if text[name] not in choices:
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to {' or '.join(choices)}")
    return text[name]


def _url(name: str, text: Mapping[str, str]) -> str | None:
    """An http or https URL without user, query and fragment; what of it is an authority can stand in a message."""
    if not text[name]:
        return None
    parts = urlsplit(text[name])
    plain = re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?", parts.netloc)
    if parts.scheme not in ("http", "https") or not plain or parts.query or parts.fragment or not text[name].isascii():
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to a URL such as https://pay.example")
    return text[name].rstrip("/")


def _node_url(name: str, text: Mapping[str, str]) -> str | None:
    """An http or https URL. A message never shows it: its user, path or query may be a secret."""
    if not text[name]:
        return None
    try:
        parts = urlsplit(text[name])
        host, scheme, _ = parts.hostname, parts.scheme, parts.port
    except ValueError:
        host, scheme = None, ""
    if scheme in ("ws", "wss"):
        raise Misconfigured(
            f"{name} is a WebSocket URL, and the gateway asks the node over HTTP: set it to the node's "
            f"{'https' if scheme == 'wss' else 'http'}:// URL"
        )
    if scheme not in ("http", "https") or not host or not text[name].isascii() or set(text[name]) & set(" \t\\"):
        raise Misconfigured(
            f"{name} is not a URL that a node can be asked at: set it to one such as https://node.example/key or "
            "http://127.0.0.1:8545"
        )
    return text[name]


def _networks(name: str, text: Mapping[str, str]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(network.strip()) for network in text[name].split(",") if network.strip())
    except ValueError:
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to networks such as 10.0.0.0/8, ::1") from None


def _schemes(name: str, text: Mapping[str, str]) -> tuple[str, ...]:
    schemes = tuple(scheme.strip() for scheme in text[name].split(","))
    if not set(schemes) <= {"https", "http"}:
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to https, or to https,http")
    return schemes


#: By the scheme of GATEWAY_SMTP_URL: how the connection is encrypted, and the port where none is said (RFC 8314).
_SMTP: Final[Mapping[str, tuple[Encryption, int]]] = {
    "smtps": ("tls", 465),
    "smtp": ("starttls", 587),
    "smtp+plain": ("none", 25),
}


def _smtp(url: str, sender: str) -> SmtpServer | None:
    """The mail server; None where none is set. A message never shows the URL, which has a password."""
    if not url and not sender:
        return None
    if not url or not sender:
        raise Misconfigured("GATEWAY_SMTP_URL and GATEWAY_EMAIL_FROM are set together: set both, or neither")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in _SMTP or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise Misconfigured(
            "GATEWAY_SMTP_URL is not the URL of a mail server: set it to one such as "
            "smtp://user:password@mail.example:587 (STARTTLS), smtps://user:password@mail.example (TLS) or "
            "smtp+plain://127.0.0.1:25 (a server on this machine); write % @ : / of a password as %25 %40 %3A %2F"
        )
    encryption, usual = _SMTP[parts.scheme]
    if encryption == "none" and (parts.username or host not in ("localhost", "127.0.0.1", "::1")):
        raise Misconfigured(
            "GATEWAY_SMTP_URL: smtp+plain is not encrypted, so it is for a server at localhost, without a password: "
            "use smtp:// (STARTTLS) or smtps:// (TLS)"
        )
    if bool(parts.username) != bool(parts.password):
        raise Misconfigured("GATEWAY_SMTP_URL has a user without a password, or the other way: write user:password@")
    user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
    return SmtpServer(host, port or usual, encryption, user, password, _sender(sender))


def _sender(text: str) -> Address:
    name, spec = parseaddr(text)
    try:
        sender = Address(name, addr_spec=spec)
    except (ValueError, IndexError, HeaderParseError):
        sender = Address()
    if not text.isprintable() or "." not in sender.domain or not sender.username or not spec.isascii():
        raise Misconfigured(
            f"GATEWAY_EMAIL_FROM={for_shell(text[:80])}: set it to an address such as Example Pay "
            "<no-reply@pay.example>"
        )
    return sender


def _subject(text: Mapping[str, str]) -> str | None:
    """A mailto: or https: URL (RFC 8292, 2.1)."""
    given, public = text["GATEWAY_VAPID_SUBJECT"], text["GATEWAY_PUBLIC_URL"]
    if not given:
        return public if public.startswith("https://") else None
    if not re.fullmatch(r"mailto:[^\s@<>\"]+@[^\s@<>\"]+|https://[^\s<>\"]+", given) or not given.isascii():
        raise Misconfigured(
            f"GATEWAY_VAPID_SUBJECT={for_shell(given[:80])}: set it to a URL such as mailto:ops@pay.example or "
            "https://pay.example"
        )
    return given


def _seconds(name: str, text: Mapping[str, str], least: float) -> float:
    try:
        seconds = float(text[name])
    except ValueError:
        seconds = -1.0
    if not least <= seconds <= 60:
        raise Misconfigured(f"{name}={text[name]!r}: set it to a number of seconds from {least:g} to 60")
    return seconds


def _ratio(name: str, text: Mapping[str, str]) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,12})?", text[name]) or not 0 <= float(text[name]) <= 1:
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to a number from 0 to 1, such as 0.01")
    return float(text[name])


def _assets(currencies: str, tokens: str) -> Assets:
    """The assets of two settings, and ETH, the coin gas is paid in."""
    fiats = [fiat(code.strip()) for code in currencies.split(",")]
    assets = [*fiats, *(_token(token, fiats) for token in tokens.split(",")), Asset("ETH", "native", 18)]
    codes = [asset.code for asset in assets]
    for code in codes:
        if codes.count(code) > 1:
            raise Misconfigured(f"GATEWAY_CURRENCIES, GATEWAY_TOKENS: {code} is there more than once (ETH always is)")
    return Assets(assets)


#: How many decimals a token may have, as a setting says it.
_DECIMALS = {str(decimals) for decimals in range(37)}


def _token(setting: str, fiats: list[Asset]) -> Asset:
    code, _, rest = setting.strip().partition(":")
    backing, _, decimals = rest.partition(":")
    if not (code.isascii() and code.isalnum() and code.isupper() and 3 <= len(code) <= 11 and decimals in _DECIMALS):
        raise Misconfigured(
            f"GATEWAY_TOKENS: {setting!r} should read CODE:CURRENCY:DECIMALS (0 to 36), such as USDX:USD:6"
        )
    if backing not in {asset.code for asset in fiats}:
        raise Misconfigured(f"GATEWAY_TOKENS: {code} is backed by {backing!r}, which is not in GATEWAY_CURRENCIES")
    return Asset(code, "token", int(decimals), backing)
