"""One day by itself, over a database and a chain that are made for it and go with it."""

import random
from pathlib import Path

from gateway.config.environment import from_environment
from gateway.ledger import ledger
from gateway.money import Assets
from gateway.postgres.pool import connect
from tests.anvils import running_anvil
from tests.databases import fresh_database
from tests.factory import NOW
from tests.simulation.day import Report, live_through

ONE_TOKEN: Assets = from_environment({}).assets
TWO_TOKENS: Assets = from_environment({"GATEWAY_TOKENS": "USDX:USD:6,EURX:EUR:18"}).assets

#: The time of block 0, in Unix seconds: a little before the day begins.
_GENESIS = int(NOW.timestamp()) - 60


def size_of(seed: int) -> int:
    """How many payments a seed's day has, where nobody says."""
    return random.Random(f"size of {seed}").randint(40, 80)


async def day(dsn: str, template: str, home: Path, seed: int, payments: int | None = None) -> Report:
    """The day of a seed; every third has two tokens. `dsn` is of a server that has the template of a migrated database.

    Raises Violation, which says the seed, the step, what was not true and the last acts.
    """
    assets = TWO_TOKENS if seed % 3 == 0 else ONE_TOKEN
    async with (
        fresh_database(dsn, template) as url,
        connect(url) as database,
        connect(url, connections=1) as spectator,
    ):
        async with database.transaction() as connection:
            await ledger.declare(connection, assets)
        with running_anvil(home / f"anvil-{seed}", "--timestamp", str(_GENESIS)) as chain:
            return await live_through(seed, payments or size_of(seed), database, spectator, chain, assets)
