"""Payments that their payer has signed alone, submitted: relayed once, by whoever submits them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from msgspec import structs

from gateway.audit.log import ANYONE
from gateway.chain.errors import InvalidSignature
from gateway.chain.node import HttpNode
from gateway.chain.token import eip3009
from gateway.chain.token.eip3009 import Authorization
from gateway.clock import system_clock
from gateway.controls import wallet_freeze
from gateway.errors import GatewayError, InvalidRequest, NotFound
from gateway.identity.wallet import Wallet
from gateway.ledger.errors import InsufficientFunds
from gateway.payments.checks import policy, spending
from gateway.payments.errors import NonceTaken, SelfPayment, UnknownPayee, WalletFrozen
from gateway.payments.model.payment import Payment, State
from gateway.payments.own_key.submit_authorization import SignedAuthorization, submit
from gateway.worker import jobs
from tests.custody.test_binding import a_key
from tests.factory import Town
from tests.payments.test_contract_wallets import contract_wallet
from tests.payments.test_exported_key import OUTSIDE, exported
from tests.payments.test_own_address import with_authorization
from tests.payments.test_signing import compact, ledger, own

pytestmark = pytest.mark.anyio

#: Far from every nonce that the gateway gives out.
NONCE = 0x5EED << 200


def signed(
    town: Town,
    payer: Wallet,
    key: LocalAccount,
    text: str,
    to: str = OUTSIDE,
    nonce: int = NONCE,
    good_for: timedelta = timedelta(hours=1),
    valid_after: int = 0,
) -> SignedAuthorization:
    """What the key's owner has signed, without asking anybody."""
    valid_before = int((town.clock() + good_for).timestamp())
    asked = SignedAuthorization(payer.address, to, town.money(text), nonce, valid_after, valid_before, b"")
    data = eip3009.typed_data(town.settings.contracts[asked.money.asset.code], authorization_of(asked))
    return replace(asked, signature=bytes(key.sign_typed_data(full_message=data).signature))


def authorization_of(one: SignedAuthorization) -> Authorization:
    return Authorization(
        *(UUID(int=1), "transfer", one.money.asset.code, one.payer, one.payee, one.money.units),
        *(one.nonce, one.valid_before, one.signature or None),
        valid_after=one.valid_after,
    )


async def hand_in(town: Town, one: SignedAuthorization) -> Payment:
    return await submit(town.database, town.node, town.settings, one, town.clock())


async def leaver(town: Town, *moneys: str) -> tuple[Wallet, LocalAccount]:
    """Somebody with this much money who has had their key exported."""
    alice = await town.person("alice", *moneys)
    return alice, Account.from_key(await exported(town, alice))


async def test_who_has_the_exported_key_leaves_without_an_api_key_or_gas(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")

    paid = await hand_in(town, signed(town, alice, key, "7 USDX"))
    assert (paid.state, paid.payer, paid.payee_address) == (State.QUEUED, alice.id, OUTSIDE)
    assert await town.available(alice, "USDX") == "3.000000 USDX"
    await town.settle()

    assert (await town.payment(paid)).state is State.SETTLED
    assert await town.on_chain(OUTSIDE) == "7.000000 USDX"
    bob = await town.person("bob")
    after = await town.pay(alice, "@bob", "3 USDX")
    await town.settle()
    assert (await town.payment(after)).state is State.SETTLED
    assert await town.on_chain(bob.address) == "3.000000 USDX"
    assert await town.differences() == []


async def test_one_that_is_good_since_ten_minutes_is_settled_in_whichever_form_it_is_signed(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")
    since = int((town.clock() - timedelta(minutes=10)).timestamp())
    paid = []
    for n, form in enumerate((ledger, compact)):
        one = signed(town, alice, key, "1 USDX", nonce=NONCE + n, valid_after=since)
        paid.append(await hand_in(town, replace(one, signature=form(one.signature))))
        again = await hand_in(town, one)
        assert again == structs.replace(paid[-1], hidden_from_payee=False), "the same one, in another form"
    await town.settle()

    assert [(await town.payment(one)).state for one in paid] == [State.SETTLED] * 2
    assert await town.on_chain(OUTSIDE) == "2.000000 USDX"
    with pytest.raises(InvalidRequest, match="in the past"):
        await hand_in(town, signed(town, alice, key, "1 USDX", nonce=NONCE + 2, valid_after=2**32))


async def test_the_same_one_submitted_fifty_times_at_once_and_again_later_is_one_payment(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")
    one = signed(town, alice, key, "1 USDX")

    payments = await asyncio.gather(*(hand_in(town, one) for _ in range(50)))
    await town.settle()

    assert len({payment.id for payment in payments}) == 1
    assert (await hand_in(town, one)).state is State.SETTLED
    assert await town.on_chain(OUTSIDE) == "1.000000 USDX"
    assert await town.available(alice, "USDX") == "9.000000 USDX"
    assert await town.differences() == []


async def test_a_payee_that_is_a_handles_address_is_the_handle(town: Town) -> None:
    (alice, key), bob = await leaver(town, "10 USDX"), await town.person("bob")

    paid = await hand_in(town, signed(town, alice, key, "4 USDX", to=bob.address))
    await town.settle()

    assert paid.payee == bob.id
    assert await town.available(bob, "USDX") == "4.000000 USDX"


async def test_an_altered_one_is_refused_before_and_after_it_was_submitted(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")
    one = signed(town, alice, key, "4 USDX")
    altered = [
        replace(one, payee="0x" + 40 * "2"),
        replace(one, money=town.money("5 USDX")),
        replace(one, valid_before=one.valid_before + 1),
        replace(one, valid_after=1),
        replace(one, signature=one.signature[:-1] + bytes([55 - one.signature[-1]])),
    ]

    for other in altered:
        with pytest.raises(InvalidSignature):
            await hand_in(town, other)
    await hand_in(town, one)
    for other in altered:
        with pytest.raises(NonceTaken):
            await hand_in(town, other)

    assert await town.available(alice, "USDX") == "6.000000 USDX"


async def test_what_cannot_be_taken_is_refused_and_moves_nothing(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")
    elsewhere = structs.replace(alice, address=a_key().address)
    refused: list[tuple[SignedAuthorization, type[GatewayError]]] = [
        (signed(town, alice, key, "10.000001 USDX"), InsufficientFunds),
        (signed(town, alice, a_key(), "1 USDX"), InvalidSignature),
        (signed(town, alice, key, "1 USDX", nonce=2**32 - 1), InvalidRequest),
        (signed(town, alice, key, "1 USDX", good_for=timedelta(seconds=20)), InvalidRequest),
        (signed(town, alice, key, "1 USDX", good_for=timedelta(days=31)), InvalidRequest),
        (signed(town, alice, key, "1 USDX", to=alice.address), SelfPayment),
        (signed(town, alice, key, "1 USDX", to=town.settings.contracts["USDX"].address), UnknownPayee),
        (signed(town, elsewhere, key, "1 USDX"), NotFound),
        (replace(signed(town, alice, key, "1 USDX"), money=town.money("1.00 EUR")), InvalidRequest),
        (replace(signed(town, alice, key, "1 USDX"), payer="0x1"), InvalidRequest),
    ]

    for one, why in refused:
        with pytest.raises(why):
            await hand_in(town, one)

    assert await town.available(alice, "USDX") == "10.000000 USDX"


async def test_nothing_is_relayed_out_of_a_frozen_wallet(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")
    async with town.database.transaction() as connection:
        await wallet_freeze.freeze(connection, alice.id, "to be looked at", ANYONE, None, town.clock())

    with pytest.raises(WalletFrozen):
        await hand_in(town, signed(town, alice, key, "1 USDX"))


async def test_one_that_was_relayed_without_us_meanwhile_is_settled_once(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")
    one = signed(town, alice, key, "4 USDX")
    paid = await hand_in(town, one)

    await with_authorization(town, authorization_of(one), one.signature)
    await town.settle()

    assert (await town.payment(paid)).state is State.SETTLED
    assert await town.on_chain(OUTSIDE) == "4.000000 USDX"
    assert await town.available(alice, "USDX") == "6.000000 USDX"
    assert await town.differences() == []


async def test_one_that_was_relayed_without_us_before_is_refused_and_holds_nothing(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")
    one = signed(town, alice, key, "4 USDX")
    await with_authorization(town, authorization_of(one), one.signature)
    await town.settle()

    with pytest.raises(NonceTaken):
        await hand_in(town, one)

    assert await town.available(alice, "USDX") == "6.000000 USDX"
    assert await town.differences() == []


@pytest.mark.parametrize("seen", [True, False])
async def test_one_that_is_relayed_without_us_while_it_is_submitted_is_never_held_for_ever(
    town: Town, seen: bool
) -> None:
    alice, key = await leaver(town, "10 USDX")
    one = signed(town, alice, key, "4 USDX")

    class Slow(HttpNode):
        """While it answers whether the nonce was used, it is, and the ledger may see that too."""

        async def calls(self, calls: Sequence[tuple[str | None, bytes]], at: int) -> list[bytes]:
            answers = await super().calls(calls, at)
            if not (await town.on_chain(OUTSIDE)).startswith("4"):
                await with_authorization(town, authorization_of(one), one.signature)
                while seen and await jobs.watch.run(town.worker()):
                    pass
            return answers

    if seen:
        with pytest.raises(NonceTaken):
            await submit(town.database, Slow(town.chain.url), town.settings, one, town.clock())
    else:
        await submit(town.database, Slow(town.chain.url), town.settings, one, town.clock())
    await town.settle()

    assert await town.available(alice, "USDX") == await town.on_chain(alice.address) == "6.000000 USDX"
    assert await town.differences() == []


async def test_an_own_key_and_a_contract_submit_what_they_signed_too(town: Town) -> None:
    alice, key = await own(town, "alice", "10 USDX")
    carol, carols = await contract_wallet(town, "carol", "10 USDX")

    paid = [
        await hand_in(town, signed(town, alice, key, "4 USDX")),
        await hand_in(town, signed(town, carol, carols, "5 USDX")),
    ]
    with pytest.raises(InvalidSignature, match="ERC-1271"):
        await hand_in(town, signed(town, carol, key, "1 USDX", nonce=NONCE + 1))
    await town.settle()

    assert {(await town.payment(one)).state for one in paid} == {State.SETTLED}
    assert await town.on_chain(OUTSIDE) == "9.000000 USDX"
    assert await town.differences() == []


async def test_out_of_an_address_that_was_left_nothing_is_taken(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")
    await town.bind(alice, a_key())

    with pytest.raises(NotFound):
        await hand_in(town, signed(town, alice, key, "4 USDX"))


async def spent_in_a_day(town: Town, of: Wallet) -> int:
    day = policy.day_of(of.id, town.assets["USDX"])
    async with town.database.reading() as connection:
        return (await spending.spent(connection, {day: town.clock() - policy.DAY}))[day].units


async def test_one_whose_time_is_over_before_it_was_settled_gives_the_money_and_the_days_room_back(town: Town) -> None:
    alice, key = await leaver(town, "10 USDX")
    async with town.database.transaction() as connection:
        await connection.execute("UPDATE wallet SET guarded = true WHERE id = $1", alice.id)
    paid = await hand_in(town, signed(town, alice, key, "4 USDX", good_for=timedelta(minutes=1)))
    assert await spent_in_a_day(town, alice) == 4_000_000

    town.clock = lambda: system_clock() + timedelta(minutes=2)
    town.chain.rpc("evm_increaseTime", 120)
    await town.settle()

    failed = await town.payment(paid)
    assert (failed.state, failed.failure) == (State.FAILED, "expired")
    assert await spent_in_a_day(town, alice) == 0
    assert await town.available(alice, "USDX") == "10.000000 USDX"
