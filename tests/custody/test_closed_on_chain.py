"""Tokens that reach the address of a wallet that was closed: nobody can refuse them, and they stop nothing."""

import pytest

from gateway.audit.log import By
from gateway.chain.token.contract import selector
from gateway.custody import close
from gateway.identity.wallet import Wallet
from tests.custody.test_binding import a_key
from tests.factory import Town
from tests.payments.test_addresses import send, transfer

pytestmark = pytest.mark.anyio


async def closed(town: Town, of: Wallet) -> None:
    async with town.database.transaction() as connection:
        said = close.sentence(of.handle)
        await close.close(connection, town.assets, of, said, By("session", "ses_1"), town.clock())


async def test_tokens_for_the_first_address_of_a_closed_wallet_are_brought_to_its_owners_own(town: Town) -> None:
    alice, bob, key = await town.person("alice"), await town.person("bob", "10 USDX"), a_key()
    await closed(town, await town.bind(alice, key))

    await transfer(town, bob.address, alice.address, 2_000_000)
    await town.settle()

    assert await town.on_chain(key.address) == await town.available(alice, "USDX") == "2.000000 USDX"
    assert await town.on_chain(alice.address) == "0.000000 USDX"
    assert await town.differences() == []


async def test_what_the_owner_of_a_closed_wallet_redeems_at_the_contract_stays_in_the_reserve(town: Town) -> None:
    alice, bob, key = await town.person("alice"), await town.person("bob", "10 USDX"), a_key()
    await closed(town, await town.bind(alice, key))
    await transfer(town, bob.address, key.address, 3_000_000)

    await send(town, key.address, selector("redeem") + (3_000_000).to_bytes(32, "big"))

    assert await town.available(alice, "USDX") == "0.000000 USDX"
    assert await town.available(alice, "USD") == "0.00 USD"
    assert await town.differences() == []
    # The chain is read on, for everybody.
    await transfer(town, bob.address, "0x" + "4" * 40, 1_000_000)
    assert await town.available(bob, "USDX") == "6.000000 USDX"
