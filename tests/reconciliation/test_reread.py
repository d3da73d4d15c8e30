"""Final blocks that were read from a node that said nothing of what was in them, read again."""

from typing import Any

import pytest
from eth_account import Account

from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import HttpNode
from gateway.errors import InvalidRequest
from gateway.identity.wallet import Wallet
from gateway.payments.model.payment import State
from gateway.reconciliation import reread
from gateway.worker import jobs
from tests.factory import Town
from tests.payments.test_silence import Deaf
from tests.reconciliation.test_monitor import cursor, frozen, rows

pytestmark = pytest.mark.anyio

STRANGER_KEY = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
OTHER_STRANGER = "0x" + 40 * "1"
STRANGER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def read_deaf(town: Town) -> None:
    """All that is final is read from a node that leaves everything out."""
    deaf = Deaf(town.chain.url)
    worker = town.worker(deaf)
    while await jobs.watch.run(worker):
        pass
    await deaf.close()


async def read_again(town: Town, first: int, last: int) -> int:
    return (await reread.reread(town.database, town.node, town.settings, first, last, town.clock)).posted


async def look(town: Town) -> None:
    """A look at every wallet, without a suspicion made older than it is."""
    await town.execute("UPDATE reconciliation_run SET all_at = NULL")
    await jobs.reconcile.run(town.worker())


async def test_a_payment_a_deposit_and_a_purchase_that_were_left_out_are_posted_once_and_no_more(town: Town) -> None:
    alice, bob = await town.person("alice", "20 USDX", "5.00 USD"), await town.person("bob")
    await town.pay(alice, STRANGER, "5 USDX")
    await town.settle()
    before = await cursor(town)
    payment = await town.pay(alice, "@bob", "4 USDX")
    bought = await town.convert(alice, "3.00 USD", "USDX")
    worker = town.worker()
    while await jobs.relay.run(worker):
        pass
    await town.send_with(STRANGER_KEY, bob.address, "2 USDX")
    town.chain.mine(2)
    await read_deaf(town)
    assert (await town.payment(payment)).state is State.SUBMITTED

    posted = [await read_again(town, before + 1, await cursor(town)) for _ in range(3)]

    assert posted == [3, 0, 0]
    assert (await town.payment(payment)).state is State.SETTLED
    assert (await town.conversion(bought)).state is State.SETTLED
    assert await town.available(bob, "USDX") == "6.000000 USDX"
    assert await read_again(town, 1, await cursor(town)) == 0  # what was read well is left as it is
    assert await town.differences() == []


async def test_a_difference_that_a_left_out_log_made_is_put_right_before_anything_is_frozen(town: Town) -> None:
    alice, bob = await town.person("alice", "20 USDX", "5.00 USD"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    bought = await town.convert(alice, "3.00 USD", "USDX")
    worker = town.worker()
    while await jobs.relay.run(worker):
        pass
    town.chain.mine(2)
    await read_deaf(town)

    for _ in range(5):
        await look(town)

    assert (await town.payment(payment)).state is State.SETTLED
    assert (await town.conversion(bought)).state is State.SETTLED
    assert await town.available(bob, "USDX") == "4.000000 USDX"
    assert await frozen(town) == []
    assert await rows(town, "SELECT * FROM difference") == []
    assert await town.differences() == []


async def test_a_node_that_cannot_search_keeps_no_difference_from_being_believed(town: Town) -> None:
    class Short(HttpNode):
        async def transfer_logs(self, *arguments: Any) -> Any:
            raise NodeUnavailable("not so many blocks")

    alice = await town.person("alice", "10 USDX")
    await town.set_balance(alice.address, "7 USDX")
    while await jobs.watch.run(town.worker()):
        pass
    short = Short(town.chain.url)
    for _ in range(2):
        await town.execute("UPDATE reconciliation_run SET all_at = NULL")
        await jobs.reconcile.run(town.worker(short))
    await short.close()

    assert await frozen(town) == ["USDX"]


async def test_what_moved_before_an_address_was_bound_is_not_posted_beside_what_lay_there(town: Town) -> None:
    own = Account.from_key(STRANGER_KEY)
    alice, carol = await town.person("alice", "20 USDX"), await town.person("carol")
    await town.pay(alice, OTHER_STRANGER, "8 USDX")
    await town.settle()
    first = await cursor(town)
    payment = await town.pay(alice, own.address, "5 USDX")
    await jobs.relay.run(town.worker())
    town.chain.mine(2)
    await read_deaf(town)
    bound: Wallet = await town.bind(carol, own)
    assert await town.available(bound, "USDX") == "5.000000 USDX"

    assert await read_again(town, first + 1, await cursor(town)) == 1

    assert (await town.payment(payment)).state is State.SETTLED
    assert await town.available(bound, "USDX") == "5.000000 USDX"
    assert await town.available(alice, "USDX") == "7.000000 USDX"
    assert await town.differences() == []


async def test_blocks_that_are_not_in_the_ledger_are_not_read_again(town: Town) -> None:
    town.chain.mine(3)
    await town.settle()
    last = await cursor(town)

    for first, to in ((0, 1), (last, last + 1), (1, last + 600)):
        with pytest.raises(InvalidRequest, match=f"blocks 1 to {last} are in the ledger"):
            await read_again(town, first, to)
    with pytest.raises(InvalidRequest, match="block 1 is before block 2"):
        await read_again(town, 2, 1)
