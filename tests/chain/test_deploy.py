"""Deploying each token once, wherever it is interrupted."""

import logging
from asyncio import gather
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

import pytest

from gateway.address import of_deployment
from gateway.chain.deployment import deploy
from gateway.chain.node import HttpNode
from gateway.chain.relayer import fee_bump, relayers
from gateway.chain.token.contract import Contract
from gateway.chain.watcher import cursors, same_chain
from gateway.errors import Misconfigured
from gateway.keys.signer import LOCAL_RELAYER_KEY, RelayerSigner
from gateway.ledger import ledger
from gateway.money import Asset, Assets
from gateway.postgres.pool import Database
from tests.anvils import Chain
from tests.chain.conftest import ASSETS, FINALITY
from tests.other_node import REFUSALS, in_front_of

pytestmark = pytest.mark.anyio

SIGNER = RelayerSigner(LOCAL_RELAYER_KEY)
TWO = Assets([*ASSETS, Asset("THBX", "token", 2, "USD")])


class Killed(BaseException):
    """The process ends here."""


class Dying(HttpNode):
    """A node that is there for so many questions, and then the process that asked ends."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.left = 1000
        post = self._rpc._post

        async def used(body: object) -> object:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return await post(body)

        self._rpc._post = used  # type: ignore[method-assign] # the process ends here


async def run(database: Database, chain: Chain, node: HttpNode, assets: Assets = ASSETS) -> dict[str, Contract]:
    async def pause() -> None:
        chain.mine()

    return await deploy.deploy(database, node, SIGNER, assets, FINALITY, lambda: datetime.now(UTC), pause=pause)


async def declare(database: Database, assets: Assets) -> None:
    async with database.transaction() as connection:
        await ledger.declare(connection, assets)


async def test_each_token_has_its_contract_and_reading_begins_there(
    database: Database, chain: Chain, node: HttpNode
) -> None:
    await declare(database, TWO)

    contracts = await run(database, chain, node, TWO)

    assert list(contracts) == ["USDX", "THBX"]
    assert contracts["USDX"].address == of_deployment(SIGNER.address, 0)
    assert contracts["THBX"].address == of_deployment(SIGNER.address, 1)
    async with database.reading() as connection:
        cursor = await cursors.read(connection, 31337)
        assert await deploy.contracts(connection, TWO) == contracts
        assert list(await deploy.contracts(connection, ASSETS)) == ["USDX"]
    assert cursor is not None
    assert cursor.number == contracts["USDX"].deployed_block
    await same_chain.verify(node, contracts.values(), cursor)


async def test_deploying_again_deploys_nothing(database: Database, chain: Chain, node: HttpNode) -> None:
    first = await run(database, chain, node)

    again = await run(database, chain, node)

    assert again == first
    assert await node.transaction_count(SIGNER.address, "latest") == 1


async def test_a_token_that_is_configured_later_is_deployed_then(
    database: Database, chain: Chain, node: HttpNode
) -> None:
    await run(database, chain, node)
    await declare(database, TWO)

    contracts = await run(database, chain, node, TWO)

    assert set(contracts) == {"USDX", "THBX"}
    assert await node.transaction_count(SIGNER.address, "latest") == 2


async def test_a_deployment_killed_at_any_question_goes_on_and_is_made_once(
    database: Database, chain: Chain, node: HttpNode
) -> None:
    dying = Dying(chain.url)
    for n in count(1):
        dying.left = n
        try:
            contracts = await run(database, chain, dying)
            break
        except Killed:
            continue
    await dying.close()

    assert n > 8
    assert contracts["USDX"].address == of_deployment(SIGNER.address, 0)
    assert await node.transaction_count(SIGNER.address, "latest") == 1


async def test_a_deployment_killed_between_storing_and_sending_is_sent_as_stored(
    database: Database, chain: Chain, node: HttpNode
) -> None:
    dying = Dying(chain.url)
    dying.left = 6  # chain id, nonce, fees (two), balance, gas: the next is the first that sends
    with pytest.raises(Killed):
        await run(database, chain, dying)
    await dying.close()
    async with database.reading() as connection:
        (stored,) = await relayers.open_attempts(connection, SIGNER.address)
    assert await node.receipts([stored.hash]) == {}

    await run(database, chain, node)

    receipts = await node.receipts([stored.hash])
    assert receipts[stored.hash].contract_address == of_deployment(SIGNER.address, 0)


async def test_a_deployment_is_made_once_though_many_try(database: Database, chain: Chain, node: HttpNode) -> None:
    contracts = await gather(*(run(database, chain, node) for _ in range(5)))

    assert all(found == contracts[0] for found in contracts)
    assert await node.transaction_count(SIGNER.address, "latest") == 1


async def test_a_deployment_lost_in_a_reorganisation_is_sent_again(
    database: Database, chain: Chain, node: HttpNode
) -> None:
    looks = count(1)

    async def pause() -> None:
        chain.mine()
        if next(looks) == 1:
            chain.rpc("anvil_reorg", 1, [])

    contracts = await deploy.deploy(database, node, SIGNER, ASSETS, FINALITY, lambda: datetime.now(UTC), pause=pause)

    assert contracts["USDX"].address == of_deployment(SIGNER.address, 0)
    assert await node.code(contracts["USDX"].address)


async def test_a_deployment_whose_fee_is_raised_meanwhile_is_found_by_its_new_hash(
    database: Database, chain: Chain, node: HttpNode
) -> None:
    looks = count(1)

    async def pause() -> None:
        if next(looks) == 1:
            fees = await node.fees()
            async with database.transaction() as connection:
                (attempt,) = await relayers.open_attempts(connection, SIGNER.address)
                bumped = await fee_bump.bump(connection, SIGNER, attempt.transaction_id, fees, datetime.now(UTC))
            assert bumped is not None
            await node.send(bumped.raw)
        assert next(looks) < 20
        chain.mine()

    contracts = await deploy.deploy(database, node, SIGNER, ASSETS, FINALITY, lambda: datetime.now(UTC), pause=pause)

    assert contracts["USDX"].address == of_deployment(SIGNER.address, 0)


async def test_a_relayer_without_money_is_told_how_much_it_takes(
    database: Database, chain: Chain, node: HttpNode
) -> None:
    chain.rpc("anvil_setBalance", SIGNER.address, "0x1")

    with pytest.raises(Misconfigured, match="has 1 wei on chain 31337"):
        await run(database, chain, node)

    async with database.reading() as connection:
        assert await relayers.open_attempts(connection, SIGNER.address) == []


async def test_the_gas_for_a_deployment_is_enough_with_room(database: Database, chain: Chain, node: HttpNode) -> None:
    contract = (await run(database, chain, node))["USDX"]

    block = chain.rpc("eth_getBlockByNumber", hex(contract.deployed_block), False)

    assert deploy.DEPLOY_GAS * 0.3 < int(block["gasUsed"], 16) < deploy.DEPLOY_GAS * 0.8


async def test_a_deployment_that_the_node_refuses_ends_with_its_reason_and_goes_on_afterwards(
    database: Database, chain: Chain, node: HttpNode
) -> None:
    async with in_front_of(chain, refusal=REFUSALS["geth underpriced"]) as other:
        refused = HttpNode(other.url)
        with pytest.raises(Misconfigured, match=r"USDX is not deployed: the node refuses .*minimum needed 25000000000"):
            await run(database, chain, refused)
        await refused.close()

    assert (await run(database, chain, node))["USDX"].address == of_deployment(SIGNER.address, 0)


async def test_a_chain_older_than_cancun_is_named_and_costs_nothing(
    database: Database, start_chain: Callable[..., Chain]
) -> None:
    old = start_chain("--hardfork", "shanghai")
    node = HttpNode(old.url)

    with pytest.raises(Misconfigured, match="needs Ethereum's Cancun"):
        await run(database, old, node)

    assert await node.transaction_count(SIGNER.address, "latest") == 0
    async with database.reading() as connection:
        assert await relayers.open_attempts(connection, SIGNER.address) == []
    await node.close()


async def test_a_deployment_that_waits_for_finality_says_so_once_and_which_setting_helps(
    database: Database, chain: Chain, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    looks = count(1)
    async with in_front_of(chain, no_finalized=True) as other:
        node = HttpNode(other.url)

        async def pause() -> None:
            look = next(looks)
            if look == 1:
                chain.mine()
            if look == 60:
                other.no_finalized = False
                chain.mine(3)

        await deploy.deploy(database, node, SIGNER, ASSETS, None, lambda: datetime.now(UTC), pause=pause)
        await node.close()

    said = [one.getMessage() for one in caplog.records if "GATEWAY_FINALITY" in one.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("USDX is deployed in block 1. The node names no block as finalized")
