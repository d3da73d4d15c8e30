"""EIP-4361's text, and EIP-191's hash of it."""

from datetime import UTC, datetime, timedelta

import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain import signature
from gateway.chain.errors import InvalidSignature
from gateway.identity.sign_in.siwe import SignIn, differing_line, digest, nonce_of

AT = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)
ONE = SignIn(
    domain="pay.example:8443",
    address="0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    statement="I bind this address to the wallet of @alice.",
    uri="https://pay.example:8443",
    chain_id=31337,
    nonce="0123456789abcdef",
    issued_at=AT,
    expires_at=AT + timedelta(minutes=10),
    resource="urn:gateway:wallet:wal_01h455vb4pex5vsknk084sn02q",
)


def test_the_text_is_that_of_the_eip_line_by_line() -> None:
    assert ONE.text() == (
        "pay.example:8443 wants you to sign in with your Ethereum account:\n"
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8\n"
        "\n"
        "I bind this address to the wallet of @alice.\n"
        "\n"
        "URI: https://pay.example:8443\n"
        "Version: 1\n"
        "Chain ID: 31337\n"
        "Nonce: 0123456789abcdef\n"
        "Issued At: 2030-01-31T12:00:00.000000Z\n"
        "Expiration Time: 2030-01-31T12:10:00.000000Z\n"
        "Resources:\n"
        "- urn:gateway:wallet:wal_01h455vb4pex5vsknk084sn02q"
    )
    assert nonce_of(ONE.text()) == ONE.nonce


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("domain", value) for value in ("", "pay example", "a\nb", "user@pay.example")),
        *(("statement", value) for value in ("", "two\nlines", "é", "tab\t", '"quoted"')),
        *(("nonce", value) for value in ("", "short", "with space", "with-dash-in-it")),
        *(("uri", value) for value in ("", "pay.example", "https://a b")),
        *(("resource", value) for value in ("", "no scheme", "urn:a b")),
    ],
)
def test_what_the_grammar_does_not_allow_is_never_written(field: str, value: str) -> None:
    fields = {name: getattr(ONE, name) for name in ONE.__slots__} | {field: value}

    with pytest.raises(AssertionError):
        SignIn(**fields).text()


@given(st.text(max_size=300))
def test_what_is_no_such_text_has_no_nonce(text: str) -> None:
    assert nonce_of(text) is None


def test_the_line_that_differs_has_a_name() -> None:
    assert differing_line(ONE.text().replace("Chain ID: 31337", "Chain ID: 1"), ONE.text()) == "chain id"
    assert differing_line(ONE.text() + "\n- urn:more:of", ONE.text()) == "number of lines"


@given(st.binary(min_size=32, max_size=32).filter(lambda raw: 0 < int.from_bytes(raw, "big") < 2**255), st.text())
def test_personal_sign_is_understood_as_eth_account_makes_it(key: bytes, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    account = Account.from_key(key)

    signed = bytes(account.sign_message(encode_defunct(text=text)).signature)

    signature.check(account.address, digest(text), signed)
    with pytest.raises(InvalidSignature):
        signature.check(account.address, digest(text + "."), signed)


def test_a_signature_of_another_key_says_so() -> None:
    address = Account.from_key(PrivateKey().secret).address
    signed = bytes(Account.sign_message(encode_defunct(text="x"), PrivateKey().secret).signature)

    with pytest.raises(InvalidSignature, match="another key"):
        signature.check(address, digest("x"), signed)
