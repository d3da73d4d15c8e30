"""The lines of a statement for tokens that were seen to move on the chain."""

import pytest

from gateway.ids import read
from tests.api.conftest import Api

pytestmark = pytest.mark.anyio

STRANGER = "0x" + 40 * "1"


async def test_an_observation_says_from_whom_the_tokens_came_and_other_lines_do_not(api: Api) -> None:
    bob = await api.person("bob")
    alice = await api.person("alice", "5 USDX", "7 USDX")
    newest, oldest = (await alice.get("/v1/entries?asset=USDX")).json()["items"]
    async with api.services.database.transaction() as connection:
        for number, (line, sender) in enumerate(((newest, bob.address), (oldest, STRANGER))):
            await connection.execute(
                "INSERT INTO observation (chain_id, block_hash, log_index, block_number, transaction_hash, asset, "
                "from_address, to_address, value, transfer_id) VALUES (1, '', $1, 1, '', 'USDX', $2, $3, 1, $4)",
                number,
                sender,
                alice.address,
                read("obs", line["reference"]),
            )
    await alice.receive("1.00 EUR")

    lines = (await alice.get("/v1/entries?asset=USDX")).json()["items"]
    (deposit,) = (await alice.get("/v1/entries?asset=EUR")).json()["items"]

    assert [(line["from"], line["to"]) for line in lines] == [("@bob", "@alice"), (STRANGER, "@alice")]
    assert (deposit["from"], deposit["to"]) == (None, None)
