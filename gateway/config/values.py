"""One parser per kind of value. Each takes the setting's name and raises Misconfigured, with what to set it to."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from gateway.errors import Misconfigured

Network = IPv4Network | IPv6Network


def whole(name: str, text: Mapping[str, str], minimum: int, maximum: int) -> int:
    digits = text[name]
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18 and minimum <= int(digits) <= maximum):
        raise Misconfigured(f"{name}={digits[:80]!r}: set it to a whole number from {minimum} to {maximum}")
    return int(digits)


def choice(name: str, text: Mapping[str, str], *choices: str) -> str:
    if text[name] not in choices:
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to {' or '.join(choices)}")
    return text[name]


def url(name: str, text: Mapping[str, str]) -> str | None:
    """Return an http or https URL without user, query and fragment. Its authority may be shown in a message."""
    if not text[name]:
        return None
    parts = urlsplit(text[name])
    plain = re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?", parts.netloc)
    if parts.scheme not in ("http", "https") or not plain or parts.query or parts.fragment or not text[name].isascii():
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to a URL such as https://pay.example")
    return text[name].rstrip("/")


def node_url(name: str, text: Mapping[str, str]) -> str | None:
    """Return an http or https URL. No message shows it: its user, path or query may be a secret."""
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


def networks(name: str, text: Mapping[str, str]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(network.strip()) for network in text[name].split(",") if network.strip())
    except ValueError:
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to networks such as 10.0.0.0/8, ::1") from None


def schemes(name: str, text: Mapping[str, str]) -> tuple[str, ...]:
    schemes = tuple(scheme.strip() for scheme in text[name].split(","))
    if not set(schemes) <= {"https", "http"}:
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to https, or to https,http")
    return schemes


def seconds(name: str, text: Mapping[str, str], minimum: float) -> float:
    try:
        seconds = float(text[name])
    except ValueError:
        seconds = -1.0
    if not minimum <= seconds <= 60:
        raise Misconfigured(f"{name}={text[name]!r}: set it to a number of seconds from {minimum:g} to 60")
    return seconds


def ratio(name: str, text: Mapping[str, str]) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,12})?", text[name]) or not 0 <= float(text[name]) <= 1:
        raise Misconfigured(f"{name}={text[name][:80]!r}: set it to a number from 0 to 1, such as 0.01")
    return float(text[name])
