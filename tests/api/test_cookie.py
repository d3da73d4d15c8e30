"""The session's cookie, over https and http."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.http import cookie
from gateway.identity.sign_in.passkey_verification import party_of
from tests.factory import NOW

HTTPS, HTTP = party_of("https://pay.example"), party_of("http://localhost:8000")


def asked(*cookies: bytes) -> Any:
    return {"headers": [(b"cookie", one) for one in cookies]}


def test_over_https_the_cookie_is_of_this_host_alone() -> None:
    header = cookie.holding("gs_x", HTTPS, NOW + timedelta(hours=1), NOW).to_header(header="").strip()
    name, *rules = header.split("; ")
    assert name == "__Host-session=gs_x"
    assert sorted(rules) == ["HttpOnly", "Max-Age=3600", "Path=/", "SameSite=strict", "Secure"]
    assert not any(rule.lower().startswith("domain") for rule in rules)


@pytest.mark.parametrize(
    ("cookies", "token"),
    [
        ((b"__Host-session=gs_x",), "gs_x"),
        ((b"a=b; __Host-session=gs_x; c=d",), "gs_x"),
        ((b"session=gs_planted; __Host-session=gs_x",), "gs_x"),
        ((b"session=gs_planted",), None),
        ((b"__Host-session=gs_x; __Host-session=gs_y",), None),
        ((b"__Host-session=gs_x", b"__Host-session=gs_y"), None),
        ((b"x__Host-session=gs_x",), None),
        ((b"",), None),
        ((), None),
    ],
)
def test_a_token_is_read_from_the_one_cookie_that_is_ours(cookies: tuple[bytes, ...], token: str | None) -> None:
    assert cookie.token_of(asked(*cookies)["headers"], HTTPS) == token


def test_over_http_it_has_another_name() -> None:
    assert cookie.token_of(asked(b"session=gs_x")["headers"], HTTP) == "gs_x"
    assert cookie.token_of(asked(b"__Host-session=gs_x")["headers"], HTTP) is None


def test_an_operators_cookie_is_as_strict_and_is_no_wallets() -> None:
    header = (
        cookie.holding("gop_x", HTTPS, NOW + timedelta(minutes=30), NOW, cookie.OPERATOR).to_header(header="").strip()
    )
    name, *rules = header.split("; ")
    assert name == "__Host-operator=gop_x"
    assert sorted(rules) == ["HttpOnly", "Max-Age=1800", "Path=/", "SameSite=strict", "Secure"]
    both = asked(b"__Host-session=gs_x; __Host-operator=gop_x")["headers"]
    assert (cookie.token_of(both, HTTPS), cookie.token_of(both, HTTPS, cookie.OPERATOR)) == ("gs_x", "gop_x")
    assert cookie.token_of(asked(b"operator=gop_planted")["headers"], HTTPS, cookie.OPERATOR) is None
