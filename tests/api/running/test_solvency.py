"""Solvency over time: what there is of each token now, and the points that a worker notes."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.reconciliation import history
from gateway.worker import jobs
from tests.api.running.conftest import RunningGateway
from tests.api.test_operators import Person as Operator

pytestmark = pytest.mark.anyio


async def usdx(ann: Operator, query: str = "") -> dict[str, Any]:
    answer = await ann.call("GET", f"/solvency{query}")
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["items"]
    return dict(found)


async def test_the_totals_and_a_point_of_them_are_told(gateway: RunningGateway, ann: Operator) -> None:
    await gateway.person("alice", "100 USDX")
    before = await usdx(ann)
    await jobs.reconcile.run(gateway.town.worker())

    found = await usdx(ann)

    assert (before["points"], before["supply"]) == ([], "100.000000")
    assert (found["asset"], found["backing"], found["wallets"], found["reserve"]) == (
        *("USDX", "USD"),
        *("100.000000", "100.00"),
    )
    (point,) = found["points"]
    assert {name: point[name] for name in ("supply", "wallets", "outside", "reserve", "difference", "block")} == {
        "supply": "100.000000",
        "wallets": "100.000000",
        "outside": "0.000000",
        "reserve": "100.00",
        "difference": "0.000000",
        "block": found["final_block"],
    }


async def test_a_point_is_noted_once_an_hour_and_kept_for_so_long(gateway: RunningGateway, ann: Operator) -> None:
    await gateway.person("alice", "100 USDX")
    settings, database = gateway.town.settings, gateway.town.database
    started = gateway.api.clock()

    async def noted(after: timedelta) -> int:
        return await history.record(database, settings, started + after)

    tokens = len(settings.assets.tokens())
    assert await noted(timedelta()) == tokens
    assert await noted(timedelta(minutes=59)) == 0
    assert await noted(timedelta(hours=1)) == tokens
    async with database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM solvency_point") == 2 * tokens
    assert await noted(history.KEPT + timedelta(minutes=30)) == tokens
    async with database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM solvency_point") == 2 * tokens, "the first is forgotten"


async def test_a_confirmed_difference_is_noted_at_once_and_told_with_the_freeze(
    gateway: RunningGateway, ann: Operator
) -> None:
    alice = await gateway.person("alice", "100 USDX")
    worker = gateway.town.worker()
    await jobs.reconcile.run(worker)
    await gateway.town.set_balance(alice.address, "90 USDX")
    await gateway.town.look_at_all()
    await gateway.town.look_at_all()
    await jobs.reconcile.run(worker)

    answer = (await ann.call("GET", "/solvency")).json()

    (found,) = answer["items"]
    assert [point["unreconciled"] for point in found["points"]] == ["10.000000"], "two of one moment are shown as one"
    async with gateway.town.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM solvency_point WHERE asset = 'USDX'") == 2
    (difference,) = found["differences"]
    assert (difference["account"], difference["ledger"], difference["other"], difference["amount"]) == (
        *("wallet:alice:USDX", "100.000000", "90.000000"),
        "10.000000",
    )
    assert [one["asset"] for one in answer["frozen"]] == ["USDX"]
    assert answer["differences"] == []


async def test_many_points_are_shown_as_few_and_none_hides_a_difference(gateway: RunningGateway, ann: Operator) -> None:
    await gateway.person("alice", "100 USDX")
    async with gateway.town.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO solvency_point SELECT 'USDX', $1::timestamptz - n * interval '1 hour', 1, 1, 1, 0, 1, "
            "CASE n WHEN 501 THEN 7 ELSE 0 END, 0 FROM generate_series(1, 9000) AS n",
            gateway.api.clock(),
        )

    year, day = (await usdx(ann, "?days=375"))["points"], (await usdx(ann, "?days=1"))["points"]

    assert 380 <= len(year) <= history.SHOWN_MAX + 1
    assert [point["difference"] for point in year if point["difference"] != "0.000000"] == ["0.000007"]
    assert year == sorted(year, key=lambda point: str(point["at"]))
    assert 23 <= len(day) <= 24
