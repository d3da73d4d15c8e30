"""scripts/bench: who pays in the figures, payments without wrk, another revision; each once with tiny numbers."""

import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from gateway.embedded.children import Children
from gateway.embedded.postgres import Postgres
from tests.running import ROOT

sys.path.append(str(ROOT / "scripts"))  # what is there lies beside the product, not in it

from benchmarks import books, callers, client, direct, in_postgres, lifecycle, peer, revision, town
from benchmarks.callers import CALLERS, CAPPED, GUARDED, PLAIN, REFUNDING, SESSION, Caller
from benchmarks.client import Answers, Call
from benchmarks.direct import Direct
from benchmarks.lifecycle import STEPS, Life, Step
from benchmarks.revision import HERE, NotMeasured
from benchmarks.rig import Ledger, Rig

pytestmark = pytest.mark.anyio

_HANDLES = 6


@pytest.fixture
async def rig(server: Postgres, tmp_path: Path) -> AsyncIterator[Rig]:
    """The tests' own server, and a home for everything else."""
    children = await Children.claim(tmp_path)
    yield Rig(tmp_path, children, server)
    await children.release()


@pytest.fixture
async def ledger(rig: Rig) -> AsyncIterator[Ledger]:
    """Six handles with plain keys and money."""
    made = await town.settle(rig, f"bench_{uuid4().hex}", _HANDLES)
    yield made
    await rig.drop_database(made.name)


def paying(name: str, payee: int = 1) -> Call:
    body = msgspec.json.encode({"to": f"@h{payee:07}", "amount": "0.05", "asset": "EUR"})
    return Call("/v1/payments", 0, name, body)


@pytest.mark.parametrize("name", list(CALLERS))
async def test_every_kind_of_caller_pays_at_once_without_an_approval(rig: Rig, ledger: Ledger, name: str) -> None:
    caller = CALLERS[name]
    async with rig.connected(ledger.name) as connection:
        await callers.prepare(connection, caller)
    ledger = replace(ledger, caller=caller)
    if caller.session:
        await rig.sign_in(ledger, "b1")

    async with rig.serving(ledger) as served:
        answers = await client.send(served.url, caller.header(served.origin, "b1"), [paying("one"), paying("two")], 2)

    assert answers.failures(201) == {}
    assert [json.loads(body)["state"] for body in answers.bodies] == ["settled", "settled"]
    ledger.ids = [rig.home / "ids"]
    ledger.ids[0].write_text("".join(f"{id}\n" for id in answers.ids()))
    ledger.asked = ledger.acknowledged = 2
    assert (await books.check(rig, ledger)).faults == ()


async def test_what_is_measured_of_caps_and_policies_is_really_checked(rig: Rig, ledger: Ledger) -> None:
    """The keys have no more rights than they should: a payment beyond cap or limit does not go through."""
    async with rig.connected(ledger.name) as connection:
        await callers.prepare(connection, GUARDED)
    await rig.sign_in(ledger, "b1")
    body = msgspec.json.encode({"to": "@h0000001", "amount": "1000.01", "asset": "EUR"})
    beyond = Call("/v1/payments", 0, "beyond", body)

    async with rig.serving(ledger) as served:
        capped = await client.send(served.url, GUARDED.header(served.origin, ""), [beyond], 1)
        session = await client.send(served.url, SESSION.header(served.origin, "b1"), [beyond], 1)
        stranger = await client.send(served.url, SESSION.header(served.origin, "b2"), [beyond], 1)

    assert json.loads(capped.bodies[0])["code"] == "cap_exceeded"
    assert json.loads(session.bodies[0])["approval"]["reasons"] == ["amount"]
    assert stranger.statuses == [401]


async def test_every_step_of_a_payments_life_is_measured_and_its_ledger_is_right(rig: Rig, ledger: Ledger) -> None:
    async with rig.connected(ledger.name) as connection:
        await callers.prepare(connection, REFUNDING)
    ledger = replace(ledger, caller=REFUNDING)

    async with rig.serving(ledger) as served:
        life = Life(rig, ledger, served)
        steps = await life.round(3)

    assert [step.what for step in steps] == list(STEPS)
    assert [step.payments for step in steps] == [3, 3, 6, 3, 3, 3, 50, 1_000]
    assert all(step.rate > 0 and step.gateway_cpu_us > 0 for step in steps)
    assert await life.faults() == []
    life.states["voided"] += 1
    assert len(await life.faults()) == 1


@pytest.mark.parametrize("caller", [CAPPED, SESSION], ids=lambda caller: caller.name)
async def test_holds_by_caller_are_measured_and_their_ledger_is_right(rig: Rig, ledger: Ledger, caller: Caller) -> None:
    async with rig.connected(ledger.name) as connection:
        await callers.prepare(connection, caller)
        ledger = replace(ledger, caller=caller)

        async with rig.serving(ledger) as served:
            life = Life(rig, ledger, served)
            step = await life.holds(3)

        counted = await connection.fetchval("SELECT count(*) FROM counted_payment")

    assert (step.what, step.payments) == (f"holds, {caller.what}", 3)
    assert await life.faults() == []
    assert counted > 0, "caps and limits are checked"
    life.states["held"] += 1
    assert len(await life.faults()) == 1


def test_a_step_is_held_against_plain_payments_and_a_hold_with_its_capture() -> None:
    step = Step("", payments=100, seconds=2.0, gateway_cpu_us=30.0, postgres_cpu_us=20.0)
    steps = {what: [replace(step, what=what)] for what in STEPS}
    steps["holds"] = [replace(step, gateway_cpu_us=80.0)]

    made = {row.what: row for row in lifecycle.rows(steps)}

    assert made["captures"].ratio_of_medians == 1.0
    assert made["CPU each, holds"].ratio_of_medians == 2.0
    assert made["CPU each, hold and capture"].ratio_of_medians == 3.0


def test_a_call_that_was_refused_is_a_failure() -> None:
    answers = Answers(1.0, [201, 503, 503], [b"{}", b"away", b"away"], [0.1, 0.1, 0.1])

    assert answers.failures(201) == {"503 b'away'": 2}


async def test_payments_without_http_cost_processor_time_wal_and_disk(rig: Rig, ledger: Ledger) -> None:
    ours = await direct.pay(rig, ledger, 8, 0.2)
    await peer.create(rig)
    try:
        theirs = await direct.pay_peer(rig, 8, 0.2)
    finally:
        await rig.drop_database(peer.DATABASE)

    rows = in_postgres.rows("postgres", 8, [ours], [theirs], "a minimal ledger")

    assert ours.payments % 8 == theirs.payments % 8 == 0
    assert all(value > 0 for row in rows[:2] for value in (*row.ours, *row.theirs))
    assert 500 < ours.wal_each < 10_000
    assert (await books.check(rig, ledger)).faults == ()


def test_what_payments_cost_is_divided_by_how_many_they_are() -> None:
    cost = Direct(payments=200, cpu_seconds=0.02, wal_bytes=4_000, wal_image_bytes=99_999, disk_bytes=1_000)

    assert (cost.cpu_us, cost.wal_each, cost.disk_each) == (100.0, 20.0, 5.0)


def test_wal_is_what_its_records_have_without_page_images() -> None:
    said = """WAL statistics between 0/1000000 and 0/2000000:
Type                                           N      (%)          Record size      (%)             FPI size      (%)
----                                           -      ---          -----------      ---             --------      ---
Heap                                         154 ( 23.58)                10780 ( 20.00)                16384 ( 50.00)
                                        --------                      --------                      --------
Total                                        653                         53900 [62.19%]                32768 [37.81%]
"""

    assert direct.wal_of(said) == (53_900, 32_768)
    with pytest.raises(NotMeasured):
        direct.wal_of("pg_waldump: error")


def test_disk_is_that_of_the_tables_that_grew() -> None:
    before, after = {"payment": 8192, "account": 16384}, {"payment": 24576, "account": 8192, "event": 8192}

    assert direct.grown(before, after) == 16384 + 8192


async def test_a_revision_makes_its_own_town_and_pays_and_checks_it_by_its_own_code(rig: Rig) -> None:
    name, dsn = f"bench_{uuid4().hex}", rig.server.dsn
    try:
        await HERE.offer(dsn, rig.home, "settle", database=name, handles=_HANDLES, caller=PLAIN.name)
        paid = {"database": name, "handles": _HANDLES, "loaded": 0, "group": 4, "seconds": 0.2}
        told = await HERE.offer(dsn, rig.home, "direct", **paid)
        loaded = told.pop("loaded")
        assert loaded > Direct(**told).payments > 0, "those that only warmed up are in the ledger, too"

        tally = {"name": name, "handles": _HANDLES, "asked": 0, "acknowledged": 0, "refused": 0, "ids": []}
        right = await HERE.offer(dsn, rig.home, "check", loaded=loaded, **tally)
        wrong = await HERE.offer(dsn, rig.home, "check", loaded=loaded - 1, **tally)
    finally:
        await rig.drop_database(name)

    assert right == []
    assert wrong == ["1 payments are more than were asked for"]


async def test_a_revision_signs_its_people_in(rig: Rig) -> None:
    name, dsn = f"bench_{uuid4().hex}", rig.server.dsn
    try:
        await HERE.offer(dsn, rig.home, "settle", database=name, handles=_HANDLES, caller=SESSION.name)
        await HERE.offer(dsn, rig.home, "sign_in", database=name, run="b1")
        async with rig.connected(name) as connection:
            assert await connection.fetchval("SELECT count(*) FROM session_token") == _HANDLES
    finally:
        await rig.drop_database(name)


async def test_a_commit_that_is_not_there_or_is_too_old_is_not_measured(tmp_path: Path) -> None:
    for commit, why in (("no-such-commit", "no commit"), ("HEAD~100000", "no commit")):
        with pytest.raises(NotMeasured, match=why):
            async with revision.checked_out(commit, tmp_path / "checkout"):
                pass
    assert not (tmp_path / "checkout").exists()


def test_a_header_holds_the_payers_number_once_in_as_many_letters_as_every_key_has() -> None:
    headers = {name: caller.header("http://localhost:8000", "b7") % 12 for name, caller in CALLERS.items()}

    assert headers[PLAIN.name] == "Authorization: Bearer gw_" + "12".rjust(43, "0")
    assert headers[SESSION.name].splitlines()[1] == "Origin: http://localhost:8000"
    assert len({header.splitlines()[0] for header in headers.values()}) == len(CALLERS) - 1, "capped keys look alike"
