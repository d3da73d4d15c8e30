"""scripts/bench chain: the gateway it is measured in, its check of the books, and its baselines, small."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from gateway.embedded.children import Children
from gateway.embedded.postgres import Postgres
from gateway.ids import read, show
from tests.running import ROOT

sys.path.append(str(ROOT / "scripts"))  # what is there lies beside the product, not in it

from benchmarks import chain, client, token_parts, tokens
from benchmarks.bare import bare
from benchmarks.callers import SESSION
from benchmarks.chain import Setup
from benchmarks.client import Call
from benchmarks.rig import Rig

pytestmark = pytest.mark.anyio

#: Gives the authorization of a payment another state, and returns the one that it had.
_SET_STATE = """
    UPDATE token_authorization AS one SET state = $2 FROM token_authorization AS old, payment
    WHERE payment.id = $1 AND old.id = payment.authorization_id AND one.id = old.id RETURNING old.state"""


@pytest.fixture
async def rig(server: Postgres, tmp_path: Path) -> AsyncIterator[Rig]:
    """The tests' own server, and a home for everything else."""
    children = await Children.claim(tmp_path)
    yield Rig(tmp_path, children, server)
    await children.release()


@pytest.fixture(scope="module")
async def setup(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setup]:
    """A gateway, a worker and a chain, and three handles with tokens, for all tests that make lone payments."""
    home = tmp_path_factory.mktemp("setup")
    children = await Children.claim(home)
    async with chain.setup_with_tokens(Rig(home, children, server), 3) as setup:
        yield setup
    await children.release()


async def test_a_lone_token_payment_is_timed_until_it_is_settled_and_its_books_are_right(setup: Setup) -> None:
    before = await setup.connection.fetchval("SELECT count(*) FROM payment")
    seconds = await chain.lone(setup)

    checked = await tokens.check(setup.rig, setup.ledger)

    assert seconds > 2 * chain.BLOCK_SECONDS, "two blocks stand on top of a final one"
    assert checked.faults == ()
    assert checked.payments == checked.acknowledged == before + 1


async def test_the_fullest_batch_is_told_with_its_gas(setup: Setup) -> None:
    since = await setup.connection.fetchval("SELECT now()")
    await chain.lone(setup)

    gas, payments = await chain.fullest(setup, since)

    assert payments == 1
    assert 50_000 < gas < 100_000


async def test_what_was_acknowledged_and_is_not_settled_on_the_chain_is_a_fault(setup: Setup) -> None:
    await chain.lone(setup)
    found = setup.lone_ids.read_text()
    setup.lone_ids.write_text(found + show("pay", uuid4()) + "\n")
    setup.ledger.asked += 1
    setup.ledger.acknowledged += 1
    paid = read("pay", found.splitlines()[-1])
    was = await setup.connection.fetchval(_SET_STATE, paid, "skipped")
    try:
        checked = await tokens.check(setup.rig, setup.ledger)
    finally:
        await setup.connection.fetchval(_SET_STATE, paid, was)
        setup.lone_ids.write_text(found)
        setup.ledger.asked -= 1
        setup.ledger.acknowledged -= 1

    assert checked.faults == (
        "1 acknowledged payments are not settled",
        "1 payments and final logs have no other half",
    )


async def test_tokens_are_paid_by_sessions_that_count_against_a_limit(rig: Rig) -> None:
    async with chain.setup_with_tokens(rig, 3, "sessions", caller=SESSION) as setup:
        await rig.sign_in(setup.ledger, "b1")
        body = msgspec.json.encode({"to": "@h0000001", "amount": "0.20", "asset": tokens.PAID_IN})
        header = SESSION.header(setup.gateway.origin, "b1")
        answers = await client.send(setup.gateway.url, header, [Call("/v1/payments", 0, "one", body)], 1)
        await tokens.until_settled(setup.connection)

        assert answers.failures(202) == {}
        assert await setup.connection.fetchval("SELECT count(*) FROM counted_payment") > 0
        setup.lone_ids.write_text(f"{answers.ids()[0]}\n")
        setup.ledger.asked = setup.ledger.acknowledged = 1
        assert (await tokens.check(setup.rig, setup.ledger)).faults == ()


async def test_the_parts_of_a_token_payment_are_measured_without_a_chain(rig: Rig) -> None:
    parts = await token_parts.lives(rig, "parts", 300, 1)

    assert parts.payments == token_parts.BATCH
    assert all(parts.us_of(part) > 0 for part in token_parts.PARTS)
    assert 1_000 < parts.wal_each < 20_000
    assert parts.rows["transfer"] == ((token_parts.BATCH + 1) / token_parts.BATCH, 0, 0), "and one of the gas"
    assert parts.rows["staged_payment"] == (1, 1, 1), "changed once, and in no index"
    assert parts.rows["token_authorization"][:2] == (1, 2)


async def test_the_baselines_are_mined_by_a_chain_without_a_gateway(rig: Rig) -> None:
    async with bare(rig) as beside:
        before = await beside.signed_before(2)
        one_by_one = await beside.one_at_a_time(0.5)

    assert before > one_by_one > 0
