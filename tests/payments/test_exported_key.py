"""A wallet whose owner has had the key exported: both sign, and the contract decides."""

from uuid import UUID

import pytest
from eth_account import Account

from gateway.audit.log import By
from gateway.chain.token import eip3009
from gateway.chain.token.eip3009 import Authorization
from gateway.custody import export
from gateway.identity.wallet import Wallet
from gateway.ledger import account, ledger
from gateway.payments.model.payment import State
from gateway.payments.records import records
from tests.factory import Town
from tests.payments.test_own_address import with_authorization

pytestmark = pytest.mark.anyio

OUTSIDE = "0x" + 40 * "1"


async def exported(town: Town, owner: Wallet) -> bytes:
    """The owner's private key."""
    confirm = export.sentence(owner.handle, owner.address)
    async with town.database.transaction() as connection:
        return (
            await export.export(connection, town.vault, owner, confirm, By("api_key", "key_1"), town.clock())
        ).private_key


async def test_after_the_export_the_gateway_signs_for_the_wallet_as_before(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    await exported(town, alice)

    paid = await town.pay(alice, "@bob", "4 USDX")
    await town.settle()

    assert (await town.payment(paid)).state is State.SETTLED
    assert await town.differences() == []


@pytest.mark.parametrize("left", ["0 USDX", "3 USDX"])
async def test_a_payment_whose_owner_empties_the_address_fails_and_the_ledger_agrees(town: Town, left: str) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    key = await exported(town, alice)
    paid = await town.pay(alice, "@bob", "4 USDX")

    taken = town.money("10 USDX") - town.money(left)
    await town.send_with(key, OUTSIDE, str(taken))
    town.chain.mine()
    await town.settle()
    await town.look_at_all()

    found = await town.payment(paid)
    assert (found.state, found.failure) == (State.FAILED, "insufficient_balance")
    assert str((await town.balance(alice, "USDX")).money()[0]) == str(town.money(left))
    assert await town.available(alice, "USDX") == str(town.money(left))
    assert await town.available(bob, "USDX") == "0.000000 USDX"
    assert await town.differences() == []


async def test_what_is_sent_past_the_gateway_is_credited_and_says_from_whom_and_to_whom(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    key = await exported(town, alice)
    await town.send_with(key, bob.address, "4 USDX")
    town.chain.mine()
    await town.send_with(key, OUTSIDE, "1 USDX")
    town.chain.mine()
    await town.settle()

    assert await town.available(bob, "USDX") == "4.000000 USDX"
    async with town.database.reading() as connection:
        ends = []
        for person in (alice, bob):
            code = account.wallet(person.handle, town.assets["USDX"])
            entries = await ledger.statement(connection, town.assets["USDX"], code, None, 10)
            seen = [entry.subject for entry in entries if entry.purpose == "observation"]
            of = await records.ends_of_observations(connection, seen)
            ends.append([of[subject] for subject in seen])
    assert ends == [[("@alice", OUTSIDE), ("@alice", "@bob")], [("@alice", "@bob")]]
    assert await town.differences() == []


async def test_who_puts_the_tokens_back_in_time_has_paid(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    carol = await town.person("carol")
    key, carols = await exported(town, alice), await exported(town, carol)
    paid = await town.pay(alice, "@bob", "4 USDX")
    await town.send_with(key, carol.address, "10 USDX")
    town.chain.mine()

    await town.send_with(carols, alice.address, "5 USDX")
    town.chain.mine()
    await town.settle()

    assert (await town.payment(paid)).state is State.SETTLED
    assert await town.available(alice, "USDX") == "1.000000 USDX"
    assert await town.available(carol, "USDX") == "5.000000 USDX"
    assert await town.available(bob, "USDX") == "4.000000 USDX"
    assert await town.differences() == []


async def test_a_nonce_that_the_owner_used_is_not_handed_out(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    key = Account.from_key(await exported(town, alice))
    contract = town.settings.contracts["USDX"]
    own = Authorization(UUID(int=1), "transfer", "USDX", alice.address, OUTSIDE, 1_000_000, 0, 2**40, None)
    typed = eip3009.typed_data(contract, own)
    await with_authorization(town, own, bytes(key.sign_typed_data(full_message=typed).signature))
    await town.settle()

    paid = await town.pay(alice, "@bob", "4 USDX")
    await town.settle()

    assert (await town.payment(paid)).state is State.SETTLED
    assert await town.available(bob, "USDX") == "4.000000 USDX"
    assert await town.on_chain(OUTSIDE) == "1.000000 USDX"
    assert await town.differences() == []
