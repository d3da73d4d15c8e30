"""A token that was taken out of the settings goes on at its contract: paid, redeemed and reconciled."""

from dataclasses import replace

import pytest

from gateway.chain.deployment import deploy
from gateway.errors import AssetClosed
from gateway.ledger import ledger
from gateway.money import Assets
from gateway.payments.model.payment import State
from tests.factory import Town

pytestmark = pytest.mark.anyio


async def test_a_token_that_was_taken_out_is_paid_redeemed_and_reconciled(town: Town) -> None:
    alice, bob = await town.person("alice", "50.00 USDX"), await town.person("bob")
    async with town.database.reading() as connection:
        town.assets = await ledger.with_former(connection, Assets([town.assets["EUR"], town.assets["ETH"]]))
        contracts = await deploy.contracts(connection, town.assets)
    town.settings = replace(town.settings, assets=town.assets, contracts=contracts)

    payment = await town.pay(alice, "@bob", "20.00 USDX")
    redeemed = await town.convert(alice, "30.00 USDX", "USD")
    with pytest.raises(AssetClosed):
        await town.convert(alice, "1.00 USD", "USDX")
    await town.settle()

    assert (await town.payment(payment)).state is State.SETTLED
    assert (await town.conversion(redeemed)).state is State.SETTLED
    assert await town.available(bob, "USDX") == await town.on_chain(bob.address) == "20.000000 USDX"
    assert await town.available(alice, "USD") == "30.00 USD"
    await town.look_at_all()
    assert await town.differences() == []
