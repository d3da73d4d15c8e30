import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from gateway import address


@given(st.binary(min_size=20, max_size=20))
def test_a_checksum_is_the_one_of_eip_55(raw: bytes) -> None:
    assert address.checksum(raw) == to_checksum_address(raw)
    assert address.to_bytes(address.checksum(raw)) == raw


@given(st.binary(min_size=20, max_size=20))
def test_an_address_is_read_in_one_case_or_with_its_checksum(raw: bytes) -> None:
    right = address.checksum(raw)

    assert address.read(right) == right
    assert address.read("0x" + right[2:].lower()) == right
    assert address.read("0x" + right[2:].upper()) == right


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "alice",
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb9226",  # a digit short
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb922666",
        "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266",  # one letter in the other case
        "0x" + 40 * "٣",  # digits, but not of ours
        "0X" + 40 * "1",
    ],
)
def test_a_mistyped_address_is_none(text: str) -> None:
    assert address.read(text) is None


def test_a_contract_stands_where_its_creator_and_nonce_say() -> None:
    # The first contract of anvil's first account, known to everybody who has used it.
    creator = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").address

    assert address.of_deployment(creator, 0) == "0x5FbDB2315678afecb367f032d93F642f64180aa3"
