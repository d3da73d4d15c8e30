"""Binding an address of one's own: who may, once, and what becomes of the tokens."""

import asyncio
from datetime import timedelta

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from gateway.audit.log import By
from gateway.chain.errors import InvalidSignature
from gateway.clock import system_clock
from gateway.custody import bind
from gateway.custody.errors import AddressNotEmpty, PaymentsUnderWay
from gateway.identity import wallet as wallets
from gateway.identity.errors import AddressTaken, InvalidChallenge
from gateway.identity.wallet import Wallet
from gateway.payments.errors import InvalidAddress
from gateway.payments.model.payment import State
from gateway.worker import jobs
from tests.factory import Town
from tests.payments.test_addresses import transfer

pytestmark = pytest.mark.anyio

STRANGER = "0x" + "4" * 40
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def a_key() -> LocalAccount:
    key: LocalAccount = Account.create()
    return key


def signed(key: LocalAccount, text: str) -> bytes:
    return bytes(key.sign_message(encode_defunct(text=text)).signature)


async def answer(town: Town, of: Wallet, text: str, signature: bytes) -> Wallet:
    return await bind.bind(
        town.database, town.node, town.settings, of, text, signature, By("session", "ses_1"), town.clock()
    )


async def test_tokens_follow_their_wallet_to_the_address_that_it_binds(town: Town) -> None:
    alice, key = await town.person("alice", "10 USDX"), a_key()

    bound = await town.bind(alice, key)

    assert (bound.address, bound.custody) == (key.address, "owner")
    assert await town.available(alice, "USDX") == "0.000000 USDX"  # they are on their way, and cannot be paid with yet
    assert str((await town.balance(alice, "USDX")).money()[0]) == "10.000000 USDX"
    await town.settle()
    assert await town.on_chain(key.address) == await town.available(alice, "USDX") == "10.000000 USDX"
    assert await town.on_chain(alice.address) == "0.000000 USDX"
    assert await town.differences() == []


async def test_what_lies_at_the_address_already_is_the_wallets_from_then_on(town: Town) -> None:
    alice, bob, key = await town.person("alice", "1 USDX"), await town.person("bob", "10 USDX"), a_key()
    await town.pay(bob, key.address, "4 USDX")
    await town.settle()

    await town.bind(alice, key)
    await town.settle()

    assert await town.available(alice, "USDX") == await town.on_chain(key.address) == "5.000000 USDX"
    assert await town.differences() == []


async def test_what_still_arrives_at_the_first_address_is_brought_after_the_wallet(town: Town) -> None:
    alice, bob, key = await town.person("alice"), await town.person("bob", "10 USDX"), a_key()
    before = await town.pay(bob, "@alice", "3 USDX")
    await town.bind(alice, key)

    await town.settle()
    await transfer(town, bob.address, alice.address, 2_000_000)
    await town.settle()

    assert (await town.payment(before)).state is State.SETTLED
    assert await town.available(alice, "USDX") == await town.on_chain(key.address) == "5.000000 USDX"
    assert await town.differences() == []


async def test_a_payment_to_an_address_that_is_bound_before_it_settles_is_the_wallets(town: Town) -> None:
    alice, bob, key = await town.person("alice"), await town.person("bob", "10 USDX"), a_key()
    payment = await town.pay(bob, key.address, "3 USDX")
    await town.bind(alice, key)

    await town.settle()

    assert (await town.payment(payment)).state is State.SETTLED
    assert await town.available(alice, "USDX") == "3.000000 USDX"
    assert await town.differences() == []


async def test_a_sweep_that_the_contract_refuses_is_tried_again(town: Town) -> None:
    alice, key = await town.person("alice", "10 USDX"), a_key()
    await town.freeze(alice.address)
    await town.bind(alice, key)
    await town.settle()
    assert await town.on_chain(alice.address) == "10.000000 USDX"
    assert await town.available(alice, "USDX") == "0.000000 USDX"
    await town.command("unfreeze", bytes.fromhex(alice.address[2:]))

    town.clock = lambda: system_clock() + timedelta(minutes=11)
    await jobs.sweep.run(town.worker())
    await town.settle()

    assert await town.available(alice, "USDX") == await town.on_chain(key.address) == "10.000000 USDX"
    assert await town.differences() == []


@pytest.mark.parametrize("taken", [4, 10])
async def test_of_what_is_partly_sent_elsewhere_before_it_follows_the_rest_does(town: Town, taken: int) -> None:
    alice, key = await town.person("alice", "10 USDX"), a_key()
    await town.bind(alice, key)

    await transfer(town, alice.address, STRANGER, taken * 1_000_000)
    await town.settle()
    while await jobs.sweep.run(town.worker()):
        await town.settle()

    balance = await town.balance(alice, "USDX")
    rest = f"{10 - taken}.000000 USDX"
    assert [str(money) for money in balance.money()] == [rest, "0.000000 USDX", rest]
    assert await town.on_chain(key.address) == rest
    assert await town.differences() == []


async def test_of_several_that_there_is_too_little_for_each_brings_what_is_left_once(town: Town) -> None:
    alice, key, donor = await town.person("alice", "10 USDX"), a_key(), await town.person("donor", "5 USDX")
    await town.bind(alice, key)
    await town.freeze(alice.address)
    await town.settle()
    await town.command("unfreeze", bytes.fromhex(alice.address[2:]))
    await transfer(town, donor.address, alice.address, 5_000_000)
    await transfer(town, alice.address, STRANGER, 12_000_000)
    await town.settle()

    town.clock = lambda: system_clock() + timedelta(minutes=11)
    while await jobs.sweep.run(town.worker()):
        await town.settle()

    assert await town.on_chain(key.address) == await town.available(alice, "USDX") == "3.000000 USDX"
    assert await town.on_chain(alice.address) == "0.000000 USDX"
    assert await town.differences() == []


async def test_nothing_is_bound_while_something_is_on_its_way_from_the_address(town: Town) -> None:
    alice, key = await town.person("alice", "10 USDX", "5.00 USD"), a_key()
    await town.person("bob")
    await town.pay(alice, "@bob", "1 USDX")
    await town.pay(alice, "@bob", "1 USDX", capture=False)
    await town.convert(alice, "1.00 USD", "USDX")

    with pytest.raises(PaymentsUnderWay) as refusal:
        await town.bind(alice, key)

    assert refusal.value.count == 3
    assert await town.available(alice, "USDX") == "8.000000 USDX"
    await town.settle()
    with pytest.raises(PaymentsUnderWay):
        await town.bind(alice, key)  # what is held is not settled


async def test_payments_and_a_binding_at_once_leave_nothing_unpaid(town: Town) -> None:
    alice, bob, key = await town.person("alice", "10 USDX"), await town.person("bob"), a_key()

    outcomes = await asyncio.gather(
        *(town.pay(alice, "@bob", "1 USDX") for _ in range(5)), town.bind(alice, key), return_exceptions=True
    )
    await town.settle()

    paid = sum(not isinstance(outcome, BaseException) for outcome in outcomes[:5])
    assert await town.available(bob, "USDX") == f"{paid}.000000 USDX"
    assert await town.available(alice, "USDX") == f"{10 - paid}.000000 USDX"
    assert await town.differences() == []


async def test_another_own_address_is_bound_when_nothing_is_left_at_the_one_before(town: Town) -> None:
    alice, first, second = await town.person("alice", "10 USDX"), a_key(), a_key()
    bound = await town.bind(alice, first)
    await town.settle()
    with pytest.raises(AddressNotEmpty):
        await town.bind(bound, second)

    await transfer(town, first.address, second.address, 10_000_000)
    again = await town.bind(bound, second)

    assert again.address == second.address
    assert await town.available(alice, "USDX") == "10.000000 USDX"
    assert await town.differences() == []


async def test_a_wallet_may_come_back_to_an_address_that_it_had(town: Town) -> None:
    alice, first, second = await town.person("alice"), a_key(), a_key()
    for key in (first, second, first):
        alice = await town.bind(alice, key)

    assert alice.address == first.address


# ---- who may --------------------------------------------------------------------------------------------------------


async def test_a_signature_of_another_key_or_of_the_other_s_binds_nothing(town: Town) -> None:
    alice, key = await town.person("alice"), a_key()
    text = await town.challenge(alice, key.address)
    good = signed(key, text)
    s = N - int.from_bytes(good[32:64], "big")
    mirrored = good[:32] + s.to_bytes(32, "big") + bytes([55 - good[64]])
    compact = good[:32] + bytes([good[32] | (0x80 if good[64] == 27 else 0)]) + good[33:64]  # EIP-2098, other parity

    for bad in (signed(a_key(), text), signed(key, text + " "), mirrored, compact, b"", bytes(65), good + b"\0"):
        with pytest.raises(InvalidSignature):
            await answer(town, alice, text, bad)

    assert (await answer(town, alice, text, good)).address == key.address


async def test_a_message_is_the_one_that_was_written_or_binds_nothing(town: Town) -> None:
    alice, bob, key = await town.person("alice"), await town.person("bob"), a_key()
    text = await town.challenge(alice, key.address)
    altered = {
        "domain": text.replace("gateway.test wants", "evil.test wants"),
        "address": text.replace(key.address, a_key().address),
        "statement": text.replace("@alice", "@malice"),
        "URI": text.replace("URI: http://gateway.test", "URI: http://evil.test"),
        "chain id": text.replace("Chain ID: 31337", "Chain ID: 1"),
        "expiration time": text.replace("Expiration Time: 2", "Expiration Time: 9"),
    }

    for line, other in altered.items():
        with pytest.raises(InvalidChallenge, match=line):
            await answer(town, alice, other, signed(key, other))
    for other in ("", "hello", text + "\n", text.replace("Version: 1", "Version: 2"), text[:-20] + "é" * 20):
        with pytest.raises(InvalidChallenge) as refusal:
            await answer(town, alice, other, signed(key, other))
        assert refusal.value.kind == "malformed"
    with pytest.raises(InvalidChallenge):
        await answer(town, bob, text, signed(key, text))


async def test_a_challenge_is_good_once_for_minutes_and_until_the_next_one(town: Town) -> None:
    alice, key, other = await town.person("alice"), a_key(), a_key()
    replaced = await town.challenge(alice, key.address)
    late = await town.challenge(alice, key.address)
    with pytest.raises(InvalidChallenge) as unknown:
        await answer(town, alice, replaced, signed(key, replaced))
    now = town.clock()
    town.clock = lambda: now + timedelta(minutes=10, seconds=1)
    with pytest.raises(InvalidChallenge) as expired:
        await answer(town, alice, late, signed(key, late))
    assert (unknown.value.kind, expired.value.kind) == ("unknown", "expired")

    used = await town.challenge(alice, key.address)
    bound = await answer(town, alice, used, signed(key, used))
    assert await answer(town, alice, used, signed(key, used)) == bound  # the same answer again, and nothing happens
    await town.bind(bound, other)
    with pytest.raises(InvalidChallenge):
        await answer(town, alice, used, signed(key, used))
    async with town.database.reading() as connection:
        assert (await wallets.by_handle(connection, "alice")).address == other.address


async def test_of_fifty_who_answer_one_challenge_at_once_all_are_told_the_same_and_it_binds_once(town: Town) -> None:
    alice, key = await town.person("alice", "10 USDX"), a_key()
    text = await town.challenge(alice, key.address)
    signature = signed(key, text)

    answers = await asyncio.gather(*(answer(town, alice, text, signature) for _ in range(50)), return_exceptions=True)
    await town.settle()

    assert {one.address for one in answers if isinstance(one, Wallet)} == {key.address}
    assert all(isinstance(one, Wallet | InvalidChallenge) for one in answers)
    assert await town.on_chain(key.address) == await town.available(alice, "USDX") == "10.000000 USDX"
    assert await town.differences() == []


async def test_an_address_of_somebody_elses_wallet_is_never_bound(town: Town) -> None:
    alice, bob, key = await town.person("alice"), await town.person("bob"), a_key()
    await town.bind(alice, key)

    for taken in (key.address, alice.address, bob.address):
        with pytest.raises(AddressTaken):
            await town.challenge(bob, taken)
    reserved = ["0x" + end.rjust(40, "0") for end in ("", "1", "11", "dead", "ffff")]
    operators = [town.settings.contracts["USDX"].address, town.signer.address]
    for bad in ("", "alice", *reserved, *operators, key.address[:-1]):
        with pytest.raises(InvalidAddress):
            await town.challenge(bob, bad)


async def test_of_two_wallets_that_bind_one_address_at_once_one_does(town: Town) -> None:
    alice, bob, key = await town.person("alice"), await town.person("bob"), a_key()

    outcomes = await asyncio.gather(town.bind(alice, key), town.bind(bob, key), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes if not isinstance(outcome, Wallet)] == [AddressTaken]
