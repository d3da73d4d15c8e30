"""Where a request comes from, behind proxies that are trusted and others."""

from ipaddress import ip_network
from typing import Any

import pytest

from gateway.http.proxies import Proxies

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


def scope(peer: str | None, *forwarded: str) -> Any:
    headers = [(b"x-forwarded-for", text.encode("latin-1")) for text in forwarded]
    return {"client": (peer, 4711) if peer else None, "headers": [(b"host", b"x"), *headers]}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("192.0.2.1",), "192.0.2.1"),
        ("::ffff:10.0.0.1", ("192.0.2.1",), "192.0.2.1"),
        ("fd00::1", ("2001:db8::1",), "2001:db8::1"),
        ("10.0.0.1", ("192.0.2.1, 10.0.0.2",), "192.0.2.1"),
        ("10.0.0.1", ("192.0.2.1", "10.0.0.2"), "192.0.2.1"),
        ("10.0.0.1", ("192.0.2.1:555",), "192.0.2.1"),
        ("10.0.0.1", ("[2001:db8::1]:555",), "2001:db8::1"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        (None, ("192.0.2.1",), None),
    ],
)
def test_proxies_are_believed_from_the_right(peer: str | None, forwarded: tuple[str, ...], client: str | None) -> None:
    assert PROXIES.client_of(scope(peer, *forwarded)) == client


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", ("198.51.100.1",), "192.0.2.1"),
        ("10.0.0.1", ("198.51.100.1, 192.0.2.1",), "192.0.2.1"),
        ("10.0.0.1", ("198.51.100.1", "192.0.2.1, 10.0.0.2"), "192.0.2.1"),
        ("10.0.0.1", ("198.51.100.1, nonsense, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("x" * 60_000,), "10.0.0.1"),
        ("10.0.0.1", ("999.1.1.1",), "10.0.0.1"),
    ],
)
def test_what_a_client_says_of_itself_is_not_believed(peer: str, forwarded: tuple[str, ...], client: str) -> None:
    assert PROXIES.client_of(scope(peer, *forwarded)) == client


def test_without_proxies_the_socket_says_it() -> None:
    assert Proxies().client_of(scope("10.0.0.1", "192.0.2.1")) == "10.0.0.1"
