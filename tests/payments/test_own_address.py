"""Paying from an address of one's own: what its owner does beside the gateway."""

from uuid import UUID

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak
from msgspec import structs

from gateway.address import checksum
from gateway.chain.token import authorization, eip3009
from gateway.chain.token.eip3009 import Authorization
from gateway.clock import system_clock
from gateway.payments.model.payment import Payment, State
from gateway.worker import jobs
from tests.custody.test_binding import a_key
from tests.factory import Town
from tests.payments.test_addresses import transfer
from tests.payments.test_signing import STALLED, STRANGER, own

pytestmark = pytest.mark.anyio


async def authorization_of(town: Town, payment: Payment) -> Authorization:
    assert payment.authorization_id is not None
    async with town.database.reading() as connection:
        return (await authorization.one(connection, payment.authorization_id)).authorization


async def with_authorization(town: Town, one: Authorization, signed: bytes) -> None:
    """transferWithAuthorization, sent by a stranger, and final."""
    name = b"transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"
    types = ["address", "address", "uint256", "uint256", "uint256", "bytes32", "bytes"]
    nonce = one.nonce.to_bytes(32, "big")
    values = (one.from_address, one.to_address, one.value, 0, one.valid_before, nonce, signed)
    town.chain.rpc("anvil_impersonateAccount", STRANGER)
    town.chain.rpc("anvil_setBalance", STRANGER, hex(10**18))
    data = keccak(name)[:4] + encode(types, values)
    contract = town.settings.contracts["USDX"].address
    town.chain.rpc("eth_sendTransaction", {"from": STRANGER, "to": contract, "data": "0x" + data.hex()})
    town.chain.mine(1 + town.FINALITY)


async def test_a_payment_that_its_owner_relays_without_us_is_settled(town: Town) -> None:
    (alice, key), bob = await own(town, "alice", "10 USDX"), await town.person("bob")
    asked = await town.pay(alice, "@bob", "4 USDX")

    signed = bytes(key.sign_typed_data(full_message=await town.to_sign(asked)).signature)
    await with_authorization(town, await authorization_of(town, asked), signed)
    await town.settle()

    assert (await town.payment(asked)).state is State.SETTLED
    assert await town.available(bob, "USDX") == "4.000000 USDX"
    assert await town.available(alice, "USDX") == "6.000000 USDX"
    assert await town.differences() == []


async def test_a_nonce_that_its_owner_spends_otherwise_fails_the_payment(town: Town) -> None:
    (alice, key), bob = await own(town, "alice", "10 USDX"), await town.person("bob")
    asked = await town.pay(alice, "@bob", "4 USDX")
    data = await town.to_sign(asked)
    data["message"] |= {"to": checksum(b"\x44" * 20), "value": "7000000"}
    signed = bytes(key.sign_typed_data(full_message=data).signature)
    other = structs.replace(await authorization_of(town, asked), to_address=checksum(b"\x44" * 20), value=7_000_000)

    await with_authorization(town, other, signed)
    await town.settle()

    failed = await town.payment(asked)
    assert (failed.state, failed.failure) == (State.FAILED, "nonce_used_otherwise")
    assert await town.available(alice, "USDX") == "3.000000 USDX"
    assert await town.available(bob, "USDX") == "0.000000 USDX"
    assert await town.differences() == []


async def test_a_nonce_that_was_used_without_us_is_not_handed_out(town: Town) -> None:
    (alice, key), bob = await own(town, "alice", "10 USDX"), await town.person("bob")
    first = await town.pay(alice, "@bob", "1 USDX")
    one = await authorization_of(town, first)
    ahead = structs.replace(one, nonce=one.nonce + 1)
    data = eip3009.typed_data(town.settings.contracts["USDX"], ahead)
    await with_authorization(town, ahead, bytes(key.sign_typed_data(full_message=data).signature))
    await town.settle()

    second = await town.pay(alice, "@bob", "1 USDX")
    for payment in (first, second):
        await town.sign(payment, key)
    await town.settle()

    assert {(await town.payment(payment)).state for payment in (first, second)} == {State.SETTLED}
    assert await town.available(bob, "USDX") == "3.000000 USDX"
    assert await town.differences() == []


async def test_nonces_of_an_own_address_keep_their_place_though_its_owner_used_others_first(town: Town) -> None:
    (alice, key), bob = await own(town, "alice", "10 USDX"), await town.person("bob")
    theirs = Authorization(UUID(int=1), "transfer", "USDX", alice.address, bob.address, 1_000_000, 0, 2**40, None)
    data = eip3009.typed_data(town.settings.contracts["USDX"], theirs)
    await with_authorization(town, theirs, bytes(key.sign_typed_data(full_message=data).signature))
    await town.settle()

    asked = await town.pay(alice, "@bob", "1 USDX")

    assert (await authorization_of(town, asked)).nonce > 2**64
    assert await town.available(bob, "USDX") == "1.000000 USDX"


async def test_an_own_address_that_is_come_back_to_has_its_nonces_where_they_were(town: Town) -> None:
    wallet, first, second = await town.person("alice"), a_key(), a_key()
    for key in (first, second, first):
        wallet = await town.bind(wallet, key)
    await town.give(wallet, "2 USDX")
    await town.settle()
    await town.person("bob")

    asked = await town.pay(wallet, "@bob", "1 USDX")

    assert (await authorization_of(town, asked)).nonce > 2**64


async def test_an_address_that_its_owner_empties_fails_the_payment_and_the_ledger_is_right(town: Town) -> None:
    (alice, key), bob = await own(town, "alice", "10 USDX"), await town.person("bob")
    signed, unsigned = await town.pay(alice, "@bob", "4 USDX"), await town.pay(alice, "@bob", "1 USDX")
    await town.sign(signed, key)

    await transfer(town, key.address, STRANGER, 9_500_000)
    await town.settle()

    failed = await town.payment(signed)
    assert (failed.state, failed.failure) == (State.FAILED, "insufficient_balance")
    assert (await town.payment(unsigned)).state is State.REQUIRES_CONFIRMATION
    town.clock = lambda: system_clock() + STALLED
    await jobs.expire.run(town.worker())
    assert await town.available(alice, "USDX") == await town.on_chain(key.address) == "0.500000 USDX"
    assert await town.available(bob, "USDX") == "0.000000 USDX"
    assert await town.differences() == []
