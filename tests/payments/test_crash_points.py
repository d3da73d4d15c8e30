"""The token payment's journey, cut at every point where it can be cut: it settles once, or not at all.

What is cut: the node (which does not answer, or takes what it is sent and then does not answer), the signer, and the
worker itself, killed before or after each of its commits. Afterwards an ordinary worker goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.chain.signer import TransactionFields
from gateway.errors import NodeUnavailable
from gateway.payments.payment import State
from gateway.postgres import Connection, Database
from gateway.wallets.wallet import Wallet
from gateway.worker import Worker
from tests.factory import Town

pytestmark = pytest.mark.anyio


class Killed(Exception):
    """The worker was killed here."""


@dataclass
class Countdown:
    """Reaches zero at the n-th call; `reached` tells whether it ever did."""

    left: int
    reached: bool = False

    def strikes(self) -> bool:
        self.left -= 1
        self.reached |= self.left == 0
        return self.left == 0


class FailingNode:
    """A node that fails once, at its n-th call: before it does what it was asked, or after."""

    def __init__(self, node: Any, countdown: Countdown, after: bool) -> None:
        self._node, self._countdown, self._after = node, countdown, after

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            strikes = self._countdown.strikes()
            if strikes and not self._after:
                raise NodeUnavailable("cut before it was asked")
            answer = await getattr(self._node, name)(*arguments, **named)
            if strikes:
                raise NodeUnavailable("cut after it had done what it was asked")
            return answer

        return call


class KillingDatabase(Database):
    """A database whose client is killed once, at its n-th transaction: before it commits, or after."""

    def __init__(self, database: Database, countdown: Countdown, after: bool) -> None:
        self._pool = database._pool
        self._countdown, self._after = countdown, after

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        strikes = self._countdown.strikes()
        async with super().transaction() as connection:
            yield connection
            if strikes and not self._after:
                raise Killed
        if strikes:
            raise Killed


class FailingSigner:
    """A signer that fails once, at its n-th signature."""

    def __init__(self, signer: Any, countdown: Countdown) -> None:
        self._signer, self._countdown = signer, countdown

    @property
    def address(self) -> str:
        return str(self._signer.address)

    def sign_transaction(self, fields: TransactionFields) -> tuple[bytes, bytes]:
        if self._countdown.strikes():
            raise Killed
        signed: tuple[bytes, bytes] = self._signer.sign_transaction(fields)
        return signed


async def journey(town: Town, worker: Worker) -> tuple[Wallet, Wallet, State]:
    """Alice pays Bob with a worker that is cut somewhere; then an ordinary worker goes on until all is quiet."""
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    for _ in range(3):
        for step in (worker.relay, worker.resend, worker.watch):
            try:
                await step()
            except (NodeUnavailable, Killed):
                continue
        town.chain.mine()
    await town.settle()
    return alice, bob, (await town.payment(payment)).state


async def settled_once(town: Town, alice: Wallet, bob: Wallet, state: State) -> None:
    assert state is State.SETTLED
    contract = town.terms.contracts["USDX"]
    transfers = [
        log
        for log in await town.node.logs([contract.address], 0, town.chain.head())
        if len(log.topics) == 3 and log.topics[1][12:] == bytes.fromhex(alice.address[2:])
        if log.topics[2][12:] == bytes.fromhex(bob.address[2:])
    ]
    assert len(transfers) == 1
    assert await town.available(alice, "USDX") == "6.000000 USDX" == await town.on_chain(alice.address)
    assert await town.available(bob, "USDX") == "4.000000 USDX" == await town.on_chain(bob.address)
    assert await town.differences() == []


#: How often an uncut journey asks the node, and opens a transaction.
CALLS, TRANSACTIONS = 33, 4


async def test_every_call_and_every_transaction_of_the_journey_is_cut_below(town: Town) -> None:
    calls, transactions = Countdown(1000), Countdown(1000)
    node = FailingNode(town.node, calls, after=False)
    database = KillingDatabase(town.database, transactions, after=False)

    await journey(town, replace(town.worker(), node=node, database=database))

    assert (1000 - calls.left, 1000 - transactions.left) == (CALLS, TRANSACTIONS)


@pytest.mark.parametrize("after", [False, True], ids=["unasked", "done and unanswered"])
@pytest.mark.parametrize("n", range(1, CALLS + 1))
async def test_it_settles_once_though_the_node_fails_at_call(town: Town, n: int, after: bool) -> None:
    countdown = Countdown(n)

    outcome = await journey(town, replace(town.worker(), node=FailingNode(town.node, countdown, after)))

    assert countdown.reached
    await settled_once(town, *outcome)


@pytest.mark.parametrize("after", [False, True], ids=["before its commit", "after its commit"])
@pytest.mark.parametrize("n", range(1, TRANSACTIONS + 1))
async def test_it_settles_once_though_the_worker_is_killed_at_transaction(town: Town, n: int, after: bool) -> None:
    countdown = Countdown(n)

    outcome = await journey(town, replace(town.worker(), database=KillingDatabase(town.database, countdown, after)))

    assert countdown.reached
    await settled_once(town, *outcome)


async def test_it_settles_once_though_the_relayers_key_fails_to_sign(town: Town) -> None:
    countdown = Countdown(1)

    outcome = await journey(town, replace(town.worker(), signer=FailingSigner(town.signer, countdown)))

    assert countdown.reached
    await settled_once(town, *outcome)


async def test_it_settles_once_though_the_vault_fails_to_open_the_payers_key(town: Town) -> None:
    class FailingVault:
        def __init__(self) -> None:
            self.countdown = Countdown(1)

        def sign(self, *arguments: Any) -> bytes:
            if self.countdown.strikes():
                raise Killed
            return town.vault.sign(*arguments)

    vault = FailingVault()

    outcome = await journey(town, replace(town.worker(), vault=vault))  # type: ignore[arg-type] # it only signs

    assert vault.countdown.reached
    await settled_once(town, *outcome)


async def test_two_workers_at_once_settle_each_payment_once(town: Town) -> None:
    alice, bob = await town.person("alice", "50 USDX"), await town.person("bob")
    payments = [await town.pay(alice, "@bob", "1 USDX") for _ in range(30)]
    workers = [town.worker() for _ in range(4)]

    for _ in range(6):
        await asyncio.gather(*(worker.relay() for worker in workers))
        town.chain.mine()
        await asyncio.gather(*(worker.watch() for worker in workers))
    await town.settle()

    assert {(await town.payment(payment)).state for payment in payments} == {State.SETTLED}
    assert await town.available(bob, "USDX") == "30.000000 USDX" == await town.on_chain(bob.address)
    assert await town.differences() == []
