"""The URLs that an endpoint may have, and the addresses that a worker may connect to. Pure.

A URL is checked when it is set, and the address is checked again on the socket that is about to connect
(guarded_connector.py): a name may resolve to something else by then.

Of IPv6, only global unicast is public (2000::/3, RFC 4291), without its ranges for translation, documentation and
protocols. Addresses that contain an IPv4 address (mapped, NAT64, 6to4, Teredo) are refused, whatever that IPv4 address
is: a translator decides where they lead.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from gateway.errors import InvalidRequest

Network = IPv4Network | IPv6Network

URL_LENGTH_MAX: Final = 2_000

#: IPv4 that is not public: the IANA special-purpose registry (RFC 6890), multicast and what is reserved.
_NOT_PUBLIC_4: Final = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)

#: Global unicast, and its ranges that are not a host's: protocol assignments with Teredo, documentation, 6to4, AS112.
_GLOBAL_6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_6: Final = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


class Allowed:
    """The destinations that the settings allow: URL schemes, and networks in addition to public addresses."""

    def __init__(self, schemes: Sequence[str] = ("https",), networks: Sequence[Network] = ()) -> None:
        self._schemes, self._networks = schemes, networks

    def address(self, text: str) -> bool:
        """Return whether a worker may connect to this IP address."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if any(address in network for network in self._networks if network.version == address.version):
            return True
        if address.version == 4:
            return not any(address in network for network in _NOT_PUBLIC_4)
        return address in _GLOBAL_6 and not any(address in network for network in _NOT_PUBLIC_6)

    def check_url(self, text: str, kind: str = "url") -> str:
        """Return the URL, if an endpoint may have it. Raises InvalidRequest of this kind, with the reason.

        An IP address in it is checked here, so that a wrong one is refused at once; a name is resolved when something
        is sent.
        """
        if len(text) > URL_LENGTH_MAX or not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>^`{|}'):
            raise _refused(
                kind, f"write it in at most {URL_LENGTH_MAX} ASCII characters without spaces; other letters as xn--…"
            )
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise _refused(kind, "it cannot be read as a URL") from None
        if parts.scheme not in self._schemes:
            raise _refused(kind, f"it should begin with {' or '.join(f'{scheme}://' for scheme in self._schemes)}")
        if not host:
            raise _refused(kind, "it names no host")
        if "@" in parts.netloc:
            raise _refused(kind, "it has a user or a password; what is sent is signed instead")
        if "#" in text:
            raise _refused(kind, "it has a fragment, which is never sent")
        if port is not None and port not in (80, 443) and not 1024 <= port <= 65_535:
            raise _refused(kind, f"port {port} is not one that anything is sent to: use 443, 80, or one from 1024 on")
        if _is_address(host) and not self.address(host):
            raise _refused(kind, f"{host} is not a public address")
        return text


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks that these name."""
    return tuple(ip_network(text) for text in texts)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refused(kind: str, why: str) -> InvalidRequest:
    return InvalidRequest(kind, f"this URL cannot be an endpoint: {why}")
