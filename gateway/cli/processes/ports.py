"""Ports to listen on."""

import socket

from gateway.errors import Misconfigured


def free_port(host: str) -> int:
    """A port that is free at the moment."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def check_port(host: str, port: int, setting: str = "GATEWAY_PORT") -> None:
    """Raises Misconfigured if another process listens there already, or if the address is not this machine's."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"cannot listen on {host}:{port} ({error.strerror}): stop what uses it, or set {setting} to another "
                "port (0 picks a free one)"
            ) from None
