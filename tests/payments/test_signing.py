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

import pytest
from eth_account.signers.local import LocalAccount
from msgspec import structs

from gateway.chain.errors import InvalidSignature
from gateway.chain.token.contract import selector
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
from tests.payments.test_addresses import send
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
