"""A relayer is stopped when others have used its nonces: what it carried is settled by another, until it is resumed."""

from dataclasses import replace

import pytest

from gateway.chain.errors import RelayerNotResumable
from gateway.chain.relayer import nonce_conflicts
from gateway.payments.model.payment import State
from gateway.worker import jobs
from tests.factory import Town
from tests.payments.relayers.conftest import (
    ONE,
    TWO,
    gateway_events,
    look_twice,
    relayer_of,
    rows,
    states,
    use_elsewhere,
)

pytestmark = pytest.mark.anyio


async def test_what_a_stopped_relayer_carried_is_settled_by_another_at_once(
    wide: Town, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await wide.person("alice", "20 USDX")
    await wide.person("bob")
    payments = [await wide.pay(alice, "@bob", "1 USDX")]
    await jobs.relay.run(wide.worker())
    relayer = await relayer_of(wide, payments[0])
    alone = replace(wide.worker(), signers=(relayer,))
    payments.append(await wide.pay(alice, "@bob", "1 USDX"))
    await jobs.relay.run(alone)  # a second one behind the first
    await use_elsewhere(wide, relayer)

    await jobs.resend.run(wide.worker())
    assert await states(wide, payments) == {State.SUBMITTED}
    await look_twice(wide)
    await look_twice(wide)

    (stopped,) = await rows(wide, "SELECT address, stopped FROM relayer WHERE stopped IS NOT NULL")
    assert stopped["address"] == relayer.address
    assert len(await gateway_events(wide, "relayer.stopped")) == 1
    assert sum(f"gateway relayers resume {relayer.address}" in one.getMessage() for one in caplog.records) == 1
    await wide.settle()
    assert await states(wide, payments) == {State.SETTLED}
    assert {(await relayer_of(wide, payment)).address for payment in payments} == {
        signer.address for signer in wide.signers if signer is not relayer
    }
    assert await wide.differences() == []


async def test_a_resumed_relayer_sends_what_it_still_has_and_nothing_is_settled_twice(wide: Town) -> None:
    alice, bob = await wide.person("alice", "20 USDX"), await wide.person("bob")
    payments = [await wide.pay(alice, "@bob", "1 USDX")]
    await jobs.relay.run(wide.worker())
    relayer = await relayer_of(wide, payments[0])
    payments.append(await wide.pay(alice, "@bob", "1 USDX"))
    await jobs.relay.run(replace(wide.worker(), signers=(relayer,)))
    await use_elsewhere(wide, relayer)
    await look_twice(wide)
    await wide.settle()

    count = await nonce_conflicts.resumable(wide.database, wide.node, 31337, relayer.address, wide.FINALITY)
    async with wide.database.transaction() as connection:
        assert await nonce_conflicts.resume(connection, relayer.address, count) == 0  # ended when it was stopped
    payments.append(await wide.pay(alice, "@bob", "1 USDX"))
    await jobs.relay.run(replace(wide.worker(), signers=(relayer,)))
    await wide.settle()

    assert await states(wide, payments) == {State.SETTLED}
    assert await wide.on_chain(bob.address) == "3.000000 USDX"
    ends = await rows(wide, "SELECT state FROM chain_transaction WHERE relayer = $1 ORDER BY nonce", relayer.address)
    assert [row["state"] for row in ends[-3:]] == ["overtaken", "succeeded", "succeeded"]
    assert await wide.differences() == []


async def test_a_mint_waits_for_its_stopped_relayer_unless_it_was_overtaken(wide: Town) -> None:
    alice, carol = await wide.person("alice", "10.00 USD"), await wide.person("carol", "10.00 USD")
    overtaken = await wide.convert(alice, "1.00 USD", "USDX")
    relayer = wide.signers[0]
    alone = replace(wide.worker(), signers=(relayer,))
    await jobs.relay.run(alone)
    behind = await wide.convert(carol, "2.00 USD", "USDX")
    await jobs.relay.run(alone)
    await use_elsewhere(wide, relayer)  # type: ignore[arg-type] # both are RelayerSigners
    await look_twice(wide)

    await wide.settle()
    assert (await wide.conversion(overtaken)).state is State.SETTLED
    assert (await wide.conversion(behind)).state is State.SUBMITTED

    count = await nonce_conflicts.resumable(wide.database, wide.node, 31337, relayer.address, wide.FINALITY)
    async with wide.database.transaction() as connection:
        await nonce_conflicts.resume(connection, relayer.address, count)
    await wide.settle()
    assert (await wide.conversion(behind)).state is State.SETTLED
    assert await wide.on_chain(alice.address) == "1.000000 USDX"
    assert await wide.on_chain(carol.address) == "2.000000 USDX"
    assert await wide.differences() == []


async def test_a_nonce_that_others_used_while_the_relayer_had_nothing_open_stops_it_before_it_carries_anything(
    wide: Town,
) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    await use_elsewhere(wide, TWO)
    payments = [await wide.pay(alice, "@bob", "1 USDX") for _ in range(2)]

    assert not await jobs.relay.run(wide.worker())  # it could be a batch of ours that this database does not know
    wide.chain.mine(1 + wide.FINALITY)
    while await jobs.watch.run(wide.worker()):
        pass
    await jobs.relay.run(wide.worker())
    await look_twice(wide)

    assert {(await relayer_of(wide, payment)).address for payment in payments} == {ONE.address}
    (stopped,) = await rows(wide, "SELECT address FROM relayer WHERE stopped IS NOT NULL")
    assert stopped["address"] == TWO.address


async def test_a_relayer_is_resumed_only_when_the_ledger_has_what_stopped_it(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    payment = await wide.pay(alice, "@bob", "1 USDX")
    await jobs.relay.run(wide.worker())
    relayer = await relayer_of(wide, payment)

    async def resumable() -> int:
        return await nonce_conflicts.resumable(wide.database, wide.node, 31337, relayer.address, wide.FINALITY)

    with pytest.raises(RelayerNotResumable, match="it is not stopped"):
        await resumable()
    await use_elsewhere(wide, relayer)
    await look_twice(wide)
    with pytest.raises(RelayerNotResumable, match="let a worker read on first"):
        await resumable()
    await jobs.watch.run(wide.worker())
    assert await resumable() == await wide.node.transaction_count(relayer.address, "latest")
