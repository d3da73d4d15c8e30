"""scripts/bench: the table it prints, what its page says of it, and that its check of the books finds what is wrong."""

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from gateway.api.payments.shapes import PaymentView
from gateway.embedded.postgres import Postgres
from gateway.ids import show
from tests.running import ROOT

sys.path.append(str(ROOT / "scripts"))  # what is there lies beside the product, not in it

from benchmarks import books, town
from benchmarks.bench import Bench, Measured
from benchmarks.compare import Row, Target, microseconds_each, summary, table
from benchmarks.figures import FIGURES
from benchmarks.legs import Leg, cpu_rows
from benchmarks.machine import cpu_seconds, family_cpu_seconds, resident_bytes, sync_seconds
from benchmarks.names import NAMES, parsed
from benchmarks.rig import Ledger, Rig
from benchmarks.served import VARIANTS
from benchmarks.wrk import check_in_flight

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(server: Postgres, tmp_path: Path) -> Rig:
    """The tests' own server; no gateway is started in it."""
    return Rig(tmp_path, children=None, server=server)


@pytest.fixture
async def lived(rig: Rig, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Ten handles and twenty payments between them, all of which were acknowledged."""
    ledger = await town.settle(rig, f"bench_{uuid4().hex}", 10)
    await town.live(rig, ledger, 60)
    async with rig.connected(ledger.name) as connection:
        ids = await connection.fetch("SELECT id FROM payment")
    ledger.ids = [tmp_path / "ids"]
    ledger.ids[0].write_text("".join(show("pay", row["id"]) + "\n" for row in ids))
    ledger.asked, ledger.acknowledged, ledger.loaded = 20, 20, 0
    yield ledger
    await rig.drop_database(ledger.name)


async def test_right_books_have_no_fault(rig: Rig, lived: Ledger) -> None:
    checked = await books.check(rig, lived)

    assert checked.faults == ()
    assert checked.payments == 20


async def test_an_acknowledged_payment_that_is_not_there_is_a_fault(rig: Rig, lived: Ledger) -> None:
    with lived.ids[0].open("a") as ids:
        ids.write(show("pay", uuid4()) + "\n")
    lived.asked = lived.acknowledged = 21

    checked = await books.check(rig, lived)

    assert checked.faults == ("1 acknowledged payments are not there",)


async def test_a_payment_that_is_answered_to_two_requests_is_a_fault(rig: Rig, lived: Ledger) -> None:
    again = lived.ids[0].read_text().splitlines()[0]
    with lived.ids[0].open("a") as ids:
        ids.write(again + "\n")
    lived.asked = lived.acknowledged = 21

    checked = await books.check(rig, lived)

    assert checked.faults == ("1 ids were answered twice",)


async def test_a_payment_that_was_refused_and_is_there_is_a_fault(rig: Rig, lived: Ledger) -> None:
    lines = lived.ids[0].read_text().splitlines(keepends=True)
    lived.ids[0].write_text("".join(lines[1:]))
    lived.acknowledged, lived.refused = 19, 1

    checked = await books.check(rig, lived)

    assert checked.faults == ("20 payments are more than were asked for",)


async def test_an_unanswered_payment_may_be_there_or_not(rig: Rig, lived: Ledger) -> None:
    lines = lived.ids[0].read_text().splitlines(keepends=True)
    lived.ids[0].write_text("".join(lines[1:]))
    lived.acknowledged, lived.asked = 19, 25

    checked = await books.check(rig, lived)

    assert checked.faults == ()
    assert checked.unanswered == 6


async def test_money_that_a_payment_has_no_entries_for_is_a_fault(rig: Rig, lived: Ledger) -> None:
    async with rig.connected(lived.name) as connection:
        await connection.execute("ALTER TABLE ledger_payment DISABLE TRIGGER ALL")
        await connection.execute(
            "UPDATE ledger_payment SET amount = amount + 1 WHERE event = (SELECT max(id) FROM event)"
        )

    checked = await books.check(rig, lived)

    assert len(checked.faults) == 4, checked.faults  # counters and balances of two accounts


@pytest.mark.filterwarnings("ignore:.*body marker")  # of what Litestar 3 will want
async def test_the_handler_that_does_nothing_answers_as_a_payment_is_answered() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(VARIANTS["empty"](None))) as client:
        answer = await client.post("http://x/v1/payments", json={"to": "@h0000001", "amount": "0.01", "asset": "EUR"})
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == set(PaymentView.__struct_encode_fields__)


def test_a_row_has_the_ratio_of_the_medians_and_those_of_the_pairs() -> None:
    row = Row("single", "64", "/s", (700.0, 900.0, 800.0), (1000.0, 900.0, 1600.0), "empty", Target(at_least=0.8))

    assert row.ratio_of_medians == 0.8
    assert row.pairwise == (0.7, 1.0, 0.5)


def test_a_target_is_met_only_when_both_ratios_meet_it() -> None:
    ours, theirs = (700.0, 900.0, 800.0), (1000.0, 900.0, 1600.0)

    assert Row("single", "64", "/s", ours, theirs, "empty", Target(at_least=0.7)).met is True
    assert Row("single", "64", "/s", ours, theirs, "empty", Target(at_least=0.75)).met is False  # the pairs' is 0.7
    assert Row("single", "64", "/s", ours, theirs, "empty").met is None


def test_what_is_held_against_nothing_meets_its_target_by_its_median() -> None:
    assert Row("reads", "balance", "ms", (0.5, 9.0, 1.9), target=Target(below=2)).met is True
    assert Row("reads", "balance", "ms", (0.5, 9.0, 2.0), target=Target(below=2)).met is False


def test_the_table_says_what_was_aimed_at_and_whether_it_was_met() -> None:
    met = Row("single", "64", "/s", (7000.0,), (10000.0,), "an empty POST", Target(at_least=0.7))
    missed = Row("hot", "64", "ms", (0.123,), (0.1,), "all pay all", Target(below=1.1))

    _, first, second = table([met, missed]).splitlines()

    assert re.split("  +", first) == [
        *("single", "64", "7,000 /s", "(7,000 to 7,000)", "an empty POST", "10,000", "(10,000 to 10,000)"),
        *("0.70", "0.70", "≥ 0.7", "met"),
    ]
    assert second.endswith("< 1.1  NOT MET")


def test_the_ratio_is_of_the_medians_and_one_wild_leg_does_not_move_it() -> None:
    calm = Row("hot", "64", "/s", (900.0, 1000.0, 1100.0), (500.0, 500.0, 500.0), "all pay all")
    wild = Row("hot", "64", "/s", (900.0, 1000.0, 9_999.0), (500.0, 500.0, 1.0), "all pay all")

    assert calm.ratio_of_medians == wild.ratio_of_medians == 2.0


def test_the_error_of_a_ratio_is_told_where_there_are_enough_rounds_for_it() -> None:
    theirs = (1000.0,) * 9
    ours = (880.0, 920.0, 860.0, 940.0, 900.0, 880.0, 920.0, 860.0, 10.0)
    few = Row("events", "200 streams", "/s", ours[:4], theirs[:4], "no streams")
    many = Row("events", "200 streams", "/s", ours, theirs, "no streams")

    assert few.error is None
    assert many.error == pytest.approx(1.2533 * 1.4826 * 0.02 / 3, rel=0.01), "one wild round does not count"
    assert table([many]).endswith("0.88 ± 0.01")


async def test_a_ratio_is_measured_in_turn_until_it_is_exact_enough(rig: Rig) -> None:
    turns: list[str] = []
    rates = iter(range(1_000, 1_000_000, 1_700))

    def side(name: str, exact: bool) -> Callable[[float], Awaitable[Leg]]:
        async def leg(seconds: float) -> Leg:
            turns.append(name)
            paid = 10_000 if exact else next(rates)
            return Leg(name, 64, 1.0, paid, paid, 0, 0, "", 1.0, 2.0, 1.0, 1.0, 1.0)

        return leg

    bench = Bench(rig, 1, warm_seconds=1, rounds=3, quick=False)
    alike = await bench.turns_for_a_ratio(Measured(), side("a", exact=True), side("b", exact=True))
    unlike = await bench.turns_for_a_ratio(Measured(), side("a", exact=True), side("b", exact=False))

    assert [len(legs) for legs in (*alike, *unlike)] == [11, 11, 30, 30]
    assert turns == ["a", "a", "b", "b"] * 41, "each is warmed up, then measured"


def test_time_per_payment_is_divided_by_the_payments_and_never_by_none() -> None:
    assert microseconds_each(0.5, 1_000) == 500.0
    with pytest.raises(ValueError, match="nothing was paid"):
        microseconds_each(0.5, 0)


def test_the_summary_has_every_row_and_says_what_was_left_out_and_why() -> None:
    rows = [
        Row("callers", "sessions", "/s", (50.0, 60.0, 70.0), (600.0, 700.0, 500.0), "plain keys"),
        Row("chain", "alone, to settled", "s", (1.5,)),
    ]

    assert summary(rows, {"bulk": "could not be measured: pgbench is not here"}).splitlines() == [
        "| figure | measured | against | ratio |",
        "| --- | --- | --- | --- |",
        "| callers: sessions | 60.0 /s | plain keys, 600 /s | 0.10 |",
        "| chain: alone, to settled | 1.5 s |  |  |",
        "",
        "Left out:",
        "- bulk: could not be measured: pgbench is not here",
    ]


@pytest.mark.parametrize(("unanswered", "each"), [(65, 1), (-1, 1), (64_001, 1_000)])
def test_requests_that_were_counted_and_never_sent_are_an_error(unanswered: int, each: int) -> None:
    with pytest.raises(RuntimeError, match="unanswered"):
        check_in_flight(unanswered, each, 64)


def test_what_is_in_flight_when_the_clients_leave_is_no_error() -> None:
    check_in_flight(64, 1, 64)
    check_in_flight(2_000, 1_000, 2)


def test_there_is_no_ratio_to_a_side_that_does_without_a_part() -> None:
    ours = Leg(
        "payments", 64, 1.0, 100, 100, 0, 0, "", 1.0, 2.0, gateway_cpu_us=150, postgres_cpu_us=150, wrk_cpu_us=20
    )
    empty = Leg("empty", 64, 1.0, 100, 100, 0, 0, "", 1.0, 2.0, gateway_cpu_us=120, postgres_cpu_us=0.5, wrk_cpu_us=20)

    ratios = {row.what: row.ratio_of_medians for row in cpu_rows("single", "64", [ours], [empty], "an empty POST")}

    assert ratios == {"gateway CPU each, 64": 1.25, "PostgreSQL CPU each, 64": None, "wrk CPU each, 64": 1.0}


def test_processor_time_is_that_of_the_process_and_of_children_that_have_ended() -> None:
    own, family = cpu_seconds(os.getpid()), family_cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", "for _ in range(3_000_000): pass"], check=True)  # a child, and it ends

    assert cpu_seconds(os.getpid()) - own < family_cpu_seconds(os.getpid()) - family


def test_the_machine_is_asked_and_not_guessed(tmp_path: Path) -> None:
    took = sync_seconds(tmp_path, 5)

    assert len(took) == 5
    assert min(took) > 0
    assert list(tmp_path.iterdir()) == []
    assert resident_bytes(os.getpid()) > 2**20


def test_help_is_printed_without_the_gateway_and_without_setting_anything_up() -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    bare = [sys.executable, "-S", "-m", "benchmarks.names", "--help"]  # -S: without any installed package

    told = subprocess.run(bare, env=environ, capture_output=True, text=True, check=True).stdout

    assert all(f"  {name} " in told for name in NAMES)
    assert "benchmarks.names --help" in (ROOT / "scripts" / "bench").read_text()


def test_every_name_has_a_function_that_says_the_same() -> None:
    assert {name: (figure.__doc__ or "").splitlines()[0] for name, figure in FIGURES.items()} == NAMES


def test_all_is_measured_where_nothing_is_named_and_nothing_unknown_is() -> None:
    assert parsed([]).names == list(NAMES)
    assert parsed(["hot"]).names == ["hot"]
    with pytest.raises(SystemExit):
        parsed(["cold"])
    with pytest.raises(SystemExit):
        parsed(["against"])  # of what?


def test_the_page_about_speed_lists_what_can_be_measured() -> None:
    page = ROOT / "gateway" / "docs" / "design" / "speed.md"
    rows = re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE)

    assert rows == list(FIGURES)
