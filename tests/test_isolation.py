"""What a test leaves behind is not there for the next: the cases of each test do the same, and see that of no other."""

import time
from pathlib import Path

import pytest

from gateway.postgres.pool import Database
from tests.anvils import Chain, SharedAnvil, shared_anvil
from tests.factory import Town
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("time", ["first", "second"])
async def test_a_database_has_nothing_of_another_test(database: Database, time: str) -> None:
    async with database.transaction() as connection:
        name = await connection.fetchval("SELECT current_database()")
        assert await connection.fetchval("SELECT to_regclass('left_behind')") is None
        assert await connection.fetchval("SELECT count(*) FROM wallet") == 0
        assert await connection.fetchval("SHOW work_mem") == "4MB"

        await connection.execute("CREATE TABLE left_behind ()")
        await connection.execute("ALTER TABLE wallet DISABLE TRIGGER ALL")
        await connection.execute(f"ALTER DATABASE {name} SET work_mem = '5MB'")


ANYBODY = "0x00000000000000000000000000000000000000aa"


def spoil(chain: Chain) -> None:
    """Leave on a chain all that a test can: blocks, an hour, state, a price of gas, and what waits to be mined."""
    chain.rpc("evm_increaseTime", 3600)
    chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(7 * 10**9))
    chain.mine(3)
    chain.rpc("anvil_reorg", 1, [])
    chain.rpc("anvil_setBalance", ANYBODY, "0x5")
    (relayer, *_) = chain.rpc("eth_accounts")
    chain.rpc("eth_sendTransaction", {"from": relayer, "to": ANYBODY, "value": "0x1"})
    chain.rpc("evm_setNextBlockTimestamp", int(time.time()) + 7200)


def seen(chain: Chain) -> tuple[object, ...]:
    """What the above leaves, in the next block."""
    head = chain.head()
    chain.mine()
    block = chain.rpc("eth_getBlockByNumber", "latest", True)
    late = abs(int(block["timestamp"], 16) - time.time()) > 60
    return head, late, block["baseFeePerGas"], block["transactions"], chain.rpc("eth_getBalance", ANYBODY, "latest")


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_chain_has_nothing_of_another_test(chain: Chain, time: str) -> None:
    assert seen(chain) == (0, False, "0x3b9aca00", [], "0x0")

    spoil(chain)


#: The head and the price of gas that the first of the cases below found.
_found: list[tuple[object, ...]] = []


@pytest.mark.parametrize("time", ["first", "second"])
async def test_a_deployment_has_nothing_of_another_test(town: Town, time: str) -> None:
    _found.append(seen(town.chain))
    assert _found[-1] == _found[0]
    assert (_found[-1][1], *_found[-1][3:]) == (False, [], "0x0")
    alice = await town.person("alice", "10.00 USDX")
    assert await town.on_chain(alice.address) == "10.000000 USDX"
    assert await town.differences() == []

    spoil(town.chain)
    await town.command("freeze", bytes.fromhex(alice.address[2:]))


def test_a_chain_of_long_ago_has_the_time_of_now(tmp_path: Path) -> None:
    with shared_anvil(tmp_path, "--timestamp", "1700000000") as anvil:
        assert seen(anvil.take())[1] is False


def test_a_chain_that_a_test_has_ended_is_started_again(anvil: SharedAnvil) -> None:
    anvil.chain.process.kill()
    anvil.chain.process.wait(HANG_SECONDS)

    assert anvil.take().head() == 0
