"""Mixed groups of payments at once are answered as if they were asked for one by one (groups/both.py).

A seed is a crowd of its own and GROUPS groups: `scripts/test tests/api/test_groups.py --seeds 40` runs a thousand.
"""

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

import pytest

from gateway.embedded.postgres import Postgres
from gateway.money import Assets
from tests.api.groups.both import Both
from tests.api.groups.crowd import founded
from tests.api.groups.draw import Draw
from tests.api.groups.model import model_of
from tests.api.groups.world import World, world
from tests.conftest import seeds
from tests.databases import fresh_database, name_of

pytestmark = pytest.mark.anyio

#: How many seeds the ordinary suite runs, and groups of each.
SEEDS, GROUPS = 4, 25

#: What has to have been answered in these groups, or they would show nothing.
ANSWERED = {
    *("good: 201", "good: 202", "good: 409 insufficient_funds", "good: 201 again", "good: 422 idempotency_key_reused"),
    *("too dear: 201", "too dear: 409 insufficient_funds", "unknown payee: 404 unknown_payee"),
    *("to oneself: 422 self_payment", "bad key: 401 unauthenticated", "bad key: 403 forbidden"),
    *("capped: 201", "capped: 202", "capped: 409 cap_exceeded", "capped: 409 insufficient_funds"),
    *("beyond the cap: 409 cap_exceeded", "draw: 201", "draw: 409 mandate_exceeded", "frozen: 409 wallet_frozen"),
    *("hold: 201", "hold: 409 insufficient_funds", "capture: 200", "capture: 409 state_conflict", "void: 200"),
    *("guarded: 201", "guarded: 202", "session: 202", "refund: 201", "refund: 409 refund_exceeds_payment"),
    *("payroll: 200", "malformed: 422 invalid_amount"),
}


@dataclass(frozen=True)
class Lived:
    """What was answered, and how many keys each transaction of the first world and of the second kept on average."""

    answered: Counter[str]
    together: float
    alone: float


@pytest.fixture(scope="module")
def lived() -> dict[int, Lived]:
    """The seeds that have been lived through in this run."""
    return {}


async def live(seed: int, server: Postgres, template: str, assets: Assets) -> Lived:
    """All groups of a seed, in both worlds."""
    chance = Random(f"groups of {seed}")
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(fresh_database(server.dsn, template))
        crowd = await founded(base, assets)
        copies = [fresh_database(server.dsn, name_of(base)) for _ in range(2)]
        first, second = [await stack.enter_async_context(copy) for copy in copies]
        maximum, at_once = chance.choice([(64, 1), (64, 1), (8, 1), (16, 3)])
        together = await stack.enter_async_context(world(first, assets, crowd, maximum, at_once))
        alone = await stack.enter_async_context(world(second, assets, crowd))
        both = Both(together, alone, Draw(chance, crowd, await model_of(crowd, together)))
        await both.live(GROUPS)
        return Lived(both.seen, await _kept_at_once(together), await _kept_at_once(alone))


async def _kept_at_once(world: World) -> float:
    async with world.api.services.database.reading() as connection:
        asked = """SELECT count(*)::float8 / count(DISTINCT written) FROM (
            SELECT xmin::text AS written FROM idempotency_key
            UNION ALL SELECT xmin::text FROM ledger_payment WHERE idempotency_hash IS NOT NULL
        ) AS kept"""
        return float(await connection.fetchval(asked))


@pytest.mark.seeds(SEEDS)
async def test_a_group_is_answered_as_its_payments_would_be_one_by_one(
    seed: int, lived: dict[int, Lived], server: Postgres, template: str, assets: Assets
) -> None:
    lived[seed] = await live(seed, server, template, assets)


async def test_in_these_groups_all_that_can_be_answered_was_and_they_share_commits(
    lived: dict[int, Lived], server: Postgres, template: str, assets: Assets, pytestconfig: pytest.Config
) -> None:
    answered = Counter[str]()
    for seed in seeds(pytestconfig, SEEDS):
        one = lived.get(seed) or await live(seed, server, template, assets)
        answered += one.answered
        assert one.together > 1.5
        assert one.alone < 1.2, "all but a batch keep one key"

    assert ANSWERED - answered.keys() == set()
