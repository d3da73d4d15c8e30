"""A wallet's own key, held by libraries that others' wallets are written with, pays through the API."""

import json
import time

import pytest
from eth_account import Account

from tests.clients.tools import HERE, run
from tests.processes import HANG_SECONDS
from tests.running import Up


@pytest.mark.parametrize("library", ["ethers", "viem"])
def test_an_authorization_that_a_wallets_own_key_signs_pays(up: Up, library: str) -> None:
    payer, payee = up.someone(f"own_{library}", USD="10.00"), up.someone(f"payee_of_{library}")
    up.api(payer, "/v1/conversions", amount="10.00", asset="USD", to_asset="USDX")
    wait_until_has(up, payer, "10.000000")
    api_key = (up.home / "keys" / payer.removeprefix("@")).read_text().strip()
    key = Account.create()
    given = {"library": library, "url": up.place("api_url"), "apiKey": api_key, "key": "0x" + bytes(key.key).hex()}

    said = json.loads(run("node", HERE / "own-key.mjs", given=json.dumps({**given, "to": payee, "amount": "2.50"})))

    assert said["address"] == key.address
    for payment in (said["confirmed"], said["relayed"]):
        assert (payment["state"], payment["from"], payment["to"]) == ("settled", payer, payee)
        assert payment["tx_hash"] is not None
    assert said["confirmed"]["id"] != said["relayed"]["id"]
    assert up.available(payee, "USDX") == "5.000000"
    assert up.available(payer, "USDX") == "5.000000"


def wait_until_has(up: Up, handle: str, amount: str) -> None:
    ends = time.monotonic() + HANG_SECONDS
    while up.available(handle, "USDX") != amount:
        assert time.monotonic() < ends, "the conversion was not settled"
