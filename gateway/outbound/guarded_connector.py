"""Connects to allowed addresses only, whatever a URL or a name server says.

Addresses are checked twice: all that a name resolves to, after its look-up, and the one that is about to be connected
to, on the socket for it. So a name that resolves to something else the second time, or a number that only a C library
takes for an address, gains nothing. TLS and `Host` still use the name.

Names are looked up in threads of the client: a name that gets no answer blocks one of them, and none of those that
look up the node's or the database's name.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.outbound.allowed import Allowed

#: Looks up a name, like `socket.getaddrinfo`.
LookUp = Callable[..., list[tuple[Any, ...]]]


class AddressRefused(OSError):
    """The address that a name resolved to is not allowed."""


class GuardedConnector(TCPConnector):
    """A connection is kept for `keep_seconds` after its last use; None: it is not."""

    def __init__(
        self,
        allowed: Allowed,
        threads: ThreadPoolExecutor,
        look_up: LookUp,
        tls: ssl.SSLContext | bool,
        keep_seconds: float | None,
    ) -> None:
        def socket_for(address: tuple[Any, ...]) -> socket.socket:
            family, kind, protocol, _, at = address
            if not allowed.address(str(at[0])):
                raise AddressRefused
            return socket.socket(family, kind, protocol)

        super().__init__(
            resolver=_Names(allowed, threads, look_up),
            socket_factory=socket_for,
            ssl=tls,
            force_close=keep_seconds is None,
            keepalive_timeout=keep_seconds,
            limit=0,  # the caller has a limit of its own
            use_dns_cache=False,
        )

    async def _get(self, key: Any, traces: Any) -> Any:
        """Reuse no connection on which data came after its last answer: it would be taken for the next answer."""
        while (kept := await super()._get(key, traces)) is not None:
            if kept.protocol is not None and not kept.protocol.should_close:
                return kept
            kept.close()
        return None


class _Names(AbstractResolver):
    """Looks up names in threads that nothing else waits for. A name with any address that is not allowed is refused,
    whichever of its addresses would have been used.
    """

    def __init__(self, allowed: Allowed, threads: ThreadPoolExecutor, look_up: LookUp) -> None:
        self._allowed, self._threads, self._look_up = allowed, threads, look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._look_up, host, port, family, socket.SOCK_STREAM)
        except UnicodeError:  # a label that no name can have
            raise OSError("not a name") from None
        if not all(self._allowed.address(str(at[0])) for *_, at in found):
            raise AddressRefused
        return [
            ResolveResult(
                hostname=host, host=at[0], port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
            )
            for kind, _, protocol, _, at in found
        ]

    async def close(self) -> None:
        pass
