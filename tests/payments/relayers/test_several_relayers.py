"""Several relayers, shared by any number of workers: each nonce is used once and in order."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import HttpNode
from gateway.chain.relayer import relayers
from gateway.chain.relayer.relayers import Relayer
from gateway.payments.model.payment import State
from gateway.worker import jobs
from tests.factory import NOW, Town
from tests.payments.relayers.conftest import ONE, TWO, Recording, handed_nonces, relayer_of, rows, states
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio


async def test_workers_with_the_same_keys_use_each_nonce_once_and_in_order_and_settle_everything(wide: Town) -> None:
    payers = [await wide.person(f"payer_{n}", "60 USDX", "20.00 USD") for n in range(3)]
    await wide.person("bob")
    handed: list[bytes] = []
    nodes = [Recording(wide.chain.url, handed) for _ in range(4)]
    workers = [wide.worker(node) for node in nodes]
    payments, conversions = [], []

    for _ in range(12):
        for payer in payers:
            payments.append(await wide.pay(payer, "@bob", "1 USDX"))
            conversions.append(await wide.convert(payer, "1.00 USD", "USDX"))
        await asyncio.gather(
            *(jobs.relay.run(worker) for worker in workers), *(jobs.resend.run(worker) for worker in workers)
        )
        wide.chain.mine()
        await asyncio.gather(*(jobs.watch.run(worker) for worker in workers))
    await wide.settle()
    for node in nodes:
        await node.close()

    assert await states(wide, payments) == {State.SETTLED}
    assert {(await wide.conversion(one)).state for one in conversions} == {State.SETTLED}
    for signer in wide.signers:
        ours = await rows(
            wide, "SELECT nonce, state FROM chain_transaction WHERE relayer = $1 ORDER BY nonce", signer.address
        )
        first = ours[0]["nonce"]
        assert [row["nonce"] for row in ours] == list(range(first, first + len(ours)))
        assert {row["state"] for row in ours} == {"succeeded"}
        assert await wide.node.transaction_count(signer.address, "latest") == first + len(ours)
    by_relayer = await handed_nonces(wide, handed)
    assert by_relayer.keys() == {ONE.address, TWO.address}
    assert sum(map(len, by_relayer.values())) >= 24
    assert all(nonces == list(range(nonces[0], nonces[0] + len(nonces))) for nonces in by_relayer.values())
    assert await wide.differences() == []


class Cut(HttpNode):
    """A node that the worker does not live to send to."""

    async def send(self, raw: bytes) -> str | None:
        raise NodeUnavailable("the worker was killed")


async def test_what_a_killed_worker_stored_is_sent_before_what_comes_after_it(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    cut, handed = Cut(town.chain.url), list[bytes]()
    payments = [await town.pay(alice, "@bob", "1 USDX")]
    with pytest.raises(NodeUnavailable):
        await jobs.relay.run(town.worker(cut))
    await cut.close()

    payments.append(await town.pay(alice, "@bob", "1 USDX"))
    node = Recording(town.chain.url, handed)
    await jobs.relay.run(town.worker(node))
    await node.close()

    (nonces,) = (await handed_nonces(town, handed)).values()
    assert len(nonces) == 2
    assert nonces == sorted(nonces)
    town.chain.mine(2)
    await jobs.watch.run(town.worker())
    assert await states(town, payments) == {State.SETTLED}
    assert await town.differences() == []


async def test_a_taken_relayer_is_not_waited_for(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")

    for taken, other in ((ONE, TWO), (TWO, ONE)):
        payment = await wide.pay(alice, "@bob", "1 USDX")
        async with wide.database.transaction() as busy:
            await relayers.lock(busy, taken.address)
            await asyncio.wait_for(jobs.relay.run(wide.worker()), HANG_SECONDS)
        assert (await relayer_of(wide, payment)).address == other.address
        await wide.settle()


async def test_a_worker_leaves_relayers_whose_keys_it_has_not_to_others_but_concludes_them(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    only_one, only_two = (replace(wide.worker(), signers=(signer,)) for signer in wide.signers)
    payments = []
    for _ in range(3):
        payments.append(await wide.pay(alice, "@bob", "1 USDX"))
        assert await jobs.relay.run(only_one)
    assert {(await relayer_of(wide, payment)).address for payment in payments} == {ONE.address}

    wide.chain.mine(2)
    await jobs.watch.run(only_two)

    assert await states(wide, payments) == {State.SETTLED}
    assert await rows(wide, "SELECT FROM chain_transaction WHERE state = 'stored'") == []


async def test_the_relayer_with_least_open_is_next_and_a_full_one_is_not(wide: Town) -> None:
    alice = await wide.person("alice", "40 USDX")
    await wide.person("bob")
    payments = []
    for _ in range(2 * relayers.OPEN_MAX):
        payments.append(await wide.pay(alice, "@bob", "1 USDX"))
        assert await jobs.relay.run(wide.worker())
    late = await wide.pay(alice, "@bob", "1 USDX")

    assert not await jobs.relay.run(wide.worker())

    carriers = [(await relayer_of(wide, payment)).address for payment in payments]
    assert {carriers.count(signer.address) for signer in wide.signers} == {relayers.OPEN_MAX}
    assert all(first != second for first, second in zip(carriers[::2], carriers[1::2], strict=True))
    await wide.settle()
    assert await states(wide, [*payments, late]) == {State.SETTLED}


async def test_one_worker_at_a_time_looks_after_a_relayer(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    await wide.pay(alice, "@bob", "1 USDX")
    await jobs.relay.run(wide.worker())
    wide.chain.rpc("anvil_dropAllTransactions")
    handed: list[bytes] = []
    node = Recording(wide.chain.url, handed)
    patient = replace(wide.worker(node), resend_every=timedelta(hours=1))
    async with wide.database.transaction() as connection:
        await connection.execute("UPDATE relayer SET resent_at = NULL")

    await asyncio.gather(*(jobs.resend.run(patient) for _ in range(8)))
    await node.close()

    assert len(handed) == 1


def test_a_relayer_is_chosen_by_what_it_has_open_and_not_at_all_where_it_cannot_carry() -> None:
    def relayer(name: str, **fields: Any) -> Relayer:
        return replace(Relayer(name, 5, None, False, 5, 0, 0, NOW, 100, 100), **fields)

    idle, busy = relayer("0xB"), relayer("0xA", open=3)
    unfit = [relayer("0xC", stopped="why"), relayer("0xD", left_wei=9), relayer("0xE", mined=6)]
    full = relayer("0xF", open=relayers.OPEN_MAX)

    assert relayers.available([full, busy, *unfit, idle], 10) == [idle, busy]
    assert [relayers.unfit_reason(one, 10) is None for one in (idle, busy, full, *unfit)] == [True] * 3 + [False] * 3
