"""gateway relayers, against a running `up`; and what it says of relayers that do not run well."""

import asyncio
from dataclasses import replace

import pytest

from gateway.chain.block import Fees
from gateway.chain.relayer import batches, nonce_conflicts
from gateway.chain.relayer.relayers import Relayer
from gateway.cli.operate import printout
from gateway.keys.signer import LOCAL_RELAYER_KEYS, RelayerSigner
from gateway.money import Asset
from gateway.postgres import pool
from gateway.settlement.relayer_accounts import Row, row_of
from tests.factory import NOW
from tests.running import Up

ADDRESSES = sorted(RelayerSigner(key).address for key in LOCAL_RELAYER_KEYS)


def test_every_relayer_is_listed_with_what_its_gas_money_lasts_for(up: Up) -> None:
    listed, found = up.gateway("relayers"), up.json("relayers")["relayers"]

    assert listed.returncode == 0, listed.stderr
    heads, *lines = listed.stdout.splitlines()
    assert heads.split("  ")[0] == "relayer"
    assert [line.split()[0] for line in lines] == [one["address"] for one in found]
    assert [one["address"] for one in found] == ADDRESSES
    assert {one["state"] for one in found} == {"runs"}
    assert all(float(one["balance"]) > 9_000 and one["payments"] > 1_000_000 for one in found)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (ADDRESSES[0], f"the relayer {ADDRESSES[0]} cannot be resumed: it is not stopped"),
        (ADDRESSES[0].lower(), f"the relayer {ADDRESSES[0]} cannot be resumed: it is not stopped"),
        ("0x" + 40 * "1", f"there is no relayer of 0x{40 * '1'}; the relayers are those of {', '.join(ADDRESSES)}"),
        ("alice", "there is no relayer of alice"),
    ],
)
def test_a_relayer_that_is_not_stopped_or_not_there_is_not_resumed(up: Up, address: str, says: str) -> None:
    refused = up.gateway("relayers", "resume", address)

    assert refused.returncode == 1
    assert says in refused.stderr


def test_a_stopped_relayer_is_shown_and_resumed_by_its_command(up: Up) -> None:
    address = ADDRESSES[0]

    async def stop() -> None:
        url = up.place("database_url")
        async with pool.connect(url, 1, "a test") as database, database.transaction() as connection:
            assert await nonce_conflicts.stop(connection, address, "somebody has to look")

    asyncio.run(stop())
    stopped = up.gateway("relayers")
    resumed = up.gateway("relayers", "resume", address)

    assert f"{address} is stopped: somebody has to look" in stopped.stdout
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout.startswith(f"the relayer {address} goes on from nonce ")
    assert {one["state"] for one in up.json("relayers")["relayers"]} == {"runs"}


FEES = Fees(10, 1)
RELAYER = Relayer("0xA", 7, None, False, 5, 1, 2, NOW, 10**18, 11 * batches.GAS_MAX * 10)


def shown(**fields: object) -> Row:
    return row_of(replace(RELAYER, **fields), FEES, 10, Asset("ETH", "native", 18))  # type: ignore[arg-type] # by its name


def test_a_relayer_is_low_before_it_is_dry_and_stopped_above_all() -> None:
    assert shown().state == "runs"
    assert shown(left_wei=9 * batches.GAS_MAX * 10).state == "low"
    assert shown(left_wei=1000).state == "dry"
    assert shown(left_wei=-5).balance == "0.000000000000000000"
    assert shown(left_wei=1000, stopped="somebody").state == "stopped"
    assert (shown().open, shown().oldest_open_at) == (2, "2030-01-31T12:00:00.000000Z")


def test_a_relayer_that_a_node_refuses_is_shown_with_the_reason() -> None:
    refused = shown(refused="exceeds block gas limit", left_wei=1000)
    (_, _, line) = printout.relayer_lines([{**plain(refused)}])

    assert refused.state == "refused"
    assert line == "the node does not take what 0xA sends: exceeds block gas limit"
    assert shown(refused="exceeds block gas limit", stopped="its nonce 7 was used").state == "stopped"


def test_a_stopped_relayer_is_shown_with_what_to_do() -> None:
    (_, _, line) = printout.relayer_lines([{**plain(shown(stopped="its nonce 7 was used"))}])

    assert "its nonce 7 was used" in line
    assert "'gateway relayers resume 0xA'" in line
    assert "restored from a copy that is older than the chain, or something else signs with this key" in line
    assert printout.relayer_lines([]) == ["no relayers yet: run 'gateway deploy'"]


def plain(row: Row) -> dict[str, object]:
    return {name: getattr(row, name) for name in Row.__slots__}
