"""The database is there and of no use: asleep, read-only, or full. Nobody waits for ever, nobody is told it is a fault
of ours, and what was not done is done when it is asked again.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from gateway.chain.node import HttpNode
from gateway.embedded.postgres import Postgres
from gateway.money import Assets
from gateway.postgres.connection import Deadlines
from gateway.postgres.pool import connect
from tests.api.conftest import Api, Person, opened
from tests.databases import execute, fresh_database
from tests.servers import fail_for_want_of_room, fill, read_only, small_disk, stopped, without_its_standby

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hasty(database_url: str, assets: Assets) -> AsyncIterator[Api]:
    """An application that gives up soon."""
    deadlines = Deadlines(connect=0.5, statement=0.5)
    async with connect(database_url, 5, deadlines=deadlines) as database, opened(database, assets) as api:
        yield api


def unavailable(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.headers.get("Retry-After")) == (503, "1") and answer.json()["retryable"] is True


#: What alice has of 100.00 EUR after `everything`, once: posted, pending, available.
_AFTERWARDS = ("98.00", "3.00", "95.00")


async def ready(api: Api) -> httpx.Response:
    """What readiness says, within two seconds."""
    started = time.monotonic()
    answer = await api.call("GET", "/health/ready")
    assert time.monotonic() - started < 3  # two, and some for a machine that is busy
    return answer


async def everything(alice: Person, key: str) -> list[httpx.Response]:
    """Money on each way it takes, and a handle; two at once on the short way, which share a commit."""
    return [
        *await asyncio.gather(
            alice.pay("@bob", "1.00 EUR", key), alice.pay("@bob", "2.00 EUR", f"{key}2"), alice.get("/v1/payments")
        ),
        await alice.pay("@bob", "1 USDX", f"{key}-token"),
        await alice.pay("@bob", "3.00 EUR", f"{key}-hold", capture=False),
        await alice.post("/v1/deposits", {"amount": "5.00", "asset": "EUR"}, f"{key}-deposit"),
        await alice.post("/v1/payments/batch", [{"to": "@bob", "amount": "4.00", "asset": "EUR"}], f"{key}-batch"),
        await alice.api.call("POST", "/v1/handles", json={"handle": f"h{uuid4().hex[:10]}"}),
    ]


async def test_a_database_that_sleeps_is_unavailable_in_time_and_everything_is_done_once_when_it_wakes(
    server: Postgres, hasty: Api
) -> None:
    alice, bob = await hasty.person("alice", "100.00 EUR", "10 USDX"), await hasty.person("bob")
    assert (await ready(hasty)).status_code == 200
    with stopped(server):
        assert all(map(unavailable, await everything(alice, "k")))
        assert unavailable(await ready(hasty))
        many = await asyncio.gather(*(alice.pay("@bob", "0.01 EUR", f"many{n}") for n in range(200)))
        assert all(map(unavailable, many))
    answers = await everything(alice, "k")
    assert [answer.status_code for answer in answers] == [201, 201, 200, 202, 201, 201, 200, 201]
    assert (await bob.balance("EUR"), await alice.balance("EUR")) == (("7.00", "0.00", "7.00"), _AFTERWARDS)
    while (await ready(hasty)).status_code != 200:
        pass
    assert await hasty.wrong() == []


async def test_a_database_that_went_away_is_told_in_words(server: Postgres, hasty: Api) -> None:
    alice, _ = await hasty.person("alice", "100.00 EUR"), await hasty.person("bob")
    with stopped(server):
        assert (await alice.pay("@bob", "1.00 EUR", "k")).json()["detail"] in (
            "the database does not answer: a statement was not done in time",
            "the database does not answer: no connection within 0.5 s",
        )


async def test_a_database_that_takes_no_writes_is_unavailable_and_its_connections_are_made_anew(
    server: Postgres, hasty: Api
) -> None:
    alice, bob = await hasty.person("alice", "100.00 EUR", "10 USDX"), await hasty.person("bob")
    async with read_only(server):
        answers = await everything(alice, "k")
        listed = answers.pop(2)
        assert all(map(unavailable, answers))
        assert {answer.json()["detail"] for answer in answers} == {
            "nothing can be written to the database: it is read-only"
        }
        assert listed.status_code == 200
        backends = await backends_of(hasty)
        assert unavailable(await alice.pay("@bob", "1.00 EUR", "k"))
        assert unavailable(await ready(hasty))
        assert backends.isdisjoint(await backends_of(hasty))
    answers = await everything(alice, "k")
    assert [answer.status_code for answer in answers] == [201, 201, 200, 202, 201, 201, 200, 201]
    assert (await bob.balance("EUR"), await alice.balance("EUR")) == (("7.00", "0.00", "7.00"), _AFTERWARDS)


async def backends_of(api: Api) -> set[int]:
    async with api.services.database.reading() as connection:
        return {
            row["pid"]
            for row in await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'gateway'"
            )
        }


async def test_a_full_disk_is_unavailable_and_what_was_not_paid_is_paid_when_there_is_room(
    server: Postgres, template: str, assets: Assets
) -> None:
    with small_disk(server, 64) as disk:
        if disk:
            await execute(server.dsn, f"CREATE TABLESPACE small LOCATION '{disk}'")
        where = "TABLESPACE small" if disk else ""
        async with (
            fresh_database(server.dsn, template, where) as url,
            connect(url, 5) as database,
            opened(database, assets) as api,
        ):
            alice, bob = await api.person("alice", "100.00 EUR", "10 USDX"), await api.person("bob")
            filler = fill(disk) if disk else None
            if not disk:
                await fail_for_want_of_room(database, "ledger_payment")
            answers = await asyncio.gather(*(alice.pay("@bob", "0.01 EUR", f"k{n}") for n in range(100)))
            full = [answer for answer in answers if answer.status_code != 201]
            assert full
            assert all(map(unavailable, full))
            assert full[-1].json()["detail"] == "nothing can be written to the database: its disk is full"
            assert unavailable(await ready(api))
            if filler:
                filler.unlink()
            else:
                await _mend(api)
            again = await asyncio.gather(*(alice.pay("@bob", "0.01 EUR", f"k{n}") for n in range(100)))
            assert {answer.status_code for answer in again} == {201}
            assert await bob.balance("EUR") == ("1.00", "0.00", "1.00")
            assert await api.wrong() == []
        if disk:
            await execute(server.dsn, "DROP TABLESPACE small")


async def _mend(api: Api) -> None:
    async with api.services.database.transaction() as connection:
        await connection.execute("DROP FUNCTION full_disk CASCADE")


async def test_a_node_that_hangs_keeps_nobody_waiting_for_readiness(database_url: str, assets: Assets) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        node = HttpNode(f"http://127.0.0.1:{silent.getsockname()[1]}")
        async with connect(database_url, 2) as database, opened(database, assets, node=node) as api:
            answer = await ready(api)
            assert (answer.status_code, answer.json()["node"]) == (200, "away")
            await database.close()
            started = time.monotonic()
            while (await ready(api)).status_code == 200:
                pass
            assert time.monotonic() - started < 6  # what is known of the database is no older than the node may take
        await node.close()


async def test_readiness_tries_a_commit(server: Postgres, api: Api) -> None:
    """Nothing but a commit shows that one would wait for a standby for ever."""
    async with without_its_standby(server):
        assert unavailable(await ready(api))
