"""The relayers over HTTP, and a stopped one that an operator lets go on."""

import pytest

from gateway.audit import log as audit
from gateway.chain.relayer import nonce_conflicts
from tests.api.conftest import code_of
from tests.api.running.conftest import RunningGateway
from tests.api.test_operators import Person as Operator

pytestmark = pytest.mark.anyio


async def test_each_relayer_is_listed_with_what_its_gas_money_lasts_for(gateway: RunningGateway, ann: Operator) -> None:
    (found,) = (await ann.call("GET", "/relayers")).json()["items"]
    assert (found["address"], found["state"], found["reason"]) == (gateway.town.signer.address, "runs", "")
    assert float(found["balance"]) > 1
    assert found["payments"] > 1_000


async def test_a_stopped_relayer_goes_on_by_an_operator_whose_name_is_logged(
    gateway: RunningGateway, ann: Operator
) -> None:
    address = gateway.town.signer.address
    assert code_of(await ann.call("POST", f"/relayers/{address}/resume")) == (409, "state_conflict")
    async with gateway.town.database.transaction() as connection:
        assert await nonce_conflicts.stop(connection, address, "somebody signs with its key")
    (stopped,) = (await ann.call("GET", "/relayers")).json()["items"]

    resumed = await ann.call("POST", f"/relayers/{address}/resume")

    assert (stopped["state"], stopped["reason"]) == ("stopped", "somebody signs with its key")
    assert "gateway relayers resume" in stopped["advice"]
    assert resumed.status_code == 200, resumed.text
    assert resumed.json() == {"relayer": address, "next_nonce": stopped["next_nonce"], "ended": 0}
    assert (await ann.call("GET", "/relayers")).json()["items"][0]["state"] == "runs"
    async with gateway.town.database.reading() as connection:
        (event,) = await audit.read(connection, kind="relayer.resumed")
    assert (event.by.kind, event.by.id, event.details["relayer"]) == ("operator", "ann", address)


async def test_nobody_is_resumed_at_an_address_that_is_no_relayers(ann: Operator) -> None:
    for address in ("0x" + "1" * 40, "alice"):
        assert code_of(await ann.call("POST", f"/relayers/{address}/resume")) == (404, "not_found")


async def test_who_does_not_resume_relayers_resumes_none(gateway: RunningGateway, ben: Operator) -> None:
    address = gateway.town.signer.address
    async with gateway.town.database.transaction() as connection:
        assert await nonce_conflicts.stop(connection, address, "somebody signs with its key")
    assert code_of(await ben.call("POST", f"/relayers/{address}/resume")) == (403, "forbidden")
    assert (await ben.call("GET", "/relayers")).json()["items"][0]["state"] == "stopped"
