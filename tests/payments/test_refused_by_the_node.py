"""What a node answers to a transaction that it does not take is told, and decides nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.chain.node import HttpNode
from gateway.chain.relayer import relayers
from gateway.payments.model.payment import State
from gateway.postgres.pool import Record
from gateway.reconciliation.readiness import Probe
from gateway.worker import jobs
from tests.factory import Town
from tests.other_node import ALREADY, REFUSALS, OtherNode, in_front_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(town: Town) -> AsyncIterator[OtherNode]:
    async with in_front_of(town.chain) as other:
        yield other


async def relayer_row(town: Town) -> Record:
    async with town.database.reading() as connection:
        row = await connection.fetchrow("SELECT refused, refused_nonce, refused_at FROM relayer")
    assert row is not None
    return row


async def shown(town: Town, node: HttpNode) -> str | None:
    async with town.database.reading() as connection:
        (relayer,) = await relayers.read(connection, await node.account_states([town.signer.address]))
    return relayer.refused


async def test_every_clients_refusal_is_kept_logged_once_and_shown_and_the_payment_settles_when_it_ends(
    town: Town, other: OtherNode, caplog: pytest.LogCaptureFixture
) -> None:
    alice, _ = await town.person("alice", "30 USDX"), await town.person("bob")
    node = HttpNode(other.url)
    worker = town.worker(node)

    for words in REFUSALS.values():
        caplog.clear()
        other.refusal = words
        payment = await town.pay(alice, "@bob", "1 USDX")
        await jobs.relay.run(worker)
        for _ in range(3):
            await jobs.resend.run(worker)

        said = [one.getMessage() for one in caplog.records if "refuses" in one.getMessage()]
        assert len(said) == 1
        assert words in said[0]
        assert (await relayer_row(town))["refused"] == words == await shown(town, node)
        ready = await Probe(town.database, node, town.settings).readiness()
        assert (ready.relayers, words in str(ready.reason)) == ("refused", True)
        assert (await town.payment(payment)).state is State.SUBMITTED

        other.refusal = None
        await jobs.resend.run(worker)
        assert await shown(town, node) is None
        await town.settle()
        assert (await town.payment(payment)).state is State.SETTLED
        assert (await Probe(town.database, node, town.settings).readiness()).relayers == "ok"
    await node.close()
    assert await town.differences() == []


async def test_numbers_that_change_make_no_second_line_and_other_words_do(
    town: Town, other: OtherNode, caplog: pytest.LogCaptureFixture
) -> None:
    alice, _ = await town.person("alice", "30 USDX"), await town.person("bob")
    node = HttpNode(other.url)
    worker = town.worker(node)
    await town.pay(alice, "@bob", "1 USDX")
    for words in ("balance 5 at 0xab", "balance 17 at 0xcd", "gas price too low", "gas price too low"):
        other.refusal = words
        await jobs.relay.run(worker)
        await jobs.resend.run(worker)
    await node.close()

    said = [one.getMessage() for one in caplog.records if "refuses" in one.getMessage()]
    assert ["balance 5" in said[0], "too low" in said[1], len(said)] == [True, True, 2]
    assert (await relayer_row(town))["refused_nonce"] == fresh_nonce(said[0])


def fresh_nonce(line: str) -> int:
    return int(line.split("transaction ")[1].split()[0])


@pytest.mark.parametrize("words", [*ALREADY, "something of its own"])
async def test_a_complaint_about_what_the_node_has_already_is_no_refusal(
    town: Town, other: OtherNode, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    alice, _ = await town.person("alice", "30 USDX"), await town.person("bob")
    other.already = words
    node = HttpNode(other.url)
    worker = town.worker(node)
    await town.pay(alice, "@bob", "1 USDX")
    await jobs.relay.run(worker)
    await jobs.resend.run(worker)

    assert await shown(town, node) is None
    assert not [one for one in caplog.records if "refuses" in one.getMessage()]
    await node.close()


async def test_a_replacement_that_the_node_has_makes_the_one_before_no_refusal(town: Town, other: OtherNode) -> None:
    alice, _ = await town.person("alice", "30 USDX"), await town.person("bob")
    node = HttpNode(other.url)
    worker = town.worker(node)
    await town.pay(alice, "@bob", "1 USDX")
    await jobs.relay.run(worker)
    town.chain.rpc("anvil_dropAllTransactions")
    town.chain.rpc("evm_increaseTime", 3600)
    town.chain.mine()
    late = replace(worker, clock=lambda: town.clock() + timedelta(minutes=10))
    await jobs.resend.run(late)  # stores a dearer attempt
    await jobs.resend.run(worker)
    other.already = "something of its own"
    await jobs.resend.run(
        worker
    )  # the node says no to both: a dearer one has the place of the first, and the second it has

    assert other.asked["eth_getTransactionByHash"] > 0
    assert await shown(town, node) is None
    await node.close()


async def test_what_does_not_become_final_is_late(town: Town, other: OtherNode) -> None:
    alice, _ = await town.person("alice", "30 USDX"), await town.person("bob")
    await town.pay(alice, "@bob", "1 USDX")
    await jobs.relay.run(town.worker())
    assert (await Probe(town.database, town.node, town.settings).readiness()).relayers == "ok"

    await town.execute("UPDATE chain_transaction SET created_at = created_at - interval '64 seconds'")

    ready = await Probe(town.database, town.node, town.settings).readiness()
    assert ready.relayers == "late"
    assert "GATEWAY_FINALITY" in str(ready.reason)
