"""A PostgreSQL URL (libpq-connect, "Connection URIs"), read before the driver reads it.

asyncpg treats every query parameter that it does not know as a setting of the server, so libpq's own parameters are
handled here. Those that can be applied are (`connect_timeout`, keepalives, `tcp_user_timeout`, `application_name`),
those without effect are dropped, and those that security depends on and that cannot be applied are refused. No error
shows the URL, since it may hold a password.
"""

import re
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlunsplit

from gateway.errors import Misconfigured

#: Parameters of libpq that the driver does not use, with the values that ask for nothing beyond what this package does.
_WITHOUT_EFFECT: Final = {
    "client_encoding": {"utf8", "utf-8", "unicode", "auto"},
    "gssencmode": {"disable", "prefer"},
    "channel_binding": {"disable", "prefer"},
    "sslcertmode": {"allow", "disable"},
    "sslcompression": {"0", "1"},
    "sslsni": {"0", "1"},
    "load_balance_hosts": {"disable"},
    "target_session_attrs": {
        "any",
        "read-write",
        "primary",
    },  # the gateway uses the host that takes writes, see primary.py
    "min_protocol_version": {"3.0"},
    "max_protocol_version": {"3.0", "latest"},
}

#: Parameters of libpq that are not supported.
_UNSUPPORTED: Final = {
    *("requirepeer", "require_auth", "replication", "gssdelegation", "requiressl", "scram_client_key"),
    *("scram_server_key", "oauth_issuer", "oauth_client_id", "oauth_client_secret", "oauth_scope", "hostaddr"),
}

#: Those of TCP, with the range of each: seconds, but for the last, which is milliseconds.
_TCP: Final = {
    "keepalives": (0, 1),
    "keepalives_idle": (0, 86_400),
    "keepalives_interval": (0, 86_400),
    "keepalives_count": (0, 127),
    "tcp_user_timeout": (0, 86_400_000),
}

#: A URI as RFC 3986, appendix B, splits it. (urlsplit accepts no brackets among several hosts.)
_URL: Final = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?")

_ESCAPES: Final = "in a user name or password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25"


@dataclass(frozen=True, slots=True)
class Tcp:
    """How a dead peer is noticed (tcp(7)): seconds idle before the first probe, seconds between probes, how many; 0 is
    off.
    """

    keepalives: int = 1
    keepalives_idle: int = 10
    keepalives_interval: int = 5
    keepalives_count: int = 3
    tcp_user_timeout: int | None = None  # Milliseconds that sent data may stay unacknowledged; None: as statements.


@dataclass(frozen=True, slots=True)
class Host:
    """One server: a name, an address or the folder of a unix socket, and its port."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """`url` is for the driver; the rest is for this package. None: the URL does not set it. `hosts` are those of a URL
    that names several (libpq-connect, "Specifying Multiple Hosts").
    """

    url: str
    connect_seconds: float | None
    application_name: str | None
    tcp: Tcp
    hosts: tuple[Host, ...] = ()


def read(text: str) -> DatabaseUrl:
    """Return the URL's parts. Raises Misconfigured, which says what is wrong and shows no password."""
    parts = _split(text)
    _check_hosts(parts.netloc)
    try:
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        _refuse("its parameters should read ?name=value&name=value")
    if "port" in query:
        for port in query["port"].split(","):
            _check_port(port)
    name = query.pop("application_name", None) or query.pop("fallback_application_name", None)
    query.pop("fallback_application_name", None)
    seconds = _whole(query, "connect_timeout", 0, 86_400)
    tcp = {one: value for one, limits in _TCP.items() if (value := _whole(query, one, *limits)) is not None}
    rest = {one: value for one, value in query.items() if not _is_without_effect(one, value)}
    hosts = _hosts(parts.netloc, rest)
    who, at, named = parts.netloc.rpartition("@")
    if hosts and "[" in named:  # the driver parses the URL by urlsplit, and gets each host separately
        parts, rest["host"] = parts._replace(netloc=who + at), named
    return DatabaseUrl(
        url=urlunsplit(parts._replace(query=urlencode(rest))),
        connect_seconds=max(seconds, 2) if seconds else None,  # as libpq: 0 is no limit of its own, 1 is 2
        application_name=name,
        tcp=Tcp(**tcp),
        hosts=hosts,
    )


def _split(text: str) -> SplitResult:
    found = _URL.fullmatch(text.strip())
    if found is None:
        _refuse("it has a line break")
    parts = SplitResult(*(part or "" for part in found.groups()))
    if parts.scheme not in ("postgresql", "postgres"):
        _refuse("it should begin with postgresql://, without the name of a driver")
    if parts.fragment:
        _refuse(f"it has a '#'; {_ESCAPES}")
    return parts


def _check_hosts(netloc: str) -> None:
    if netloc.count("@") > 1:
        _refuse(f"it has more than one '@' before the database's name; {_ESCAPES}")
    if re.search(r"[\[\]]", netloc.rpartition("@")[0]):
        _refuse(f"a user name or password has a bracket; {_ESCAPES}, [ as %5B and ] as %5D")
    for host in netloc.rpartition("@")[2].split(","):
        found = re.fullmatch(r"(?:\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?", host)
        if found is None:
            _refuse("an IPv6 address should stand in brackets, as in [::1]:5432")
        if found[1]:
            _check_port(found[1])


def _hosts(netloc: str, query: dict[str, str]) -> tuple[Host, ...]:
    """Return the hosts, if there are several; the driver parses a single one."""
    written = netloc.rpartition("@")[2]
    if written:
        parts = [re.fullmatch(r"(\[.*\]|[^:]*)(?::(.*))?", one) for one in written.split(",")]
        named = [(unquote(one[1]).strip("[]"), one[2] or "5432") for one in parts if one is not None]
    else:
        names, ports = query.get("host", "").split(","), query.get("port", "5432").split(",")
        if len(ports) not in (1, len(names)):
            _refuse(f"it names {len(names)} hosts and {len(ports)} ports; give one port for all, or one for each")
        named = list(zip(names, ports * len(names) if len(ports) == 1 else ports, strict=True))
    return tuple(Host(name, int(port)) for name, port in named) if len(named) > 1 else ()


def _check_port(text: str) -> None:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        _refuse(f"a port should be a whole number from 1 to 65535; {_ESCAPES}")


def _whole(query: dict[str, str], name: str, minimum: int, maximum: int) -> int | None:
    """Remove a parameter from the query and return its value."""
    text = query.pop(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and minimum <= int(text) <= maximum):
        _refuse(f"{name}={text[:40]!r} should be a whole number from {minimum} to {maximum}")
    return int(text)


def _is_without_effect(name: str, value: str) -> bool:
    if name in _UNSUPPORTED or value.lower() not in _WITHOUT_EFFECT.get(name, {value.lower()}):
        _refuse(f"{name}={value[:40]!r} is not supported here; remove it")
    return name in _WITHOUT_EFFECT


def _refuse(why: str) -> NoReturn:
    raise Misconfigured(f"the URL of the database (GATEWAY_DATABASE_URL): {why}") from None
