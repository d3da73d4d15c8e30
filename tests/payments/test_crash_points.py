"""The journey of a token payment, a mint and a redemption, cut wherever it can be cut: each settles once, all the same.

What is cut: the node (which does not answer, or takes what it is sent and then does not answer), the signer, and the
worker itself, killed before or after each of its commits. Afterwards an ordinary worker goes on.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_hash.auto import keccak

from gateway.address import ZERO
from gateway.chain.errors import NodeUnavailable
from gateway.identity.wallet import Wallet
from gateway.payments.model.conversion import Conversion
from gateway.payments.model.payment import Payment, State
from gateway.worker import jobs
from gateway.worker.worker import Worker
from tests.cuts import CutDatabase, CutNode, CutSigner, Fate, Killed
from tests.factory import Town

pytestmark = pytest.mark.anyio


@dataclass
class Once(Fate):
    """A fate that raises `error` at the n-th point told to it, before it or after; `reached` tells whether it did."""

    left: int = 0
    error: type[Exception] = Killed
    done: bool = False  #: Whether it strikes after what it was told of.
    reached: bool = False

    def strikes(self) -> bool:
        self.left -= 1
        self.reached |= self.left == 0
        return self.left == 0

    async def before(self, what: str) -> None:
        if self.strikes() and not self.done:
            raise self.error

    async def after(self, what: str) -> None:
        if self.left == 0 and self.done:
            raise self.error

    def signs(self) -> None:
        if self.strikes():
            raise self.error


class Unanswered(NodeUnavailable):
    """The node did not answer here."""

    def __init__(self) -> None:
        super().__init__("cut")


@dataclass(frozen=True)
class Journey:
    """A payment, a mint and a redemption, each of people of their own, on their way at the same time."""

    alice: Wallet  #: Has 10 USDX and pays Bob four.
    bob: Wallet
    carol: Wallet  #: Has 10.00 USD and buys three.
    dave: Wallet  #: Has 10 USDX and redeems five.
    payment: Payment
    mint: Conversion
    redemption: Conversion


async def begin(town: Town, n: int) -> Journey:
    """The people of the n-th journey, and what they ask for."""
    alice, bob = await town.person(f"alice_{n}", "10 USDX"), await town.person(f"bob_{n}")
    carol, dave = await town.person(f"carol_{n}", "10.00 USD"), await town.person(f"dave_{n}", "10 USDX")
    return Journey(
        alice,
        bob,
        carol,
        dave,
        await town.pay(alice, f"@bob_{n}", "4 USDX"),
        await town.convert(carol, "3.00 USD", "USDX"),
        await town.convert(dave, "5 USDX", "USD"),
    )


async def cut(town: Town, worker: Worker) -> None:
    """A worker that is cut somewhere does its steps; then an ordinary worker goes on until all is quiet."""
    for _ in range(3):
        for job in (jobs.relay, jobs.resend, jobs.watch):
            try:
                await job.run(worker)
            except (NodeUnavailable, Killed):
                continue
        town.chain.mine()
    await town.settle()


async def settled_once(town: Town, journey: Journey) -> None:
    alice, bob, carol, dave = (one.address for one in (journey.alice, journey.bob, journey.carol, journey.dave))
    assert (await town.payment(journey.payment)).state is State.SETTLED
    assert (await town.conversion(journey.mint)).state is State.SETTLED
    assert (await town.conversion(journey.redemption)).state is State.SETTLED
    assert await transfers(town, alice, bob) == await transfers(town, ZERO, carol) == 1
    assert await transfers(town, dave, ZERO) == 1
    assert await town.available(journey.alice, "USDX") == "6.000000 USDX" == await town.on_chain(alice)
    assert await town.available(journey.bob, "USDX") == "4.000000 USDX" == await town.on_chain(bob)
    assert await town.available(journey.carol, "USDX") == "3.000000 USDX" == await town.on_chain(carol)
    assert await town.available(journey.carol, "USD") == "7.00 USD"
    assert await town.available(journey.dave, "USDX") == "5.000000 USDX" == await town.on_chain(dave)
    assert await town.available(journey.dave, "USD") == "5.00 USD"
    assert await town.differences() == []


async def transfers(town: Town, payer: str, payee: str) -> int:
    """How many Transfer logs there are from the one to the other."""
    logs = await town.node.logs([town.settings.contracts["USDX"].address], 0, town.chain.head())
    ends = [bytes.fromhex(payer[2:]), bytes.fromhex(payee[2:])]
    return sum(log.topics[0] == TRANSFER and [topic[12:] for topic in log.topics[1:]] == ends for log in logs)


TRANSFER = keccak(b"Transfer(address,address,uint256)")

#: How often an uncut journey asks the node, opens a transaction and signs one.
CALLS, TRANSACTIONS, SIGNATURES = 40, 4, 2

#: How many journeys, each of other people, are cut in one town: a town takes longer to found than a journey.
_IN_ONE_TOWN = 12


def cuts(maximum: int) -> list[range]:
    return [range(first, min(first + _IN_ONE_TOWN, maximum + 1)) for first in range(1, maximum + 1, _IN_ONE_TOWN)]


async def test_every_call_every_transaction_and_every_signature_of_a_journey_is_cut_below(town: Town) -> None:
    calls, transactions, signatures = Once(left=1000), Once(left=1000), Once(left=1000)
    await begin(town, 0)

    await cut(
        town,
        replace(
            town.worker(),
            node=CutNode(town.node, calls),
            database=CutDatabase(town.database, transactions),
            signers=(CutSigner(town.signer, signatures),),
        ),
    )

    counted = (1000 - calls.left, 1000 - transactions.left, 1000 - signatures.left)
    assert counted == (CALLS, TRANSACTIONS, SIGNATURES)


@pytest.mark.parametrize("after", [False, True], ids=["unasked", "done and unanswered"])
@pytest.mark.parametrize("calls", cuts(CALLS), ids=str)
async def test_it_settles_once_though_the_node_fails_at_call(town: Town, calls: range, after: bool) -> None:
    for n in calls:
        fate, journey = Once(left=n, error=Unanswered, done=after), await begin(town, n)

        await cut(town, replace(town.worker(), node=CutNode(town.node, fate)))

        assert fate.reached, n
        await settled_once(town, journey)


@pytest.mark.parametrize("after", [False, True], ids=["before its commit", "after its commit"])
async def test_it_settles_once_though_the_worker_is_killed_at_transaction(town: Town, after: bool) -> None:
    for n in range(1, TRANSACTIONS + 1):
        fate, journey = Once(left=n, done=after), await begin(town, n)

        await cut(town, replace(town.worker(), database=CutDatabase(town.database, fate)))

        assert fate.reached, n
        await settled_once(town, journey)


async def test_it_settles_once_though_the_relayers_key_fails_to_sign(town: Town) -> None:
    for n in range(1, SIGNATURES + 1):
        fate, journey = Once(left=n), await begin(town, n)

        await cut(town, replace(town.worker(), signers=(CutSigner(town.signer, fate),)))

        assert fate.reached, n
        await settled_once(town, journey)


async def test_it_settles_once_though_the_vault_fails_to_open_the_payers_key(town: Town) -> None:
    class FailingVault:
        def __init__(self) -> None:
            self.fate = Once(left=1)

        def sign(self, *arguments: Any) -> bytes:
            self.fate.signs()
            return town.vault.sign(*arguments)

    vault, journey = FailingVault(), await begin(town, 0)

    await cut(town, replace(town.worker(), vault=vault))  # type: ignore[arg-type] # it only signs

    assert vault.fate.reached
    await settled_once(town, journey)


async def test_two_workers_at_once_settle_each_payment_once(town: Town) -> None:
    alice, bob = await town.person("alice", "50 USDX"), await town.person("bob")
    payments = [await town.pay(alice, "@bob", "1 USDX") for _ in range(30)]
    workers = [town.worker() for _ in range(4)]

    for _ in range(6):
        await asyncio.gather(*(jobs.relay.run(worker) for worker in workers))
        town.chain.mine()
        await asyncio.gather(*(jobs.watch.run(worker) for worker in workers))
    await town.settle()

    assert {(await town.payment(payment)).state for payment in payments} == {State.SETTLED}
    assert await town.available(bob, "USDX") == "30.000000 USDX" == await town.on_chain(bob.address)
    assert await town.differences() == []
