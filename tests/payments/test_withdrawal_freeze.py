"""A freeze from its difference to its end: what waits meanwhile, and when it is unfrozen."""

from datetime import timedelta

import pytest

from gateway.audit.log import ANYONE, By
from gateway.bank import movements
from gateway.chain.node import HttpNode
from gateway.chain.relayer import batches
from gateway.chain.relayer.batches import Due
from gateway.clock import system_clock
from gateway.controls import wallet_freeze
from gateway.errors import NotFound
from gateway.keys.vault import Vault
from gateway.ledger import ledger
from gateway.money import Asset, Assets
from gateway.payments.errors import WithdrawalsFrozen
from gateway.payments.model.payment import State
from gateway.postgres.pool import Database, Record
from gateway.reconciliation import solvency, unfreeze
from gateway.reconciliation.errors import FreezeStays
from gateway.worker import jobs
from tests.anvils import Chain
from tests.conftest import ASSETS
from tests.factory import Town
from tests.payments.test_chain_rail import PAUSER_ROLE, pause_by

pytestmark = pytest.mark.anyio

OUTSIDE = "0x" + 40 * "1"


async def rows(town: Town, query: str, *arguments: object) -> list[Record]:
    async with town.database.reading() as connection:
        return await connection.fetch(query, *arguments)


async def freeze_by_difference(town: Town, address: str, text: str) -> None:
    """The address has this much by the contract, which is not what the ledger says."""
    await town.set_balance(address, text)
    await town.look_at_all()
    await town.look()


async def unfreeze_withdrawals(town: Town, code: str = "USDX") -> None:
    """As `gateway withdrawals unfreeze` does, without the recount, once the worker has read what there is."""
    while await jobs.watch.run(town.worker()):
        pass
    async with town.database.reading() as connection:
        known = await unfreeze.differences(connection, town.assets)
    async with town.database.snapshot() as connection:
        found = await movements.reconcile(connection, town.assets)
    found += (await solvency.reconcile(town.database, town.node, town.settings))[1]
    still = [str(one) for one in found if one.asset.code == code]
    async with town.database.transaction() as connection:
        await unfreeze.unfreeze(
            connection, town.settings, town.assets[code], known, still, By("command", "root"), town.clock()
        )


async def test_a_queued_withdrawal_waits_for_the_freeze_to_end_and_then_goes_on(town: Town) -> None:
    alice = await town.person("alice", "20 USDX")
    await town.person("bob")
    leaving = await town.pay(alice, OUTSIDE, "1 USDX")
    redeemed = await town.convert(alice, "2 USDX", "USD")
    staying = await town.pay(alice, "@bob", "3 USDX")
    await freeze_by_difference(town, alice.address, "25 USDX")

    await town.settle()
    meanwhile = [(await town.payment(leaving)).state, (await town.conversion(redeemed)).state]
    await town.set_balance(alice.address, "17 USDX")
    await unfreeze_withdrawals(town)
    await town.settle()

    assert meanwhile == [State.QUEUED, State.QUEUED]
    assert (await town.payment(staying)).state is State.SETTLED
    assert (await town.payment(leaving)).state is State.SETTLED
    assert (await town.conversion(redeemed)).state is State.SETTLED
    assert await town.differences() == []


async def test_a_frozen_wallets_payments_stay_frozen_when_its_asset_is_unfrozen(town: Town) -> None:
    alice = await town.person("alice", "20 USDX")
    leaving = await town.pay(alice, OUTSIDE, "1 USDX")
    await freeze_by_difference(town, alice.address, "25 USDX")
    async with town.database.transaction() as connection:
        await wallet_freeze.freeze(connection, alice.id, "to be looked at", ANYONE, None, town.clock())
    await town.set_balance(alice.address, "20 USDX")

    await unfreeze_withdrawals(town)
    await town.settle()
    meanwhile = (await town.payment(leaving)).state
    async with town.database.transaction() as connection:
        assert await wallet_freeze.unfreeze(connection, alice.id, ANYONE, town.clock())
    await town.settle()

    assert meanwhile is State.QUEUED
    assert (await town.payment(leaving)).state is State.SETTLED


async def test_the_time_of_what_is_frozen_does_not_run_out(town: Town) -> None:
    alice = await town.person("alice", "20 USDX")
    leaving = await town.pay(alice, OUTSIDE, "1 USDX")
    await freeze_by_difference(town, alice.address, "25 USDX")

    later = timedelta(seconds=2 * town.settings.authorization_seconds)
    town.chain.rpc("evm_increaseTime", int(later.total_seconds()))
    now = town.clock
    town.clock = lambda: now() + later
    await town.settle()
    meanwhile = await town.payment(leaving)
    await town.set_balance(alice.address, "20 USDX")
    await unfreeze_withdrawals(town)
    await town.settle()

    assert meanwhile.state is State.QUEUED
    assert (await town.payment(leaving)).state is State.SETTLED


async def test_a_withdrawal_whose_batch_comes_to_nothing_during_the_freeze_is_not_sent_again(town: Town) -> None:
    alice = await town.person("alice", "20 USDX")
    pauser = town.chain.rpc("eth_accounts")[1]
    await town.command("grantRole", PAUSER_ROLE, bytes.fromhex(pauser[2:]))
    leaving = await town.pay(alice, OUTSIDE, "1 USDX")
    await jobs.relay.run(town.worker())
    town.chain.rpc("anvil_dropAllTransactions")
    await freeze_by_difference(town, alice.address, "25 USDX")

    pause_by(town, pauser, "pause")
    await town.settle()  # its batch is sent again, and reverts
    pause_by(town, pauser, "unpause")
    town.clock = lambda: system_clock() + timedelta(minutes=2)
    await town.settle()
    meanwhile = await town.on_chain(OUTSIDE)
    await town.set_balance(alice.address, "20 USDX")
    await unfreeze_withdrawals(town)
    await town.settle()

    assert meanwhile == "0.000000 USDX"
    assert (await town.payment(leaving)).state is State.SETTLED
    assert await town.on_chain(OUTSIDE) == "1.000000 USDX"
    assert await town.differences() == []


async def test_what_is_frozen_hurries_nobody_else(town: Town) -> None:
    alice = await town.person("alice", "20 USDX")
    await town.person("bob")
    await town.pay(alice, OUTSIDE, "1 USDX")
    await freeze_by_difference(town, alice.address, "25 USDX")
    wait = timedelta(minutes=1)
    town.clock = lambda: system_clock() + timedelta(minutes=5)
    await town.pay(alice, "@bob", "1 USDX")

    async with town.database.reading() as connection:
        ripe = [
            await batches.due(connection, at, wait, at - timedelta(minutes=1))
            for at in (town.clock(), town.clock() + wait)
        ]

    assert ripe == [[], [Due("USDX", "settle", 1, 0)]]


async def test_a_freeze_stays_while_there_is_a_difference_and_ends_when_there_is_none(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await freeze_by_difference(town, alice.address, "7 USDX")

    with pytest.raises(FreezeStays, match=r"has 10\.000000 USDX in the ledger and 7\.000000 USDX by balanceOf"):
        await unfreeze_withdrawals(town)
    with pytest.raises(WithdrawalsFrozen):
        await town.pay(alice, OUTSIDE, "1 USDX")
    await town.set_balance(alice.address, "10 USDX")
    with pytest.raises(WithdrawalsFrozen):  # it is not unfrozen by itself
        await town.pay(alice, OUTSIDE, "1 USDX")
    await unfreeze_withdrawals(town)
    paid = await town.pay(alice, OUTSIDE, "1 USDX")
    await town.settle()

    assert (await town.payment(paid)).state is State.SETTLED
    (event,) = await rows(town, "SELECT payload FROM event WHERE kind = 'withdrawals.unfrozen'")
    assert '"USDX"' in event["payload"]
    assert len(await rows(town, "SELECT * FROM difference WHERE ended_at IS NOT NULL")) == 1


async def test_a_new_difference_freezes_again(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await freeze_by_difference(town, alice.address, "7 USDX")
    await town.set_balance(alice.address, "10 USDX")
    await unfreeze_withdrawals(town)

    await freeze_by_difference(town, alice.address, "7 USDX")

    with pytest.raises(WithdrawalsFrozen):
        await town.pay(alice, OUTSIDE, "1 USDX")
    assert len(await rows(town, "SELECT * FROM withdrawal_freeze")) == 2


async def test_a_difference_confirmed_while_withdrawals_are_unfrozen_keeps_them_frozen(
    town: Town,
) -> None:
    alice = await town.person("alice", "10 USDX")
    await freeze_by_difference(town, alice.address, "7 USDX")

    with pytest.raises(FreezeStays):
        async with town.database.transaction() as connection:
            await unfreeze.unfreeze(
                connection, town.settings, town.assets["USDX"], [], [], By("command", "root"), town.clock()
            )


async def test_what_is_not_frozen_cannot_be_unfrozen(town: Town) -> None:
    with pytest.raises(NotFound, match="freeze of USDX: its withdrawals go on"):
        await unfreeze_withdrawals(town)


# ---- a second token -------------------------------------------------------------------------------------------------


@pytest.fixture
async def two_tokens(database: Database, chain: Chain) -> Town:
    """A town with USDX and EURX."""
    assets = Assets([*ASSETS, Asset("EURX", "token", 2, "EUR")])
    async with database.transaction() as connection:
        await ledger.declare(connection, assets)
    town = Town(database, chain, HttpNode(chain.url), assets, Vault(bytes(range(32))))
    await town.deploy()
    return town


async def test_only_the_asset_that_differs_is_frozen(two_tokens: Town) -> None:
    town = two_tokens
    alice = await town.person("alice", "10 USDX", "10 EURX")
    await freeze_by_difference(town, alice.address, "7 USDX")

    with pytest.raises(WithdrawalsFrozen, match="withdrawals of USDX are stopped"):
        await town.pay(alice, OUTSIDE, "1 USDX")
    with pytest.raises(WithdrawalsFrozen, match="withdrawals of USDX are stopped"):
        await town.convert(alice, "1 USDX", "USD")
    paid = await town.pay(alice, OUTSIDE, "1 EURX")
    redeemed = await town.convert(alice, "2 EURX", "EUR")
    await town.settle()

    assert (await town.payment(paid)).state is State.SETTLED
    assert (await town.conversion(redeemed)).state is State.SETTLED
    assert [row["asset"] for row in await rows(town, "SELECT asset FROM difference")] == ["USDX"]
    await town.node.close()
