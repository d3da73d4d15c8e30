"""Logs to movements and skips, by hand-made logs; what the contract really writes is in test_batches.py."""

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from msgspec.structs import replace

from gateway.address import ZERO, to_bytes
from gateway.chain.block import Log
from gateway.chain.token.contract import Contract, Skip, decode
from gateway.chain.token.failure import CANCELED, of_contract
from gateway.money import Asset

USDX = Contract(Asset("USDX", "token", 6, "USD"), 1, to_checksum_address(20 * b"\x11"), 1, bytes(32))
EURX = Contract(Asset("EURX", "token", 2, "EUR"), 1, to_checksum_address(20 * b"\x12"), 1, bytes(32))
ALICE, BOB = to_checksum_address(20 * b"\xaa"), to_checksum_address(20 * b"\xbb")


def log(signature: str, *indexed: str | int, data: bytes = b"", index: int = 0, block: int = 1) -> Log:
    words = [to_bytes(part).rjust(32, b"\0") if isinstance(part, str) else word(part) for part in indexed]
    topics = (keccak(text=signature), *words)
    return Log(USDX.address, topics, data, block, block.to_bytes(32, "big"), block.to_bytes(32, "big"), index)


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def used(nonce: int, index: int) -> Log:
    return log("AuthorizationUsed(address,bytes32)", ALICE, nonce, index=index)


def canceled(nonce: int, index: int) -> Log:
    return log("AuthorizationCanceled(address,bytes32)", ALICE, nonce, index=index)


def skipped(nonce: int, error: str, index: int) -> Log:
    reason = keccak(text=error)[:4].ljust(32, b"\0")
    return log("AuthorizationSkipped(address,bytes32,bytes4)", ALICE, nonce, data=reason, index=index)


def transfer(index: int, sender: str = ALICE, to: str = BOB, value: int = 5) -> Log:
    return log("Transfer(address,address,uint256)", sender, to, data=word(value), index=index)


def minted(reference: int, index: int) -> Log:
    return log("Minted(address,uint256,bytes32)", BOB, reference, data=word(5), index=index)


def test_a_transfer_is_known_by_the_authorization_just_before_it() -> None:
    moved = decode([USDX], [used(7, 0), transfer(1), transfer(2)]).movements

    assert [(m.from_address, m.to_address, m.value, m.nonce, m.log_index) for m in moved] == [
        (ALICE, BOB, 5, 7, 1),
        (ALICE, BOB, 5, None, 2),
    ]


def test_a_mint_is_known_by_the_reference_just_after_it() -> None:
    moved = decode([USDX], [transfer(0, ZERO), minted(9, 1), transfer(2, ZERO), minted(10, 3)]).movements

    assert [(m.from_address, m.reference, m.nonce) for m in moved] == [(ZERO, 9, None), (ZERO, 10, None)]


def test_a_neighbour_of_another_contract_or_transaction_or_with_a_gap_says_nothing() -> None:
    elsewhere = replace(used(7, 0), address=EURX.address)
    earlier = replace(used(7, 0), transaction_hash=bytes(32))

    assert decode([USDX, EURX], [elsewhere, transfer(1)]).movements[0].nonce is None
    assert decode([USDX], [earlier, transfer(1)]).movements[0].nonce is None
    assert decode([USDX], [used(7, 0), transfer(2)]).movements[0].nonce is None
    assert decode([USDX], [transfer(0, ZERO), minted(9, 2)]).movements[0].reference is None


def test_logs_are_read_in_the_order_of_the_chain_whatever_order_they_came_in() -> None:
    later = [replace(one, block_number=2) for one in (used(8, 0), transfer(1, value=6))]

    moved = decode([USDX], [later[1], transfer(1), later[0], used(7, 0)]).movements

    assert [(m.nonce, m.value) for m in moved] == [(7, 5), (8, 6)]


def test_a_skip_is_named_by_its_error_and_says_whether_it_is_the_end() -> None:
    errors = {
        "ERC20InsufficientBalance(address,uint256,uint256)": ("insufficient_balance", True),
        "AccountFrozen(address)": ("account_frozen", True),
        "ERC20InvalidReceiver(address)": ("invalid_receiver", True),
        "ERC3009UsedAuthorization(address,bytes32)": ("used_authorization", False),
        "ERC3009InvalidAuthorizationTime(uint256,uint256)": ("invalid_authorization_time", False),
        "ERC3009InvalidSignature()": ("invalid_signature", False),
    }
    for error, (reason, ended) in errors.items():
        logs = [canceled(7, 0), skipped(7, error, 1)] if ended else [skipped(7, error, 1)]
        assert decode([USDX], logs).skips == [Skip("USDX", ALICE, 7, of_contract(reason), ended)]


def test_a_reason_nobody_knows_is_shown_as_it_is_and_ends_nothing() -> None:
    (skip,) = decode([USDX], [skipped(7, "Whatever()", 0)]).skips

    assert skip.reason == f"unknown_{keccak(text='Whatever()')[:4].hex()}"
    assert not skip.ended


def test_a_cancellation_that_comes_with_a_skip_is_one_event_and_one_on_its_own_is_another() -> None:
    both = [canceled(7, 0), skipped(7, "AccountFrozen(address)", 1)]

    assert decode([USDX], both).skips == [Skip("USDX", ALICE, 7, of_contract("account_frozen"), True)]
    assert decode([USDX], [canceled(7, 0)]).skips == [Skip("USDX", ALICE, 7, CANCELED, True)]


def test_a_cancellation_before_the_skip_of_another_nonce_is_an_event_of_its_own() -> None:
    skips = decode([USDX], [canceled(7, 0), skipped(8, "ERC3009InvalidSignature()", 1)]).skips

    assert [(skip.nonce, skip.reason) for skip in skips] == [(7, "canceled"), (8, "invalid_signature")]


def test_a_mint_that_was_skipped_is_told_by_its_reference() -> None:
    reason = keccak(text="MintTooLarge(uint256)")[:4].ljust(32, b"\0")
    again = keccak(text="MintAlreadyUsed(bytes32)")[:4].ljust(32, b"\0")
    logs = [log("MintSkipped(bytes32,bytes4)", 9, data=data, index=n) for n, data in enumerate((reason, again))]

    assert decode([USDX], logs).skips == [
        Skip("USDX", ZERO, 9, of_contract("mint_too_large"), True),
        Skip("USDX", ZERO, 9, of_contract("mint_already_used"), False),
    ]


def test_logs_of_other_contracts_are_passed_over() -> None:
    decoded = decode([EURX], [used(7, 0), transfer(1)])

    assert (decoded.movements, decoded.skips) == ([], [])
