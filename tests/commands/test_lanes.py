"""lanes, lanes resume: against a running `up`."""

import asyncio
import json

from gateway import postgres
from gateway.chain import lanes
from tests.running import Up


def stop(up: Up, address: str) -> None:
    async def stopped() -> None:
        url = up.place("database_url")
        async with postgres.connect(url, 1, "a test") as database, database.transaction() as connection:
            await lanes.stop(connection, address, "somebody has to look")

    asyncio.run(stopped())


def test_a_stopped_lane_says_why_and_goes_on_when_resumed(up: Up) -> None:
    (going,) = json.loads(up.gateway("lanes", "--json").stdout)["lanes"]
    assert going["stopped"] is None
    assert int(going["balance_wei"]) > 0
    stop(up, going["address"])

    assert "stopped: somebody has to look" in up.gateway("lanes").stdout
    resumed = up.gateway("lanes", "resume", going["address"].lower())

    assert resumed.returncode == 0, resumed.stderr
    (again,) = json.loads(up.gateway("lanes", "--json").stdout)["lanes"]
    assert again["stopped"] is None
    assert again["next_nonce"] >= going["next_nonce"]


def test_what_cannot_be_resumed_is_refused_with_the_reason(up: Up) -> None:
    (lane,) = json.loads(up.gateway("lanes", "--json").stdout)["lanes"]

    unknown, going = up.gateway("lanes", "resume", "0x12"), up.gateway("lanes", "resume", lane["address"])

    assert (unknown.returncode, going.returncode) == (1, 1)
    assert "`gateway lanes` lists those there are" in unknown.stderr
    assert "is not stopped" in going.stderr
