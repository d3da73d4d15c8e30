"""Wallets that are contracts: they bind and pay, and what they burn is their own."""

from datetime import timedelta

import pytest
from eth_account.signers.local import LocalAccount

from gateway.chain.errors import InvalidSignature
from gateway.chain.relayer import batches
from gateway.identity.wallet import Wallet
from gateway.payments.model.payment import State
from gateway.worker import jobs
from tests.custody.test_binding import a_key
from tests.factory import Town

pytestmark = pytest.mark.anyio


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
        (due,) = await batches.due(connection, town.clock(), timedelta(), town.clock())
    await jobs.relay.run(town.worker())
    async with town.database.reading() as connection:
        limit = await connection.fetchval("SELECT gas_limit FROM chain_transaction WHERE state = 'stored'")

    assert (due.count, due.by_contracts) == (8, 8)
    assert batches.gas_max(due.count) < limit <= batches.gas_max(due.count, due.by_contracts)
