"""Health over HTTP: what waits, how far the chain was read, what the checks find."""

import pytest

from gateway.worker import jobs
from tests.api.running.conftest import RunningGateway
from tests.api.test_operators import Person as Operator

pytestmark = pytest.mark.anyio


async def test_what_waits_is_counted_and_is_gone_once_it_is_done(gateway: RunningGateway, ann: Operator) -> None:
    alice = await gateway.person("alice", "10 USDX")
    await gateway.person("bob")
    await alice.pay("@bob", "1 USDX")
    waiting = (await ann.call("GET", "/health")).json()
    worker = gateway.town.worker()
    await jobs.relay.run(worker)
    submitted = (await ann.call("GET", "/health")).json()
    await gateway.town.settle()
    await jobs.resend.run(worker)
    await jobs.reconcile.run(worker)

    found = (await ann.call("GET", "/health")).json()

    (queued,) = waiting["queued"]
    assert (queued["of"], queued["count"]) == ("USDX", 1)
    assert queued["oldest_at"] is not None
    assert (submitted["queued"][0]["count"], submitted["submitted"]["count"]) == (0, 1)
    assert found["queued"] == [{"of": "USDX", "count": 0, "oldest_at": None}]
    assert found["submitted"] == {"of": "transactions", "count": 0, "oldest_at": None}
    assert found["chain"]["block"] == found["chain"]["reconciled_block"]
    assert found["worker_seen_at"] is not None
    assert found["events"] > waiting["events"]


async def test_checks_of_the_doctor_are_made_from_inside(gateway: RunningGateway, ann: Operator) -> None:
    async def checked() -> dict[str, str]:
        checks = (await ann.call("GET", "/health")).json()["checks"]
        return {one["name"]: one["state"] for one in checks}

    before = await checked()
    worker = gateway.town.worker()
    await jobs.resend.run(worker)

    assert list(before) == ["durability", "clock", "worker", "recovery", "checkpoints"]
    assert before["worker"] == "failed", "no worker has looked after a relayer yet"
    assert (await checked())["worker"] == "ok"


async def test_every_table_has_its_size(gateway: RunningGateway, ann: Operator) -> None:
    found = (await ann.call("GET", "/health")).json()
    assert {"ledger_payment", "staged_payment", "solvency_point"} <= {one["name"] for one in found["tables"]}
    assert found["cache_bytes"] > found["working_set_bytes"] > 0
    assert found["pool"]["maximum"] >= found["pool"]["in_use"] >= 0
