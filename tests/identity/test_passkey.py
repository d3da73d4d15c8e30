"""Passkeys over a real database, answered by an authenticator in software: what is accepted, and every attack that is
not. Of an attack nothing is left: its challenge can still be answered rightly.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.errors import InvalidRequest, NotFound
from gateway.identity.errors import ClonedPasskey, InvalidPasskey, LastPasskey
from gateway.identity.sign_in import passkey, recovery_codes
from gateway.identity.sign_in.challenge import GOOD_FOR
from gateway.identity.sign_in.passkey import Passkey
from gateway.identity.sign_in.passkey_verification import Assertion, Party, Registration, challenge_of, party_of
from gateway.postgres.pool import Database
from tests.authenticator import PRESENT, VERIFIED, Authenticator, base64url
from tests.factory import NOW
from tests.identity.conftest import BY, PARTY, Owner, owner

pytestmark = pytest.mark.anyio

#: What an approval of a payment might be over.
DETAILS = ("@bob", "12.50", "EUR", "ledger")


def signed(by: Authenticator, challenge: bytes) -> Assertion:
    return Assertion(*by.sign(challenge))


def kind_of(refused: pytest.ExceptionInfo[InvalidPasskey]) -> str:
    return refused.value.kind


# ---- what is accepted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
async def test_a_passkey_of_each_algorithm_is_made_and_approves(alice: Owner, algorithm: int) -> None:
    key = Authenticator(algorithm=algorithm)
    made = await alice.add(key)

    used = await alice.approve(signed(key, await alice.ask("pay", *DETAILS)), *DETAILS)

    assert used.id == made.id
    assert (await alice.events())[-1] == "passkey.added"


async def test_a_wallet_has_several_passkeys_by_name_and_any_of_them_approves(alice: Owner) -> None:
    laptop, phone = Authenticator(), Authenticator(algorithm=-8)
    await alice.add(laptop, "Laptop")
    await alice.add(phone, "  My \t phone ", NOW + timedelta(seconds=1))

    for key in (laptop, phone):
        await alice.approve(signed(key, await alice.ask("pay", *DETAILS)), *DETAILS)

    async with alice.database.reading() as connection:
        assert [one.name for one in await passkey.passkeys(connection, alice.wallet)] == ["My phone", "Laptop"]
        assert set(await passkey.credentials(connection, alice.wallet)) == {laptop.credential_id, phone.credential_id}


async def test_an_authenticator_that_does_not_count_is_accepted_for_ever(alice: Owner) -> None:
    key = Authenticator(counts=False)
    await alice.add(key)
    for _ in range(3):
        await alice.approve(signed(key, await alice.ask("pay")))


async def test_whoever_answers_a_challenge_of_nobody_says_who_they_are(database: Database, alice: Owner) -> None:
    bob, key = await owner(database, "bob"), Authenticator()
    await alice.add(Authenticator())
    await bob.add(key)
    async with database.transaction() as connection:
        asked = await passkey.create_challenge(connection, PARTY, None, passkey.SIGN_IN, (), NOW)
        found = await passkey.verify(connection, None, passkey.SIGN_IN, (), signed(key, asked.challenge), NOW)
    assert found.wallet == bob.wallet


# ---- attacks --------------------------------------------------------------------------------------------------------


async def test_a_replayed_assertion_is_refused(alice: Owner) -> None:
    key = Authenticator(counts=False)
    await alice.add(key)
    assertion = signed(key, await alice.ask("pay", *DETAILS))
    await alice.approve(assertion, *DETAILS)

    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(assertion, *DETAILS)
    assert kind_of(refused) == "challenge"


async def test_of_one_assertion_sent_many_times_at_once_one_is_accepted(alice: Owner) -> None:
    key = Authenticator(counts=False)
    await alice.add(key)
    assertion = signed(key, await alice.ask("pay", *DETAILS))

    outcomes = await asyncio.gather(*(alice.approve(assertion, *DETAILS) for _ in range(20)), return_exceptions=True)

    assert len([one for one in outcomes if isinstance(one, Passkey)]) == 1
    assert len([one for one in outcomes if isinstance(one, InvalidPasskey)]) == 19


@pytest.mark.parametrize(
    "meant",
    [
        ("@eve", "12.50", "EUR", "ledger"),
        ("@bob", "1250", "EUR", "ledger"),
        ("@bob", "12.50", "USD", "ledger"),
        ("@bob", "12.50", "EUR", "chain"),
        ("@bob", "12.5", "0EUR", "ledger"),
        ("@bob12.50", "EUR", "ledger"),
        (),
    ],
)
async def test_an_approval_of_other_details_is_refused(alice: Owner, meant: tuple[str, ...]) -> None:
    key = Authenticator()
    await alice.add(key)
    assertion = signed(key, await alice.ask("pay", *DETAILS))

    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(assertion, *meant)
    assert kind_of(refused) == "details"
    await alice.approve(assertion, *DETAILS)


async def test_an_approval_for_another_purpose_or_of_another_wallet_is_refused(
    database: Database, alice: Owner
) -> None:
    bob, key, bobs = await owner(database, "bob"), Authenticator(), Authenticator()
    await alice.add(key)
    await bob.add(bobs)
    challenge = await alice.ask("pay", *DETAILS)

    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(signed(key, challenge), *DETAILS, purpose="passkey.add")
    assert kind_of(refused) == "challenge"
    with pytest.raises(InvalidPasskey) as refused:
        await bob.approve(signed(key, challenge), *DETAILS)
    assert kind_of(refused) == "challenge"
    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(signed(bobs, challenge), *DETAILS)
    assert kind_of(refused) == "unknown_passkey"
    await alice.approve(signed(key, challenge), *DETAILS)


async def test_a_challenge_is_good_for_minutes_and_one_never_asked_for_is_none(alice: Owner) -> None:
    key = Authenticator()
    await alice.add(key)
    late = signed(key, await alice.ask("pay"))
    for assertion in (late, signed(key, challenge_of("pay", "", (), bytes(32)))):
        with pytest.raises(InvalidPasskey) as refused:
            await alice.approve(assertion, at=NOW + GOOD_FOR)
        assert kind_of(refused) == "challenge"


@pytest.mark.parametrize(
    ("origin", "cross_origin"),
    [
        ("http://localhost.evil.example:8000", False),
        ("https://localhost:8000", False),
        ("http://localhost:8001", False),
        ("http://localhost", False),
        ("null", False),
        ("http://localhost:8000", True),
    ],
)
async def test_a_wrong_origin_is_refused(alice: Owner, origin: str, cross_origin: bool) -> None:
    key = Authenticator()
    await alice.add(key)
    elsewhere = replace(key, origin=origin, cross_origin=cross_origin)
    challenge = await alice.ask("pay")

    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(signed(elsewhere, challenge))
    assert kind_of(refused) == "origin"
    with pytest.raises(InvalidPasskey) as refused:
        await alice.add(Authenticator(origin=origin, cross_origin=cross_origin))
    assert kind_of(refused) == "origin"
    await alice.approve(signed(key, challenge))


async def test_a_wrong_relying_party_is_refused(alice: Owner) -> None:
    key = Authenticator()
    await alice.add(key)
    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(signed(replace(key, rp_id="evil.example"), await alice.ask("pay")))
    assert kind_of(refused) == "relying_party"
    with pytest.raises(InvalidPasskey) as refused:
        await alice.add(Authenticator(rp_id="evil.example"))
    assert kind_of(refused) == "relying_party"


@pytest.mark.parametrize("flags", [PRESENT, VERIFIED, 0])
async def test_user_verification_off_is_refused(alice: Owner, flags: int) -> None:
    key = Authenticator()
    await alice.add(key)
    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(signed(replace(key, flags=flags), await alice.ask("pay")))
    assert kind_of(refused) == "user_verification"
    with pytest.raises(InvalidPasskey) as refused:
        await alice.add(Authenticator(flags=flags))
    assert kind_of(refused) == "user_verification"


async def test_a_cloned_authenticator_is_refused_and_its_passkey_stopped(alice: Owner) -> None:
    key = Authenticator(sign_count=7)
    made = await alice.add(key)
    clone = replace(key)
    await alice.approve(signed(clone, await alice.ask("pay")))

    with pytest.raises(ClonedPasskey) as refused:
        await alice.approve(signed(key, await alice.ask("pay")))
    assert refused.value.passkey == made.shown_id
    for _ in range(2):
        async with alice.database.transaction() as connection:
            await passkey.stop(connection, refused.value, NOW)

    assert (await alice.events()).count("passkey.stopped") == 1
    for one in (key, clone):
        with pytest.raises(InvalidPasskey) as refused_since:
            await alice.approve(signed(one, await alice.ask("pay")))
        assert kind_of(refused_since) == "unknown_passkey"


async def test_nobody_can_have_a_passkey_stopped_who_cannot_sign_with_it(alice: Owner) -> None:
    key = Authenticator(sign_count=7)
    await alice.add(key)
    forged = replace(key, sign_count=0, key=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(signed(forged, await alice.ask("pay")))
    assert kind_of(refused) == "signature"
    await alice.approve(signed(key, await alice.ask("pay")))


def _without_type(one: Assertion) -> Assertion:
    said = json.loads(one.client_data)
    del said["type"]
    return replace(one, client_data=json.dumps(said).encode())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: replace(one, signature=b""),
        lambda one: replace(one, signature=one.signature[:-1] + bytes([one.signature[-1] ^ 1])),
        lambda one: replace(one, signature=bytes(2000)),
        lambda one: replace(one, authenticator_data=b""),
        lambda one: replace(one, authenticator_data=one.authenticator_data + b"\x00"),
        lambda one: replace(one, authenticator_data=one.authenticator_data[:32] + b"\xc5" + bytes(4) + b"\x81" * 3000),
        lambda one: replace(one, client_data=b""),
        lambda one: replace(one, client_data=b"[" * 2048),
        lambda one: replace(one, client_data=b'{"x":' * 400),
        lambda one: replace(one, client_data=one.client_data + b" " * 2048),
        lambda one: replace(one, client_data=one.client_data.replace(b"webauthn.get", b"webauthn.create")),
        _without_type,
    ],
)
async def test_what_is_no_assertion_is_refused(alice: Owner, spoil: Callable[[Assertion], Assertion]) -> None:
    key = Authenticator()
    await alice.add(key)
    assertion = signed(key, await alice.ask("pay"))
    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(spoil(assertion))
    assert kind_of(refused) in ("malformed", "signature", "type")
    await alice.approve(assertion)


@pytest.mark.parametrize(
    "weak",
    [
        Authenticator(algorithm=-257, key=rsa.generate_private_key(65537, 1024)),
        Authenticator(algorithm=-35, key=ec.generate_private_key(ec.SECP384R1())),
        Authenticator(algorithm=-7, key=ec.generate_private_key(ec.SECP384R1())),
        Authenticator(algorithm=-8, key=ec.generate_private_key(ec.SECP256R1())),
        Authenticator(algorithm=-65535, key=rsa.generate_private_key(65537, 2048)),
    ],
)
async def test_a_key_of_another_algorithm_or_too_short_makes_no_passkey(alice: Owner, weak: Authenticator) -> None:
    with pytest.raises(InvalidPasskey) as refused:
        await alice.add(weak)
    assert kind_of(refused) == "algorithm"


@pytest.mark.parametrize(
    "attestation", [b"", b"\xa0", b"\x81" * 4000, bytes(5000), b"\xff" * 64, b"\x1b" + b"\xff" * 8]
)
async def test_what_is_no_attestation_makes_no_passkey(alice: Owner, attestation: bytes) -> None:
    client_data, _ = Authenticator().make(await alice.ask(passkey.ADD))
    async with alice.database.transaction() as connection:
        with pytest.raises(InvalidPasskey) as refused:
            await passkey.add(connection, alice.wallet, "Laptop", Registration(client_data, attestation), BY, NOW)
    assert kind_of(refused) == "malformed"


async def test_a_passkey_that_somebody_has_is_not_made_twice(database: Database, alice: Owner) -> None:
    bob, key = await owner(database, "bob"), Authenticator()
    await alice.add(key)
    for one in (alice, bob):
        with pytest.raises(InvalidPasskey) as refused:
            await one.add(key)
        assert kind_of(refused) == "taken"


async def test_a_revoked_passkey_approves_nothing(alice: Owner) -> None:
    key = Authenticator()
    made = await alice.add(key)
    await alice.add(Authenticator())
    assertion = signed(key, await alice.ask("pay"))
    async with alice.database.transaction() as connection:
        await passkey.revoke(connection, alice.wallet, made.id, BY, NOW)

    with pytest.raises(InvalidPasskey) as refused:
        await alice.approve(assertion)
    assert kind_of(refused) == "unknown_passkey"
    async with alice.database.transaction() as connection:
        with pytest.raises(NotFound):
            await passkey.revoke(connection, alice.wallet, made.id, BY, NOW)
    assert (await alice.events())[-2:] == ["passkey.added", "passkey.revoked"]


async def test_the_last_passkey_is_revoked_only_while_a_recovery_code_is_left(alice: Owner) -> None:
    made = await alice.add(Authenticator())
    async with alice.database.transaction() as connection:
        with pytest.raises(LastPasskey):
            await passkey.revoke(connection, alice.wallet, made.id, BY, NOW)
        await recovery_codes.keep(connection, alice.wallet, [bytes(32)], bytes(16), BY, NOW)
        await passkey.revoke(connection, alice.wallet, made.id, BY, NOW)
        assert await passkey.passkeys(connection, alice.wallet) == []


async def test_nobody_revokes_a_passkey_of_others(database: Database, alice: Owner) -> None:
    bob, key = await owner(database, "bob"), Authenticator()
    made = await alice.add(key)
    async with database.transaction() as connection:
        with pytest.raises(NotFound):
            await passkey.revoke(connection, bob.wallet, made.id, BY, NOW)
    await alice.approve(signed(key, await alice.ask("pay")))


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x00b", "a\u202eb"])
async def test_a_name_that_cannot_be_shown_is_refused(alice: Owner, name: str) -> None:
    with pytest.raises(InvalidRequest):
        await alice.add(Authenticator(), name)


async def test_challenges_that_are_over_do_not_pile_up(alice: Owner) -> None:
    for _ in range(3):
        await alice.ask("pay")
    await alice.ask("pay", at=NOW + timedelta(days=1))
    async with alice.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM passkey_challenge") == 1


# ---- the relying party and the hash ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public_url", "party"),
    [
        ("https://pay.example", Party("pay.example", "https://pay.example")),
        ("https://Pay.example:443/wallet/", Party("pay.example", "https://pay.example")),
        ("https://pay.example:8443", Party("pay.example", "https://pay.example:8443")),
        ("http://127.0.0.1:8000", Party("localhost", "http://localhost:8000")),
        ("http://[::1]:8000", Party("localhost", "http://localhost:8000")),
        ("http://localhost:80", Party("localhost", "http://localhost")),
        ("http://0.0.0.0:8000", Party("localhost", "http://localhost:8000")),
    ],
)
def test_the_relying_party_is_the_host_of_the_public_url(public_url: str, party: Party) -> None:
    assert party_of(public_url) == party
    assert party.has_passkeys


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8000", "https://192.0.2.1", "https://[2001:db8::1]", "http://pay.lan"]
)
def test_an_address_at_which_browsers_use_no_passkeys_is_known(url: str) -> None:
    assert not party_of(url).has_passkeys


def test_a_page_can_make_the_challenge_again_from_what_it_shows() -> None:
    """The vector that any other writing of the hash is held to."""
    challenge = challenge_of("payment.approve", "wal_x", ("@bob", "12.50"), bytes(range(32)))
    assert base64url(challenge) == "9ABCbsmxekD7YA55Cb1vOH63CdgJGSxT5F4iK6fcKlQ"
