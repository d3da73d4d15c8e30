"""Whatever bytes come instead of a ceremony, they are refused in so many words, and nothing else happens."""

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.identity.errors import InvalidPasskey
from gateway.identity.sign_in.passkey_verification import (
    Assertion,
    Party,
    Registration,
    check,
    from_base64,
    register,
    to_base64,
)
from tests.authenticator import Authenticator

PARTY = Party("localhost", "http://localhost:8000")
KEY, CHALLENGE = Authenticator(), bytes(range(32))
MADE = Registration(*KEY.make(CHALLENGE))
PUBLIC_KEY = register(MADE, CHALLENGE, PARTY).public_key
SIGNED = Assertion(*KEY.sign(CHALLENGE))


@st.composite
def altered(draw: st.DrawFn, right: bytes) -> bytes:
    """The right bytes with a few of them other, left out or doubled."""
    changed = bytearray(right)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed) - 1)) if changed else 0
        changed[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(changed)


@settings(max_examples=300)
@given(altered(MADE.attestation))
@example(b"")
def test_an_altered_attestation_makes_a_key_or_is_refused(attestation: bytes) -> None:
    """Some of it is the authenticator's own to say, such as the credential's id: that may be another."""
    try:
        made = register(Registration(MADE.client_data, attestation), CHALLENGE, PARTY)
    except InvalidPasskey:
        return
    assert 0 < len(made.credential_id) <= 1023


@settings(max_examples=300)
@given(altered(SIGNED.authenticator_data), altered(SIGNED.client_data), altered(SIGNED.signature))
def test_an_altered_assertion_is_refused(data: bytes, client_data: bytes, signature: bytes) -> None:
    for one in (
        Assertion(KEY.credential_id, SIGNED.client_data, data, SIGNED.signature),
        Assertion(KEY.credential_id, client_data, SIGNED.authenticator_data, SIGNED.signature),
        Assertion(KEY.credential_id, SIGNED.client_data, SIGNED.authenticator_data, signature),
    ):
        if one != SIGNED:
            with pytest.raises(InvalidPasskey):
                check(one, PUBLIC_KEY, CHALLENGE, PARTY)


@given(st.binary(max_size=100))
def test_bytes_are_written_and_read_in_one_way(raw: bytes) -> None:
    assert from_base64(to_base64(raw)) == raw


@given(st.text(max_size=20))
def test_a_text_is_bytes_in_one_way_or_is_refused(text: str) -> None:
    with suppress(InvalidPasskey):
        assert to_base64(from_base64(text)) == text
