"""What relayers may do: it is granted to one that is added later, and one without it carries nothing."""

import asyncio
from dataclasses import replace

import pytest

from gateway.chain.deployment import roles
from gateway.chain.errors import NoRelayer
from gateway.clock import system_clock
from gateway.worker import jobs
from tests.factory import Town
from tests.payments.relayers.conftest import ONE, TWO, relayer_of, rows

pytestmark = pytest.mark.anyio


async def test_a_relayer_that_is_added_later_is_granted_what_it_needs_once(town: Town) -> None:
    async def grants() -> int:
        return len(await rows(town, "SELECT FROM chain_transaction WHERE kind = 'grant'"))

    contracts = list(town.settings.contracts.values())
    assert await grants() == 0

    await asyncio.gather(
        *(roles.grant(town.database, town.node, (ONE, TWO), contracts, system_clock) for _ in range(4))
    )
    assert await grants() == 2
    town.chain.mine()
    await roles.grant(town.database, town.node, (ONE, TWO), contracts, system_clock)
    assert await grants() == 2
    allowed = await roles.allowed(town.node, contracts[0], [ONE.address, TWO.address])
    assert allowed.of == {"settle": {ONE.address, TWO.address}, "mint": {ONE.address, TWO.address}}


async def test_a_relayer_that_nobody_here_can_grant_anything_carries_nothing_and_says_so(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    payment = await town.pay(alice, "@bob", "1 USDX")

    await roles.grant(town.database, town.node, (TWO,), town.settings.contracts.values(), system_clock)
    assert any(f"the relayer {TWO.address} cannot submit USDX" in one.getMessage() for one in caplog.records)
    with pytest.raises(NoRelayer, match=f"{TWO.address} may not"):
        await jobs.relay.run(replace(town.worker(), signers=(TWO,)))

    await jobs.relay.run(replace(town.worker(), signers=(TWO, ONE)))
    town.signers = (ONE, TWO)
    assert (await relayer_of(town, payment)).address == ONE.address
