"""What relayers offer and spend: more after a drop, and one that runs dry is left out."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.chain.errors import NoRelayer
from gateway.chain.relayer import batches
from gateway.clock import system_clock
from gateway.keys.signer import fields_of
from gateway.ledger import account, ledger
from gateway.payments.model.payment import State
from gateway.worker import jobs
from tests.factory import Town
from tests.payments.relayers.conftest import ETHER, ONE, TWO, gateway_events, relayer_of, rows, set_balance, states

pytestmark = pytest.mark.anyio


async def test_each_relayer_sends_again_after_a_drop_and_then_offers_an_eighth_more(wide: Town) -> None:
    alice, bob = await wide.person("alice", "10 USDX"), await wide.person("bob")
    payments = []
    for _ in range(2):
        payments.append(await wide.pay(alice, "@bob", "1 USDX"))
        await jobs.relay.run(wide.worker())
    assert len({(await relayer_of(wide, payment)).address for payment in payments}) == 2
    wide.chain.rpc("anvil_dropAllTransactions")
    wide.chain.rpc("evm_increaseTime", 600)
    wide.chain.mine()

    later = replace(wide.worker(), clock=lambda: system_clock() + timedelta(minutes=6))
    await jobs.resend.run(later)  # as stored, and a further attempt is stored
    wide.chain.rpc("anvil_dropAllTransactions")
    await jobs.resend.run(later)  # both again, each relayer's newest last
    wide.chain.mine(2)
    await jobs.watch.run(wide.worker())

    for signer in wide.signers:
        found = await rows(
            wide,
            "SELECT raw, hash = final_hash AS mined FROM attempt JOIN chain_transaction AS t ON t.id = transaction_id "
            "WHERE relayer = $1 AND kind = 'settle' ORDER BY nonce DESC, fee_wei_max LIMIT 2",
            signer.address,
        )
        old, new = (fields_of(row["raw"]) for row in found)
        assert [row["mined"] for row in found] == [False, True]
        assert new == replace(old, fee_wei_max=new.fee_wei_max, tip_wei_max=new.tip_wei_max)
        assert new.fee_wei_max * 8 >= old.fee_wei_max * 9
        assert new.tip_wei_max * 8 >= old.tip_wei_max * 9
    assert await states(wide, payments) == {State.SETTLED}
    assert await wide.on_chain(bob.address) == "2.000000 USDX"
    assert await wide.differences() == []


async def test_a_dry_relayer_is_left_out_and_when_all_are_payments_wait_until_one_is_filled(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    worker = wide.worker()
    for dry, rich in ((ONE, TWO), (TWO, ONE)):
        await set_balance(wide, dry, 0)
        await set_balance(wide, rich, 100 * ETHER)
        payment = await wide.pay(alice, "@bob", "1 USDX")
        await jobs.relay.run(worker)
        assert (await relayer_of(wide, payment)).address == rich.address
        await wide.settle()

    await set_balance(wide, ONE, 0)
    await set_balance(wide, TWO, 0)
    payment = await wide.pay(alice, "@bob", "1 USDX")
    with pytest.raises(NoRelayer, match=rf"{ONE.address} has 0 wei to spend and needs \d+: send it some"):
        await jobs.relay.run(worker)
    assert (await wide.payment(payment)).state is State.QUEUED

    await set_balance(wide, TWO, ETHER)
    assert await jobs.relay.run(worker)
    assert (await relayer_of(wide, payment)).address == TWO.address


async def test_a_relayer_that_runs_low_says_so_once_well_before_it_is_dry_and_once_when_it_is_filled(
    wide: Town, caplog: pytest.LogCaptureFixture
) -> None:
    fees = await wide.node.fees()
    batch_wei = batches.GAS_MAX * fees.fee_wei_max
    worker = replace(wide.worker(), gas_batches_min=10)

    await set_balance(wide, TWO, 9 * batch_wei)
    await asyncio.gather(*(jobs.gas_balance.run(worker) for _ in range(4)))
    await set_balance(wide, TWO, 11 * batch_wei)  # it goes up and down around the mark
    await jobs.gas_balance.run(worker)

    (low,) = await gateway_events(wide, "relayer.low")
    assert f'"relayer": "{TWO.address}"' in low["payload"]
    said = [one.getMessage() for one in caplog.records if "send it some" in one.getMessage()]
    assert len(said) == 1
    assert TWO.address in said[0]
    await set_balance(wide, TWO, 20 * batch_wei)
    await jobs.gas_balance.run(worker)
    assert len(await gateway_events(wide, "relayer.filled")) == 1
    await set_balance(wide, TWO, 9 * batch_wei)
    await jobs.gas_balance.run(worker)
    assert len(await gateway_events(wide, "relayer.low")) == 2


async def test_what_is_in_no_block_yet_is_counted_as_spent(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    alone = replace(wide.worker(), signers=(ONE,))
    cost = batches.gas_max(1) * (await wide.node.fees()).fee_wei_max
    await set_balance(wide, ONE, cost * 3 // 2)
    await wide.pay(alice, "@bob", "1 USDX")
    assert await jobs.relay.run(alone)
    await wide.pay(alice, "@bob", "1 USDX")

    with pytest.raises(NoRelayer, match="send it some"):
        await jobs.relay.run(alone)


async def test_the_gas_of_deployments_and_grants_is_booked_like_all_other(wide: Town) -> None:
    await wide.person("alice", "10 USDX")
    coin = wide.assets["ETH"]
    async with wide.database.reading() as connection:
        found = await ledger.balances(connection, wide.assets, [account.system_account("gas", coin)])
    (booked,) = found.values()
    spent = 2 * 10_000 * ETHER - sum([await wide.node.balance(signer.address) for signer in wide.signers])

    kinds = await rows(wide, "SELECT DISTINCT kind FROM chain_transaction WHERE state = 'succeeded' ORDER BY kind")
    assert [row["kind"] for row in kinds] == ["deploy", "grant", "mint"]
    assert booked.posted == spent > 0
