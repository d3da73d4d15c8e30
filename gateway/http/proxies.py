"""The client's address: the socket's, or behind trusted proxies the one that they report. Pure."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from gateway.config.values import Network

#: An address in X-Forwarded-For; some proxies add the port.
_ADDRESS = re.compile(r"\[(?P<six>[0-9A-Fa-f:.]+)\](:\d+)?|(?P<four>[0-9.]+)(:\d+)?|(?P<bare>[0-9A-Fa-f:.]+)")


class Proxies:
    """The trusted proxies in front of the gateway, by their networks."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    def client_of(self, scope: Mapping[str, Any]) -> str | None:
        """Return the client's address of an ASGI request; None if it does not come by a network.

        Each proxy appends the address that called it to X-Forwarded-For. So the header is read from the right, for as
        long as the proxy that has written an entry is trusted: an entry that the client has forged is never reached.
        """
        client = scope["client"]
        if client is None:
            return None
        at: str = client[0]
        if not self._has(at):
            return at
        said = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        for text in reversed(",".join(said).split(",")):
            told = _address(text.strip())
            if told is None:
                break
            at = str(told)
            if not self._has(at):
                break
        return at

    def _has(self, address: str) -> bool:
        try:
            at = ip_address(address) if self._networks else None
        except ValueError:
            return False
        if isinstance(at, IPv6Address) and at.ipv4_mapped is not None:
            at = at.ipv4_mapped
        return at is not None and any(at in network for network in self._networks if network.version == at.version)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    found = _ADDRESS.fullmatch(text[:100])
    try:
        return ip_address(found["six"] or found["four"] or found["bare"]) if found else None
    except ValueError:
        return None
