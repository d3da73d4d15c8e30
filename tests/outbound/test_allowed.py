"""Which URLs and addresses anything is sent to."""

import random
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from gateway.errors import InvalidRequest
from gateway.outbound.allowed import Allowed, networks

#: One of every kind that is not public, and each way to write a private IPv4 address in an IPv6 one.
REFUSED = (
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *(
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
    ),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:169.254.169.254", "::10.0.0.1"),
    *("64:ff9b::169.254.169.254", "64:ff9b::8.8.8.8", "64:ff9b:1::10.0.0.1"),
    *(
        "2002:a9fe:a9fe::1",
        "2002:808:808::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:10::1",
        "5f00::1",
        "fec0::1",
    ),
    *("", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "017700000001"),
)
PUBLIC = ("1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1")


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not Allowed().address(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_not(address: str) -> None:
    assert Allowed().address(address)


def test_what_is_allowed_is_public_for_python_too() -> None:
    """The standard library keeps the IANA registries on its own: nothing that it calls special passes here."""
    chosen, allowed = random.Random(7), Allowed()
    for _ in range(50_000):
        four, six = IPv4Address(chosen.getrandbits(32)), IPv6Address(chosen.getrandbits(128))
        for one in (four, six, IPv6Address(0x2001 << 112 | chosen.getrandbits(112))):
            if allowed.address(str(one)):
                assert one.is_global, one
                assert not one.is_multicast, one


def test_a_network_that_the_settings_name_is_allowed_and_no_other() -> None:
    allowed = Allowed(networks=networks(["10.1.0.0/16", "fd00::/64"]))
    told = {one: allowed.address(one) for one in ("10.1.9.9", "10.2.0.1", "fd00::7", "fd01::7", "::ffff:10.1.9.9")}
    assert told == {"10.1.9.9": True, "10.2.0.1": False, "fd00::7": True, "fd01::7": False, "::ffff:10.1.9.9": False}
    assert ip_address("10.1.9.9")


@pytest.mark.parametrize(
    "url",
    [
        *("https://shop.example/hook", "https://shop.example", "https://shop.example:8443/a?b=c", "https://1.1.1.1/"),
        *("https://[2606:4700::1111]/", "https://xn--caf-dma.example/", "HTTPS://shop.example/"),
    ],
)
def test_a_url_of_a_public_host_is_taken(url: str) -> None:
    assert Allowed().check_url(url) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "begin with https://"),
        ("shop.example/hook", "begin with https://"),
        ("http://shop.example/", "begin with https://"),
        ("ftp://shop.example/", "begin with https://"),
        ("file:///etc/passwd", "begin with https://"),
        ("https://", "names no host"),
        ("https:///hook", "names no host"),
        ("https://user@shop.example/", "a user or a password"),
        ("https://user:word@shop.example/", "a user or a password"),
        ("https://shop.example@127.0.0.1/", "a user or a password"),
        ("https://shop.example/#a", "fragment"),
        ("https://shop.example:25/", "port 25"),
        ("https://shop.example:22/", "port 22"),
        ("https://shop.example:0/", "port 0"),
        ("https://shop.example:99999/", "cannot be read"),
        ("https://shop.example:a/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://127.0.0.1/", "not a public address"),
        ("https://169.254.169.254/latest/meta-data/", "not a public address"),
        ("https://[::1]/", "not a public address"),
        ("https://[::ffff:10.0.0.1]/", "not a public address"),
        ("https://[64:ff9b::a9fe:a9fe]/", "not a public address"),
        ("https://shop.example/a b", "ASCII"),
        ("https://shop.example/\n", "ASCII"),
        ("https://shop.example\\@127.0.0.1/", "ASCII"),
        ("https://café.example/", "ASCII"),
        (f"https://shop.example/{'a' * 2_000}", "2000"),
    ],
)
def test_another_url_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        Allowed().check_url(url)


def test_http_is_taken_where_the_settings_say_so() -> None:
    assert Allowed(("https", "http")).check_url("http://shop.example/") == "http://shop.example/"
