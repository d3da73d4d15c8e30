"""Seeded days of faults: whatever happens, each payment is settled once or fails with a reason, and the ledger is
right.

`scripts/simulate --seed N` lives through any of them again and says what happened. More of them: `--seeds 60`.
"""

from collections import Counter
from pathlib import Path

import pytest

from gateway.embedded.postgres import Postgres
from gateway.worker.jobs import JOBS
from tests.conftest import seeds
from tests.simulation import staff
from tests.simulation.day import Report
from tests.simulation.run import day

pytestmark = pytest.mark.anyio

SEEDS = 30

#: What has to have happened in these days, or they would show nothing.
HAPPENED = {
    *("killed before commit", "killed after commit", "killed while signing", "killed asking the node"),
    *("killed before send", "killed after send", "unanswered before send", "unanswered after send"),
    *("unanswered asking the node", "asleep before send", "asleep after commit", "asleep asking the node", "woken"),
    *("the gateway was cut before its commit", "the gateway was cut after its commit", "a key was repeated"),
    *("reorganised with transactions", "dropped", "a node went away", "a node came back behind"),
    *("a node forgets what it is sent next", "a relayer's nonce was used by others", "a relayer was resumed"),
    *("another node: lags", "another node: pruned", "another node: indexing", "another node: late_receipts"),
    *("another node: batch_most", "another node: range_most", "another node: status", "another node: refusal"),
    *("gas got dear", "a relayer ran dry", "a relayer was filled", "a token was paused", "somebody was frozen"),
    *("a stranger sent tokens in", "strangers paid each other", "a stranger relayed a leaked authorization"),
    *("an owner emptied their address", "an owner redeemed at the contract", "an owner cancelled a payment"),
    *("an owner signed another message", "an hour passed"),
    *("an address was bound amid faults", "a binding was refused: payments_under_way"),
    *("nobody knows whether an address is bound", "a payment was signed at once", "a payment was signed late"),
    *("a payment was signed twice", "a wrong signature was refused", "a signature came too late"),
    *("an owner relayed a payment of theirs", "an owner emptied the address that they left", "a refund was signed"),
    "a stranger sent tokens to an address that was left",
    "a stranger sent tokens to an address that is not bound yet",
    *("what its owner relayed was settled", "a sweep is settled", "a sweep is gone", "a sweep was tried again"),
}

#: How requests have to have ended in these days.
ENDED = {
    *("payment settled", "payment failed: insufficient_balance", "payment failed: canceled", "payment failed: expired"),
    *("payment failed: nonce_used_otherwise", "payment failed: account_frozen", "refund settled"),
    *("hold settled", "hold voided", "hold expired", "conversion settled", "conversion failed: expired"),
    *("payment expired", "refund expired", "refused: own_key"),
    *("refused: insufficient_funds", "refused: state_conflict"),
}


@pytest.fixture(scope="module")
def lived() -> dict[int, Report]:
    """The days that have been lived through in this run."""
    return {}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("days")


@pytest.mark.seeds(SEEDS)
async def test_in_a_day_of_faults_each_payment_settles_once_or_fails_with_a_reason(
    seed: int, lived: dict[int, Report], server: Postgres, template: str, home: Path
) -> None:
    lived[seed] = await day(server.dsn, template, home, seed)


@pytest.mark.timeout(1800)  # by itself it lives through all of them
async def test_every_fault_and_every_end_came_to_pass_in_these_days(
    lived: dict[int, Report], server: Postgres, template: str, home: Path, pytestconfig: pytest.Config
) -> None:
    seen, ends = Counter[str](), Counter[str]()
    for seed in seeds(pytestconfig, SEEDS):
        report = lived.get(seed) or await day(server.dsn, template, home, seed)
        seen += report.seen
        ends += report.ends

    assert HAPPENED - seen.keys() == set()
    assert ENDED - ends.keys() == set()
    assert ends["payment settled"] > sum(ends.values()) / 3


def test_a_day_does_every_job_that_a_worker_has() -> None:
    assert {job.name for job in JOBS} == staff.OFTEN.keys()


async def test_a_seed_is_the_same_day_each_time(server: Postgres, template: str, home: Path) -> None:
    first, second = [await day(server.dsn, template, home, 3, payments=25) for _ in range(2)]

    assert first.diary == second.diary
    assert first.digest == second.digest
    assert first.digest != (await day(server.dsn, template, home, 4, payments=25)).digest
