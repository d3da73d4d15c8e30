"""What is not given back on silence: no log and no answer are no proof that nothing was settled."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import HttpNode
from gateway.payments.model.payment import State
from gateway.worker import jobs
from tests.factory import Town

pytestmark = pytest.mark.anyio


class Deaf(HttpNode):
    """A node that has lost the contract's logs, those in receipts and in blooms too."""

    async def logs_of(self, *arguments: Any) -> Any:
        return []

    async def blocks(self, first: int, last: int) -> Any:
        return [replace(one, bloom=0) for one in await super().blocks(first, last)]

    async def receipts(self, *arguments: Any) -> Any:
        return {hash_: replace(one, logs={}) for hash_, one in (await super().receipts(*arguments)).items()}


async def test_what_the_contract_has_used_is_never_given_back_though_no_log_was_seen(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = await town.person("alice", "10 USDX", "5.00 USD"), await town.person("bob")
    deaf = Deaf(town.chain.url)
    worker = town.worker(deaf)
    payment = await town.pay(alice, "@bob", "4 USDX")
    bought = await town.convert(alice, "3.00 USD", "USDX")
    await town.settle_with(worker)

    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(3)
    for _ in range(2):
        await jobs.watch.run(worker)
        town.chain.mine()
    await deaf.close()

    assert (await town.payment(payment)).state is State.SUBMITTED
    assert (await town.conversion(bought)).state is State.SUBMITTED
    assert await town.available(alice, "USDX") == "6.000000 USDX"
    assert await town.available(alice, "USD") == "2.00 USD"
    assert await town.on_chain(bob.address) == "4.000000 USDX"
    said = [record for record in caplog.records if "no log of it was seen" in record.getMessage()]
    assert len(said) == 2  # each once
    async with town.database.reading() as connection:
        reasons = await connection.fetch("SELECT reason FROM token_authorization WHERE state = 'submitted'")
    assert [row["reason"] for row in reasons] == ["used_without_a_log"] * 2


async def test_nothing_expires_while_the_contract_does_not_answer(town: Town) -> None:
    class Mute(HttpNode):
        async def calls(self, *arguments: Any) -> Any:
            raise NodeUnavailable("not now")

    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(2)
    mute = Mute(town.chain.url)

    assert await jobs.watch.run(town.worker(mute))  # the rest of the block range is written all the same
    await mute.close()

    assert (await town.payment(payment)).state is State.QUEUED
    town.chain.mine()
    await jobs.watch.run(town.worker())
    assert (await town.payment(payment)).state is State.FAILED


async def test_a_mint_that_was_never_made_ends_and_can_never_be_made_afterwards(town: Town) -> None:
    alice = await town.person("alice", "10.00 USD")
    await town.command("pause")
    bought = await town.convert(alice, "4.00 USD", "USDX")
    await town.settle()
    assert (await town.conversion(bought)).state is State.QUEUED

    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(2)
    await jobs.watch.run(town.worker())

    failed = await town.conversion(bought)
    assert (failed.state, failed.failure) == (State.FAILED, "expired")
    assert await town.available(alice, "USD") == "10.00 USD"
    await town.command("unpause")
    await town.settle()
    assert await town.on_chain(alice.address) == "0.000000 USDX"
    assert await town.differences() == []


async def test_a_mint_that_a_stored_transaction_may_still_make_is_not_given_back(town: Town) -> None:
    alice = await town.person("alice", "10.00 USD")
    bought = await town.convert(alice, "4.00 USD", "USDX")
    await jobs.relay.run(town.worker())
    town.chain.rpc("anvil_dropAllTransactions")
    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(2)

    await jobs.watch.run(town.worker())

    assert (await town.conversion(bought)).state is State.SUBMITTED
    await town.settle()
    assert (await town.conversion(bought)).state is State.SETTLED
    assert await town.differences() == []


async def test_a_key_that_does_not_open_costs_its_owners_payment_alone(town: Town) -> None:
    alice, carol = await town.person("alice", "10 USDX"), await town.person("carol", "10 USDX")
    await town.person("bob")
    async with town.database.transaction() as connection:
        await connection.execute(
            "UPDATE encrypted_key SET ciphertext = ciphertext || '\\x00'::bytea WHERE wallet_id = $1", alice.id
        )
    lost, good = await town.pay(alice, "@bob", "1 USDX"), await town.pay(carol, "@bob", "2 USDX")

    await town.settle()

    failed = await town.payment(lost)
    assert (failed.state, failed.failure) == (State.FAILED, "key_unreadable")
    assert await town.available(alice, "USDX") == "10.000000 USDX"
    assert (await town.payment(good)).state is State.SETTLED
    assert await town.differences() == []
