import hmac
import os
from uuid import UUID

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Misconfigured
from gateway.keys import signer
from gateway.keys.errors import EncryptedKeyUnreadable
from gateway.keys.signer import LOCAL_RELAYER_KEY, RelayerSigner, TransactionFields, fields_of
from gateway.keys.vault import Vault
from tests.anvils import Chain

ALICE, BOB = UUID(int=1), UUID(int=2)
MASTER = bytes(range(32))

_keys = st.integers(1, 2**255).map(lambda number: number.to_bytes(32, "big"))
_fields = st.builds(
    TransactionFields,
    chain_id=st.integers(1, 2**40),
    nonce=st.integers(0, 2**40),
    tip_wei_max=st.integers(0, 2**60),
    fee_wei_max=st.integers(0, 2**60),
    gas_limit=st.integers(21_000, 2**24),
    to=st.none() | st.binary(min_size=20, max_size=20).map(to_checksum_address),
    value_wei=st.integers(0, 2**90),
    data=st.binary(max_size=2000),
)


@settings(max_examples=150)
@given(key=_keys, fields=_fields)
def test_raw_bytes_are_those_of_eth_account(key: bytes, fields: TransactionFields) -> None:
    hash_, raw = RelayerSigner(key).sign_transaction(fields)

    expected = Account.sign_transaction(
        {
            "type": 2,
            "chainId": fields.chain_id,
            "nonce": fields.nonce,
            "maxPriorityFeePerGas": fields.tip_wei_max,
            "maxFeePerGas": fields.fee_wei_max,
            "gas": fields.gas_limit,
            "to": fields.to or "",
            "value": fields.value_wei,
            "data": fields.data,
        },
        key,
    )
    assert raw == bytes(expected.raw_transaction)
    assert hash_ == bytes(expected.hash)
    assert fields_of(raw) == fields


def test_an_encrypted_key_signs_for_its_address() -> None:
    vault = Vault(MASTER)
    address, ciphertext = vault.new_key(ALICE, "alice")
    digest = os.urandom(32)

    signature = vault.sign(ALICE, address, ciphertext, digest)

    assert len(ciphertext) == 12 + 32 + 16
    assert signature[64] in (27, 28)
    assert Account._recover_hash(digest, signature=signature) == address


def test_a_wallets_key_follows_from_the_root_key_and_its_handle() -> None:
    root = bytes(range(32))
    address, ciphertext = Vault(MASTER, root=root).new_key(ALICE, "alice")
    again, _ = Vault(bytes(32), root=root).new_key(BOB, "alice")  # another wallet id, as after a restore

    assert again == address == Vault(MASTER, root=root).address_of("alice")
    assert Account.from_key(Vault(MASTER).unsafe_decrypt(ALICE, ciphertext)).address == address
    others = {Vault(MASTER, root=root).address_of("bob"), Vault(MASTER, root=bytes(32)).address_of("alice")}
    assert address not in others
    assert len(others) == 2


def test_the_derivation_stays_what_it_was() -> None:
    """Addresses that were given out are found again by every later release. The key was computed by hand from RFC 5869
    with HMAC-SHA-256 and reduced as FIPS 186-5, A.2.1, says.
    """
    root, info = bytes(range(32)), b"wallet-gateway/root-key/1/wallet/alice"
    extracted = hmac.digest(bytes(32), root, "sha256")
    first = hmac.digest(extracted, info + b"\x01", "sha256")
    wide = (first + hmac.digest(extracted, first + info + b"\x02", "sha256"))[:48]
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    secret = 1 + int.from_bytes(wide, "big") % (order - 1)

    assert Vault(MASTER, root=root).address_of("alice") == Account.from_key(secret).address


def test_what_is_derived_for_another_purpose_is_no_wallets_key_and_stays_what_it_was() -> None:
    """Browsers subscribe to a key that is derived so: with another one each would have to subscribe again."""
    root, info = bytes(range(32)), b"wallet-gateway/root-key/1/vapid"
    extracted = hmac.digest(bytes(32), root, "sha256")
    first = hmac.digest(extracted, info + b"\x01", "sha256")
    vault = Vault(MASTER, root=root)

    assert vault.derive("vapid", 32) == first
    assert vault.derive("vapid", 48) == (first + hmac.digest(extracted, first + info + b"\x02", "sha256"))[:48]
    assert vault.derive("another", 32) != first
    assert Vault(MASTER).derive("vapid", 32) is None
    with pytest.raises(AssertionError):
        vault.derive("wallet/alice", 48)


def test_an_encrypted_key_is_refused_for_another_wallet() -> None:
    address, ciphertext = Vault(MASTER).new_key(ALICE, "alice")

    with pytest.raises(EncryptedKeyUnreadable):
        Vault(MASTER).sign(BOB, address, ciphertext, bytes(32))


def test_an_encrypted_key_signs_for_no_other_address_however_often_it_has_for_its_own() -> None:
    vault = Vault(MASTER)
    (address, ciphertext), (another, _) = vault.new_key(ALICE, "alice"), vault.new_key(ALICE, "alice")

    for _ in range(2):
        vault.sign(ALICE, address, ciphertext, bytes(32))
        with pytest.raises(EncryptedKeyUnreadable):
            vault.sign(ALICE, another, ciphertext, bytes(32))


def test_an_encrypted_key_is_refused_under_another_master_key() -> None:
    address, ciphertext = Vault(MASTER).new_key(ALICE, "alice")

    with pytest.raises(EncryptedKeyUnreadable):
        Vault(bytes(32)).sign(ALICE, address, ciphertext, bytes(32))


@pytest.mark.parametrize("at", [0, 11, 12, 43, 44, 59])
def test_an_encrypted_key_is_refused_when_one_bit_of_it_changed(at: int) -> None:
    vault = Vault(MASTER)
    address, ciphertext = vault.new_key(ALICE, "alice")
    changed = ciphertext[:at] + bytes([ciphertext[at] ^ 1]) + ciphertext[at + 1 :]

    with pytest.raises(EncryptedKeyUnreadable):
        vault.sign(ALICE, address, changed, bytes(32))


@pytest.mark.parametrize("ciphertext", [b"", bytes(12), bytes(59)])
def test_an_encrypted_key_is_refused_when_it_was_cut_short(ciphertext: bytes) -> None:
    with pytest.raises(EncryptedKeyUnreadable):
        Vault(MASTER).sign(ALICE, "0x" + 40 * "1", ciphertext, bytes(32))


def test_no_repr_and_no_error_shows_a_key() -> None:
    relayer = RelayerSigner(LOCAL_RELAYER_KEY)
    with pytest.raises(EncryptedKeyUnreadable) as refused:
        Vault(MASTER).sign(ALICE, "0x" + 40 * "1", bytes(60), bytes(32))

    shown = f"{relayer!r} {relayer} {Vault(MASTER)!r} {refused.value!r} {refused.value}"

    assert LOCAL_RELAYER_KEY.hex() not in shown.lower()
    assert MASTER.hex() not in shown.lower()


# ---- keys everybody knows -------------------------------------------------------------------------------------------


def test_the_well_known_addresses_are_the_ones_anvil_has(chain: Chain) -> None:
    assert {to_checksum_address(account) for account in chain.rpc("eth_accounts")} == signer.WELL_KNOWN_ADDRESSES
    assert RelayerSigner(LOCAL_RELAYER_KEY).address in signer.WELL_KNOWN_ADDRESSES


def test_a_well_known_key_signs_on_the_embedded_chain_alone() -> None:
    relayer = RelayerSigner(LOCAL_RELAYER_KEY)
    signer.refuse_well_known(relayer, embedded=True)
    signer.refuse_well_known(RelayerSigner(os.urandom(32)), embedded=False)

    with pytest.raises(Misconfigured):
        signer.refuse_well_known(relayer, embedded=False)


def test_the_embedded_chains_relayers_are_of_addresses_that_everybody_knows() -> None:
    addresses = {RelayerSigner(key).address for key in signer.LOCAL_RELAYER_KEYS}

    assert len(addresses) == len(signer.LOCAL_RELAYER_KEYS) == 2
    assert addresses < signer.WELL_KNOWN_ADDRESSES
