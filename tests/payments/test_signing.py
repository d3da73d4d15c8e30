"""Paying with a key of one's own: accepted, signed, settled; and whatever its owner does meanwhile."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eth_abi.abi import encode
from eth_account.signers.local import LocalAccount
from eth_hash.auto import keccak
from msgspec import structs

from gateway.address import checksum
from gateway.chain.errors import InvalidSignature
from gateway.chain.relayer import batches
from gateway.chain.token import authorization, message
from gateway.chain.token.contract import selector
from gateway.chain.token.message import Authorization
from gateway.clock import system_clock
from gateway.errors import NotFound, StateConflict
from gateway.identity.wallet import Wallet
from gateway.ledger.errors import InsufficientFunds
from gateway.payments.errors import OwnKey
from gateway.payments.model.payment import Payment, State
from gateway.payments.own_key import sign
from gateway.postgres.errors import Contended
from gateway.worker import jobs
from tests.custody.test_binding import N, a_key
from tests.cuts import CutDatabase, Fate, Killed
from tests.factory import Town
from tests.payments.test_addresses import send, transfer
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio

STRANGER = "0x" + "4" * 40
STALLED = timedelta(minutes=15, seconds=1)


async def own(town: Town, handle: str, *moneys: str) -> tuple[Wallet, LocalAccount]:
    """Somebody with this much money whose tokens lie at an address of their own."""
    wallet, key = await town.person(handle, *moneys), a_key()
    wallet = await town.bind(wallet, key)
    await town.settle()
    return wallet, key


async def test_a_payment_waits_for_its_signature_and_then_goes_on_like_any_other(town: Town) -> None:
    (alice, key), bob = await own(town, "alice", "10 USDX"), await town.person("bob")

    asked = await town.pay(alice, "@bob", "4 USDX")
    assert (asked.state, asked.expires_at is not None) == (State.REQUIRES_CONFIRMATION, True)
    assert await town.available(alice, "USDX") == "6.000000 USDX"
    await town.settle()
    assert (await town.payment(asked)).state is State.REQUIRES_CONFIRMATION

    signed = await town.sign(asked, key)
    assert (signed.state, signed.expires_at) == (State.QUEUED, None)
    await town.settle()

    assert (await town.payment(asked)).state is State.SETTLED
    assert await town.available(bob, "USDX") == await town.on_chain(bob.address) == "4.000000 USDX"
    assert await town.available(alice, "USDX") == await town.on_chain(key.address) == "6.000000 USDX"
    assert await town.differences() == []


async def test_the_same_signature_again_finds_the_payment_as_it_stands(town: Town) -> None:
    alice, key = await own(town, "alice", "10 USDX")
    await town.person("bob")
    asked = await town.pay(alice, "@bob", "4 USDX")
    signed = bytes(key.sign_typed_data(full_message=await town.to_sign(asked)).signature)

    answers = await asyncio.gather(*(town.hand_in(asked, signed) for _ in range(20)))
    assert {answer.state for answer in answers} == {State.QUEUED}
    await town.settle()

    assert (await town.hand_in(asked, signed)).state is State.SETTLED
    assert await town.on_chain(key.address) == "6.000000 USDX"


def ledger(signature: bytes) -> bytes:
    """As Ledger devices write it: v is 0 or 1."""
    return signature[:64] + bytes([signature[64] - 27])


def compact(signature: bytes) -> bytes:
    """In 64 bytes (EIP-2098): the top bit of s says which v it is."""
    return signature[:32] + bytes([signature[32] | signature[64] - 27 << 7]) + signature[33:64]


async def test_what_ethers_and_viem_sign_is_taken_as_it_is_and_settled(town: Town) -> None:
    """The libraries themselves sign what `to_sign` says; none of it is changed before."""
    alice, key = await own(town, "alice", "10 USDX")
    bob = await town.person("bob")
    paid = []
    for library in ("ethers", "viem"):
        for form in ("signature", "compact"):
            asked = await town.pay(alice, "@bob", "1 USDX")
            signed = signed_by(library, key, await town.to_sign(asked))
            paid.append(await town.hand_in(asked, bytes.fromhex(signed[form][2:])))
            again = await town.hand_in(asked, ledger(bytes.fromhex(signed["signature"][2:])))
            assert again == structs.replace(paid[-1], hidden_from_payee=False), "the same signature, in another form"
    await town.settle()

    assert [(await town.payment(one)).state for one in paid] == [State.SETTLED] * 4
    assert await town.on_chain(bob.address) == "4.000000 USDX"


def signed_by(library: str, key: LocalAccount, to_sign: dict[str, Any]) -> dict[str, str]:
    """The signature, and the same in EIP-2098's form."""
    clients = Path(__file__).resolve().parents[1] / "clients"
    assert (clients / "node_modules").is_dir(), "scripts/test installs ethers and viem: npm ci in tests/clients"
    asked = json.dumps({"library": library, "key": "0x" + bytes(key.key).hex(), "to_sign": to_sign})
    node = shutil.which("node", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert node, "scripts/setup installs Node.js where there is none"
    argv = [node, "sign.mjs"]
    ran = subprocess.run(argv, cwd=clients, input=asked, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


async def test_a_signature_that_the_contract_would_refuse_is_refused_and_the_payment_waits_on(town: Town) -> None:
    alice, key = await own(town, "alice", "10 USDX")
    bob = await town.person("bob")
    asked, other = await town.pay(alice, "@bob", "4 USDX"), await town.pay(alice, "@bob", "1 USDX")
    data = await town.to_sign(asked)
    good = bytes(key.sign_typed_data(full_message=data).signature)
    s = N - int.from_bytes(good[32:64], "big")
    bad = {
        "another key": bytes(a_key().sign_typed_data(full_message=data).signature),
        "another message": bytes(key.sign_typed_data(full_message=await town.to_sign(other)).signature),
        "upper half": good[:32] + s.to_bytes(32, "big") + bytes([55 - good[64]]),
        "in 65 bytes": good[:63],
        "the 64 bytes of EIP-2098": good[:64] + bytes([2]),
    }

    for why, signature in bad.items():
        with pytest.raises(InvalidSignature, match=why):
            await town.hand_in(asked, signature)
    with pytest.raises(NotFound):  # its payee does not see it before it is signed
        await sign.sign(town.database, town.node, town.settings, bob.id, asked.id, good, town.clock())

    assert (await town.payment(asked)).state is State.REQUIRES_CONFIRMATION
    assert (await town.hand_in(asked, good)).state is State.QUEUED


async def test_what_the_gateway_signs_takes_no_signature_of_anybody(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX", "10.00 EUR"), await town.person("bob")

    for payment in (await town.pay(alice, bob.address, "1 USDX"), await town.pay(alice, "@bob", "1.00 EUR")):
        with pytest.raises(StateConflict):
            await town.hand_in(payment, bytes(65))


async def test_what_nobody_signs_expires_and_the_money_is_given_back(town: Town) -> None:
    alice, key = await own(town, "alice", "10 USDX")
    await town.person("bob")
    asked = await town.pay(alice, "@bob", "4 USDX")
    signed = bytes(key.sign_typed_data(full_message=await town.to_sign(asked)).signature)

    town.clock = lambda: system_clock() + STALLED
    with pytest.raises(StateConflict):
        await town.hand_in(asked, signed)
    await jobs.expire.run(town.worker())

    assert (await town.payment(asked)).state is State.EXPIRED
    assert await town.available(alice, "USDX") == "10.000000 USDX"
    with pytest.raises(StateConflict):
        await town.hand_in(asked, signed)
    assert await town.open() == 0


@pytest.mark.parametrize("repeat", range(5))
async def test_of_a_signature_and_expiry_at_once_one_wins(town: Town, repeat: int) -> None:
    alice, key = await own(town, "alice", "10 USDX")
    await town.person("bob")
    asked = await town.pay(alice, "@bob", "4 USDX")
    signed = bytes(key.sign_typed_data(full_message=await town.to_sign(asked)).signature)
    late = town.worker()
    object.__setattr__(late, "clock", lambda: system_clock() + STALLED)

    outcome, _ = await asyncio.gather(town.hand_in(asked, signed), jobs.expire.run(late), return_exceptions=True)
    await town.settle()

    state = (await town.payment(asked)).state
    assert state is (State.SETTLED if isinstance(outcome, Payment) else State.EXPIRED)
    left = "6.000000 USDX" if state is State.SETTLED else "10.000000 USDX"
    assert await town.available(alice, "USDX") == await town.on_chain(key.address) == left
    assert await town.differences() == []


# ---- what its owner does meanwhile ----------------------------------------------------------------------------------


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
    data = message.typed_data(town.settings.contracts["USDX"], ahead)
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
    data = message.typed_data(town.settings.contracts["USDX"], theirs)
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


# ---- the other ways of paying ---------------------------------------------------------------------------------------


async def test_a_refund_by_a_payee_with_a_key_of_their_own_needs_a_signature_too(town: Town) -> None:
    alice, (bob, key) = await town.person("alice", "10 USDX"), await own(town, "bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    await town.settle()

    back = await town.refund(bob, payment, "3 USDX")
    assert back.state is State.REQUIRES_CONFIRMATION
    await town.sign(back, key)
    await town.settle()

    assert (await town.payment(back)).state is State.SETTLED
    assert await town.available(alice, "USDX") == "9.000000 USDX"

    late = await town.refund(bob, payment)
    town.clock = lambda: system_clock() + STALLED
    await jobs.expire.run(town.worker())
    assert (await town.payment(late)).state is State.EXPIRED
    assert str((await town.payment(payment)).refunded) == "3.000000 USDX"


async def test_what_only_its_owner_can_do_is_refused_and_says_how(town: Town) -> None:
    alice, key = await own(town, "alice", "10 USDX", "5.00 USD")
    await town.person("bob")
    contract = town.settings.contracts["USDX"].address

    with pytest.raises(OwnKey, match="pay them at once"):
        await town.pay(alice, "@bob", "1 USDX", capture=False)
    with pytest.raises(OwnKey, match=contract):
        await town.convert(alice, "1 USDX", "USD")

    await send(town, key.address, selector("redeem") + (3_000_000).to_bytes(32, "big"))
    bought = await town.convert(alice, "2.00 USD", "USDX")
    await town.settle()
    assert (await town.conversion(bought)).state is State.SETTLED
    assert await town.available(alice, "USD") == "6.00 USD"
    assert await town.available(alice, "USDX") == await town.on_chain(key.address) == "9.000000 USDX"
    assert await town.differences() == []


async def test_who_paid_before_the_binding_was_known_is_told_to_ask_again(town: Town) -> None:
    before = await town.person("alice", "10 USDX")
    await town.person("bob")
    await town.bind(before, a_key())
    await town.settle()

    with pytest.raises(Contended):
        await town.pay(before, "@bob", "1 USDX")
    with pytest.raises(Contended):
        await town.pay(before, "@bob", "1 USDX", capture=False)


async def test_what_is_on_its_way_to_the_new_address_cannot_be_paid_with_yet(town: Town) -> None:
    alice, key = await town.person("alice", "10 USDX"), a_key()
    await town.person("bob")
    alice = await town.bind(alice, key)

    with pytest.raises(InsufficientFunds):
        await town.pay(alice, "@bob", "1 USDX")
    await town.settle()
    await town.sign(await town.pay(alice, "@bob", "1 USDX"), key)
    await town.settle()

    assert await town.on_chain(key.address) == "9.000000 USDX"


@dataclass
class OneCommit(Fate):
    """Cuts at every commit, before or after it."""

    after_it: bool = False

    async def before(self, what: str) -> None:
        if what == "commit" and not self.after_it:
            raise Killed

    async def after(self, what: str) -> None:
        if what == "commit":
            raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before its commit", "after its commit"])
async def test_who_is_cut_off_hands_the_signature_in_again(town: Town, after: bool) -> None:
    alice, key = await own(town, "alice", "10 USDX")
    await town.person("bob")
    asked = await town.pay(alice, "@bob", "4 USDX")
    signed = bytes(key.sign_typed_data(full_message=await town.to_sign(asked)).signature)

    cut = CutDatabase(town.database, OneCommit(after_it=after))
    with pytest.raises(Killed):
        await sign.sign(cut, town.node, town.settings, alice.id, asked.id, signed, town.clock())
    await town.hand_in(asked, signed)
    await town.settle()

    assert (await town.payment(asked)).state is State.SETTLED
    assert await town.on_chain(key.address) == "6.000000 USDX"


# ---- contracts ------------------------------------------------------------------------------------------------------


def wallet_of(owner: str) -> str:
    """The code of a wallet that is a contract and accepts what the owner's key has signed (ERC-1271)."""
    hash_, v, rs = "602060046000" + "37", "60a43560f81c602052", "604060646040" + "37"
    recovered = "602060006080600060015afa50"
    return f"0x{hash_}{v}{rs}{recovered}60005173{owner[2:].lower()}14631626ba7e60e01b0260005260206000f3"


BURNING = "0x5b600056"  # JUMPDEST, jump there again, for ever
REVERTING = "0x60006000fd"


async def contract_wallet(town: Town, handle: str, *moneys: str) -> tuple[Wallet, LocalAccount]:
    """Somebody with this much money at a contract that takes what a key of theirs signs."""
    wallet, key, at = await town.person(handle, *moneys), a_key(), a_key().address
    town.chain.rpc("anvil_setCode", at, wallet_of(key.address))
    wallet = await town.bind(wallet, key, at)
    await town.settle()
    return wallet, key


async def test_a_wallet_that_is_a_contract_binds_and_pays(town: Town) -> None:
    (alice, key), bob = await contract_wallet(town, "alice", "10 USDX"), await town.person("bob")
    assert alice.custody == "contract"

    for _ in range(3):
        payment = await town.pay(alice, "@bob", "1 USDX")
        with pytest.raises(InvalidSignature, match="ERC-1271"):
            await town.sign(payment, a_key())
        await town.sign(payment, key)
    await town.settle()

    assert await town.available(bob, "USDX") == await town.on_chain(bob.address) == "3.000000 USDX"
    assert await town.available(alice, "USDX") == await town.on_chain(alice.address) == "7.000000 USDX"
    assert await town.differences() == []


@pytest.mark.parametrize("code", [BURNING, REVERTING, "0x", "0x00"], ids=["burning", "reverting", "none", "stopping"])
async def test_code_that_accepts_nothing_binds_nothing(town: Town, code: str) -> None:
    alice, at = await town.person("alice"), a_key().address
    town.chain.rpc("anvil_setCode", at, code)

    with pytest.raises(InvalidSignature):
        await town.bind(alice, a_key(), at)


async def test_a_contract_that_burns_its_gas_costs_its_own_payment_alone(town: Town) -> None:
    (alice, key), bob = await contract_wallet(town, "alice", "10 USDX"), await town.person("bob")
    carol = await town.person("carol", "10 USDX")
    bad = [await town.sign(await town.pay(alice, "@bob", "1 USDX"), key) for _ in range(8)]
    good = [await town.pay(carol, "@bob", "1 USDX") for _ in range(5)]
    town.chain.rpc("anvil_setCode", alice.address, BURNING)

    await town.settle()

    assert {(await town.payment(payment)).state for payment in good} == {State.SETTLED}
    assert {(await town.payment(payment)).state for payment in bad} == {State.SUBMITTED}
    assert await town.available(bob, "USDX") == "5.000000 USDX"
    assert await town.differences() == []


async def test_a_relayer_is_weighed_with_what_contracts_may_burn(town: Town) -> None:
    (alice, key), _ = await contract_wallet(town, "alice", "10 USDX"), await town.person("bob")
    for _ in range(8):
        await town.sign(await town.pay(alice, "@bob", "1 USDX"), key)

    async with town.database.reading() as connection:
        (ripe,) = await batches.ripe(connection, town.clock(), timedelta(), town.clock())
    await jobs.relay.run(town.worker())
    async with town.database.reading() as connection:
        limit = await connection.fetchval("SELECT gas_limit FROM chain_transaction WHERE state = 'stored'")

    assert (ripe.count, ripe.by_contracts) == (8, 8)
    assert batches.gas_most(ripe.count) < limit <= batches.gas_most(ripe.count, ripe.by_contracts)
