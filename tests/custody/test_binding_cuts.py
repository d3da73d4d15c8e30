"""A binding and what follows its wallet, cut wherever it can be cut, and gone on with: all arrives, and once."""

import pytest
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from gateway.audit.log import ANYONE
from gateway.chain.errors import NodeUnavailable
from gateway.custody import bind
from gateway.identity.wallet import Wallet
from gateway.worker import jobs
from gateway.worker.worker import Worker
from tests.custody.test_binding import STRANGER, a_key
from tests.cuts import CutDatabase, CutNode, Fate, Killed
from tests.factory import Town
from tests.payments.test_addresses import transfer
from tests.payments.test_crash_points import Once, Unanswered

pytestmark = pytest.mark.anyio

#: Fewer points than this in a journey, and it is no longer the one that was meant.
POINTS_MIN = 30


async def binds(town: Town, of: Wallet, key: LocalAccount, text: str, fate: Fate) -> None:
    signed = bytes(key.sign_message(encode_defunct(text=text)).signature)
    database, node = CutDatabase(town.database, fate), CutNode(town.node, fate)
    await bind.bind(database, node, town.settings, of, text, signed, ANYONE, town.clock())  # type: ignore[arg-type]


async def works(town: Town, fate: Fate) -> None:
    """A worker relays what is queued, reads what is final, and brings what is left, until nothing is."""
    worker: Worker = town.worker(CutNode(town.node, fate))  # type: ignore[arg-type]
    object.__setattr__(worker, "database", CutDatabase(town.database, fate))
    while True:
        relayed = await jobs.relay.run(worker)
        await jobs.resend.run(worker)
        town.chain.mine(1 + town.FINALITY)
        while await jobs.watch.run(worker):
            pass
        if not await jobs.sweep.run(worker) and not relayed:
            return


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_wherever_a_binding_is_cut_the_tokens_arrive_at_the_owners_address_once(town: Town, done: bool) -> None:
    at, reached = 0, True
    while reached:
        at += 1
        fate = Once(left=at, done=done, error=Killed if at % 2 else Unanswered)
        alice, key = await town.person(f"alice_{at}", "10 USDX"), a_key()
        text = await town.challenge(alice, key.address)

        for cut in (fate, Fate()):
            try:
                await binds(town, alice, key, text, cut)
                if cut is fate:
                    await transfer(town, alice.address, STRANGER, 4_000_000)
                await works(town, cut)
            except (Killed, NodeUnavailable):
                assert cut is fate
        await works(town, Fate())
        reached = fate.reached

        left = await town.on_chain(key.address)
        taken = await town.on_chain(alice.address)
        assert (await town.available(alice, "USDX"), taken) == (left, "0.000000 USDX"), at
        assert left in ("6.000000 USDX", "10.000000 USDX"), at
    assert at > POINTS_MIN
    assert await town.differences() == []
