"""reconcile, against a running `up`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway import postgres
from tests.running import Up


def test_reconcile_finds_no_difference_in_an_honest_house(up: Up) -> None:
    found = up.gateway("reconcile")

    assert found.returncode == 0, found.stdout + found.stderr
    heads, usdx, *_ = found.stdout.splitlines()
    assert heads.split("  ")[0] == "token"
    assert usdx.startswith("USDX")
    assert found.stdout.endswith("\nno difference\n")


def test_reconcile_names_every_difference_and_has_the_status_1(up: Up) -> None:
    with bank_says_more(up, "THB", 5):
        found, as_json = up.gateway("reconcile"), up.gateway("reconcile", "--json")

    assert (found.returncode, as_json.returncode) == (1, 1)
    assert "1 difference:" in found.stdout
    last = [cell.strip() for cell in found.stdout.splitlines()[-1].split("  ") if cell]
    assert last == ["bank:THB", "0.00 THB", "0.05 THB", "the bank's statement"]
    assert '"account": "bank:THB"' in as_json.stdout


@contextmanager
def bank_says_more(up: Up, asset: str, units: int) -> Iterator[None]:
    """A line on the bank's statement that nobody has paid in."""

    async def execute(statement: str, *arguments: object) -> None:
        url = up.place("database_url")
        async with postgres.connect(url, 1, "a test") as database, database.transaction() as connection:
            await connection.execute(statement, *arguments)

    add = (
        "INSERT INTO sandbox_bank_line (reference, asset, amount, balance, booked_at) "
        "VALUES ('nobody', $1, $2::bigint, $2::bigint, now())"
    )
    asyncio.run(execute(add, asset, units))
    try:
        yield
    finally:
        asyncio.run(execute("DELETE FROM sandbox_bank_line WHERE reference = 'nobody'"))
