"""reconcile, against a running `up`."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.postgres import pool
from tests.processes import HANG_SECONDS
from tests.running import Up


def test_reconcile_finds_no_difference_in_books_that_agree(up: Up) -> None:
    found = up.gateway("reconcile")

    assert found.returncode == 0, found.stdout + found.stderr
    heads, usdx, *_ = found.stdout.splitlines()
    assert heads.split("  ")[0] == "token"
    assert usdx.startswith("USDX")
    assert found.stdout.endswith("\nno difference\n")


def test_a_second_up_of_one_home_is_told_that_it_runs_already_and_where(up: Up) -> None:
    url = up.place("api_url")
    for port in (url.rpartition(":")[2], "0"):
        second = up.gateway("up", GATEWAY_PORT=port)
        assert second.returncode == 1
        assert second.stderr == (
            f"gateway: {up.home} is running already at {url}, as process {up.process.pid}: use that one, stop it "
            "first, or give this one a GATEWAY_HOME and a GATEWAY_PORT of its own\n"
        )


def test_a_difference_freezes_withdrawals_of_its_asset_until_they_are_unfrozen(up: Up) -> None:
    carol = up.someone("carol_of_the_freeze", THB="10.00", JPY="10")
    with bank_says_more(up, "THB", 5):
        found, as_json = up.gateway("reconcile"), up.gateway("reconcile", "--json")
        until_frozen(up)
        shown = up.gateway("withdrawals")
        refused = up.gateway("withdraw", "1.00", "THB", "--from", carol)
        others = up.gateway("withdraw", "1", "JPY", "--from", carol)
        too_early = up.gateway("withdrawals", "unfreeze", "THB")
    unfrozen, again = up.gateway("withdrawals", "unfreeze", "THB"), up.gateway("withdrawals", "unfreeze", "THB")
    paid_out = up.gateway("withdraw", "1.00", "THB", "--from", carol)

    assert shown.stdout.startswith("withdrawals of THB are frozen since 20")
    assert "bank:THB" in shown.stdout
    assert "withdrawals of THB are stopped since" in refused.stderr
    assert "bank:THB has 10.00 THB in the ledger and 10.05 THB by the bank's statement" in too_early.stderr
    assert again.stderr == "gateway: there is no freeze of THB: its withdrawals go on\n"
    assert unfrozen.stdout.startswith("everything adds up: withdrawals of THB, frozen since 20")
    assert [ran.returncode for ran in (refused, others, too_early, unfrozen, again, paid_out)] == [1, 0, 1, 0, 1, 0]
    assert up.gateway("withdrawals").stdout == "no withdrawals are frozen\n"

    assert (found.returncode, as_json.returncode) == (1, 1)
    assert "1 difference:" in found.stdout
    last = [cell.strip() for cell in found.stdout.splitlines()[-1].split("  ") if cell]
    assert last == ["bank:THB", "10.00 THB", "10.05 THB", "the bank's statement"]
    assert '"account": "bank:THB"' in as_json.stdout


def test_a_local_chain_that_has_lost_final_blocks_is_not_gone_on_with(up: Up) -> None:
    with ledger_ahead_of_the_chain(up, 1_000):
        refused = up.gateway("deploy")
    gone_on = up.gateway("deploy")

    assert refused.returncode == 1
    assert refused.stderr.startswith("gateway: this is not the chain the ledger was kept with: it ends at block ")
    assert "restore the chain's state, or start over" in refused.stderr
    assert gone_on.returncode == 0, gone_on.stderr


def until_frozen(up: Up) -> None:
    """Until a worker has seen it twice."""
    until = time.monotonic() + HANG_SECONDS
    while not up.json("withdrawals")["frozen"]:
        assert time.monotonic() < until, "no worker has frozen anything"


@contextmanager
def bank_says_more(up: Up, asset: str, units: int) -> Iterator[None]:
    """A line on the bank's statement that nobody has paid in."""

    async def execute(statement: str, *arguments: object) -> None:
        url = up.place("database_url")
        async with pool.connect(url, 1, "a test") as database, database.transaction() as connection:
            await connection.execute(statement, *arguments)

    add = (
        "INSERT INTO sandbox_bank_line (reference, asset, amount, balance, booked_at) "
        "SELECT 'nobody', $1, $2::bigint, balance + $2, now() FROM sandbox_bank_line "
        "WHERE asset = $1 ORDER BY id DESC LIMIT 1"
    )
    asyncio.run(execute(add, asset, units))
    try:
        yield
    finally:
        asyncio.run(execute("DELETE FROM sandbox_bank_line WHERE reference = 'nobody'"))


@contextmanager
def ledger_ahead_of_the_chain(up: Up, blocks: int) -> Iterator[None]:
    """As when the chain was put back to an older copy of itself, and the ledger was not."""

    async def ahead(by: int) -> None:
        async with pool.connect(up.place("database_url"), 1) as database, database.transaction() as connection:
            await connection.execute("UPDATE chain_cursor SET number = number + $1", by)

    asyncio.run(ahead(blocks))
    try:
        yield
    finally:
        asyncio.run(ahead(-blocks))
