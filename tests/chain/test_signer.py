import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.chain import signer
from gateway.chain.signer import LOCAL_RELAYER_KEY, LaneSigner, TransactionFields, Vault, fields_of
from gateway.errors import Misconfigured, SealedKeyUnreadable
from tests.factory import Chain

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


@settings(deadline=None, max_examples=150)
@given(key=_keys, fields=_fields)
def test_raw_bytes_are_those_of_eth_account(key: bytes, fields: TransactionFields) -> None:
    hash_, raw = LaneSigner(key).sign_transaction(fields)

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


def test_a_sealed_key_signs_for_its_address() -> None:
    vault = Vault(MASTER)
    address, sealed = vault.new_key(ALICE)
    digest = os.urandom(32)

    signature = vault.sign(ALICE, address, sealed, digest)

    assert len(sealed) == 12 + 32 + 16
    assert signature[64] in (27, 28)
    assert Account._recover_hash(digest, signature=signature) == address


def test_a_sealed_key_is_refused_for_another_wallet() -> None:
    address, sealed = Vault(MASTER).new_key(ALICE)

    with pytest.raises(SealedKeyUnreadable):
        Vault(MASTER).sign(BOB, address, sealed, bytes(32))


def test_a_sealed_key_signs_for_no_other_address_however_often_it_has_for_its_own() -> None:
    vault = Vault(MASTER)
    (address, sealed), (another, _) = vault.new_key(ALICE), vault.new_key(ALICE)

    for _ in range(2):
        vault.sign(ALICE, address, sealed, bytes(32))
        with pytest.raises(SealedKeyUnreadable):
            vault.sign(ALICE, another, sealed, bytes(32))


def test_a_sealed_key_is_refused_under_another_master_key() -> None:
    address, sealed = Vault(MASTER).new_key(ALICE)

    with pytest.raises(SealedKeyUnreadable):
        Vault(bytes(32)).sign(ALICE, address, sealed, bytes(32))


@pytest.mark.parametrize("at", [0, 11, 12, 43, 44, 59])
def test_a_sealed_key_is_refused_when_one_bit_of_it_changed(at: int) -> None:
    vault = Vault(MASTER)
    address, sealed = vault.new_key(ALICE)
    changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]

    with pytest.raises(SealedKeyUnreadable):
        vault.sign(ALICE, address, changed, bytes(32))


@pytest.mark.parametrize("sealed", [b"", bytes(12), bytes(59)])
def test_a_sealed_key_is_refused_when_it_was_cut_short(sealed: bytes) -> None:
    with pytest.raises(SealedKeyUnreadable):
        Vault(MASTER).sign(ALICE, "0x" + 40 * "1", sealed, bytes(32))


def test_no_repr_and_no_error_shows_a_key() -> None:
    lane = LaneSigner(LOCAL_RELAYER_KEY)
    with pytest.raises(SealedKeyUnreadable) as refused:
        Vault(MASTER).sign(ALICE, "0x" + 40 * "1", bytes(60), bytes(32))

    shown = f"{lane!r} {lane} {Vault(MASTER)!r} {refused.value!r} {refused.value}"

    assert LOCAL_RELAYER_KEY.hex() not in shown.lower()
    assert MASTER.hex() not in shown.lower()


# ---- keys everybody knows -------------------------------------------------------------------------------------------


def test_the_well_known_addresses_are_the_ones_anvil_has(chain: Chain) -> None:
    assert {to_checksum_address(account) for account in chain.rpc("eth_accounts")} == signer.WELL_KNOWN_ADDRESSES
    assert LaneSigner(LOCAL_RELAYER_KEY).address in signer.WELL_KNOWN_ADDRESSES


def test_a_well_known_key_signs_on_the_embedded_chain_alone() -> None:
    lane = LaneSigner(LOCAL_RELAYER_KEY)
    signer.refuse_well_known(lane, embedded=True)
    signer.refuse_well_known(LaneSigner(os.urandom(32)), embedded=False)

    with pytest.raises(Misconfigured):
        signer.refuse_well_known(lane, embedded=False)


# ---- key files ------------------------------------------------------------------------------------------------------


def test_a_master_key_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "master.key"

    with ThreadPoolExecutor(8) as many:
        keys = {key for (key,) in many.map(lambda _: signer.load_master_keys(path, create=True), range(40))}

    assert keys == set(signer.load_master_keys(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_master_key_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        signer.load_master_keys(tmp_path / "master.key")


@pytest.mark.parametrize("text", ["", "ab", 63 * "a", 66 * "a", 64 * "g", 64 * "é"])
def test_a_file_without_32_bytes_of_hex_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)

    with pytest.raises(Misconfigured, match="64 digits") as refused:
        signer.load_master_keys(path, create=True)

    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "relayer.key"
    path.write_text(64 * "a")
    path.chmod(mode)

    with pytest.raises(Misconfigured, match="chmod 600"):
        signer.load_relayer_keys(path)


def test_a_relayer_key_may_begin_with_0x(tmp_path: Path) -> None:
    path = tmp_path / "relayer.key"
    path.write_text("0x" + LOCAL_RELAYER_KEY.hex() + "\n")
    path.chmod(0o600)

    assert signer.load_relayer_keys(path) == [LOCAL_RELAYER_KEY]


@pytest.mark.parametrize("digit", ["0", "f"])
def test_a_number_that_is_no_private_key_is_refused(tmp_path: Path, digit: str) -> None:
    path = tmp_path / "relayer.key"
    path.write_text(64 * digit)
    path.chmod(0o600)

    with pytest.raises(Misconfigured, match="secp256k1"):
        signer.load_relayer_keys(path)


def relayer_file(folder: Path, text: str) -> Path:
    path = folder / "relayer.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


FIRST, SECOND = 64 * "1", 64 * "a"


def test_a_relayer_key_file_holds_a_key_a_line_with_blank_lines_and_comments(tmp_path: Path) -> None:
    path = relayer_file(tmp_path, f"# the first deploys\n{FIRST}\n\n  # and another\r\n 0x{SECOND} \n")

    assert signer.load_relayer_keys(path) == [bytes.fromhex(FIRST), bytes.fromhex(SECOND)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{FIRST}\n\n{SECOND[:-1]}\n", "line 3 .* 64 digits"),
        (f"{FIRST}\n{SECOND}ff\n", "line 2 .* 64 digits"),
        (f"{FIRST} {SECOND}\n", "line 1 .* 64 digits"),
        (f"{FIRST}\n{SECOND} # mine\n", "line 2 .* 64 digits"),
        (f"{FIRST}\n{63 * 'a'}é\n", "line 2 .* 64 digits"),
        (f"{FIRST}\n{64 * '0'}\n", "line 2 .* secp256k1"),
        (f"{SECOND}\n# again\n0x{SECOND.upper()}\n", "line 3 .* repeats the key of line 1"),
        ("# nothing\n\n", "should hold a key"),
        ("", "should hold a key"),
        (f"{FIRST}\n" * 5000, "more than"),
    ],
)
def test_a_bad_relayer_key_file_is_refused_by_its_line_and_no_key_is_shown(
    tmp_path: Path, text: str, says: str
) -> None:
    path = relayer_file(tmp_path, text)

    with pytest.raises(Misconfigured, match=says) as refused:
        signer.load_relayer_keys(path)

    shown = f"{refused.value} {refused.value!r}".lower()
    assert not any(part in shown for part in (FIRST[:20], SECOND[:20], 20 * "0"))


def test_the_embedded_chains_lanes_are_of_addresses_that_everybody_knows() -> None:
    addresses = {LaneSigner(key).address for key in signer.LOCAL_RELAYER_KEYS}

    assert len(addresses) == len(signer.LOCAL_RELAYER_KEYS) == 2
    assert addresses < signer.WELL_KNOWN_ADDRESSES
