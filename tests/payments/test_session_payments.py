"""Payments in sessions that one statement settles or holds by itself: only such as the checks let through, and most of
those.

`sessions_with_room` (schema/11_check_payments.sql) finds in one statement that no check applies; session.py and the
checks decide with their reasons. Hypothesis drives both over sessions, policies and days that are partly spent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from gateway.errors import Unauthenticated
from gateway.idempotency import Claim
from gateway.identity.sign_in import session
from gateway.identity.sign_in.session import FRESH, LASTS, ROTATES_AFTER
from gateway.money import Money
from gateway.payments import pay
from gateway.payments.checks import policy
from gateway.payments.checks.policy import DAY, FIRST_DAY
from gateway.payments.model.payment import Payment
from gateway.payments.model.plain import NeedsChecks, NotDone, Undecided
from gateway.payments.model.policy import Limit, Policy
from gateway.payments.pay import PayRequest
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.hold import HeldFirst
from gateway.payments.rails.ledger import LedgerPayment, Settled
from gateway.postgres.pool import Connection
from gateway.secret import hash_of
from tests.factory import NOW
from tests.payments.avenue import COUNTED, HOUR, KNOW, MINUTE, TICK, WAYS, Avenue, Signed
from tests.payments.test_settle_payments import undone

pytestmark = pytest.mark.anyio


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """A value that lets payments through, and others."""
    return st.sampled_from([usual] * 12 + list(others))


def near(*times: timedelta) -> list[timedelta]:
    """How long ago: at these, and a moment before and after."""
    return [time + moment for time in times for moment in (-TICK, timedelta(), TICK)]


cents = st.integers(1, 3000) | st.sampled_from([9_999, 10_000, 10_001])


@dataclass(frozen=True)
class Case:
    """alice's session and wallet, whom she pays, what her day has spent, and what she asks for."""

    guarded: bool
    guarded_ago: timedelta
    sign_in_method: str
    begun_ago: timedelta
    token_after: timedelta
    token_replaced: bool
    ended: bool
    expires_in: timedelta
    passkey_ago: timedelta
    frozen: bool
    limit: tuple[int, int] | None
    approve_new_payee: bool
    changed_payee_days: int
    new_device_hours: int
    undo_seconds: int
    known: bool
    trusted: bool
    recovered_ago: timedelta | None
    moved_ago: timedelta | None
    spent: tuple[tuple[timedelta, int], ...]
    asked: tuple[int, ...]


cases = st.builds(
    Case,
    guarded=mostly(True, False),
    guarded_ago=mostly(9 * DAY, *near(FIRST_DAY), HOUR),
    sign_in_method=mostly("passkey", "ethereum", "recovery_code"),
    begun_ago=mostly(MINUTE, *near(FRESH), ROTATES_AFTER),
    token_after=mostly(timedelta(), MINUTE, -TICK),
    token_replaced=mostly(False, True),
    ended=mostly(False, True),
    expires_in=mostly(LASTS, *near(timedelta())),
    passkey_ago=mostly(9 * DAY, *near(DAY), HOUR),
    frozen=mostly(False, True),
    limit=st.none() | st.tuples(cents, st.integers(0, 9000)).map(lambda both: (both[0], sum(both))),
    approve_new_payee=st.booleans(),
    changed_payee_days=st.sampled_from([0, 7, 365]),
    new_device_hours=st.sampled_from([0, 2, 24]),
    undo_seconds=st.sampled_from([0, 30]),
    known=mostly(True, *[False] * 4),
    trusted=st.booleans(),
    recovered_ago=mostly(None, *near(7 * DAY), HOUR),
    moved_ago=mostly(None, *near(7 * DAY), HOUR),
    spent=st.lists(st.tuples(st.sampled_from([*near(DAY), HOUR, 12 * HOUR]), cents), max_size=3).map(tuple),
    asked=st.lists(cents, min_size=1, max_size=3).map(tuple),
)


async def arranged(connection: Connection, avenue: Avenue, case: Case, way: str) -> None:
    """The rows of the case, in the caller's transaction."""
    alice, bob = avenue.alice.wallet.id, avenue.bob.id
    run = connection.execute
    asset = avenue.assets[WAYS[way][0]]

    def money(units: int) -> Money:
        return Money(units * 10 ** (asset.decimals - 2), asset)

    await policy.write(connection, alice, Policy({asset.code: Limit(money(10**9), money(10**9))}), [])
    for ago, units in sorted(case.spent, reverse=True):
        paid = PayRequest("@bob", money(units))
        await pay.pay_together(connection, avenue.settings, [(avenue.alice.wallet, paid)], NOW - ago)
    if not case.guarded:
        for table in ("policy_limit", "policy"):
            await run(f"DELETE FROM {table} WHERE wallet_id = $1", alice)
        await run("UPDATE wallet SET guarded = false WHERE id = $1", alice)
    await run("DELETE FROM known_payee WHERE wallet_id = $1", alice)
    if case.known:
        await run(KNOW, alice, bob, NOW - HOUR)
    limits = {} if case.limit is None else {asset.code: Limit(*map(money, case.limit))}
    if case.guarded:
        of = Policy(
            limits, case.approve_new_payee, True, case.changed_payee_days, case.new_device_hours, case.undo_seconds
        )
        await policy.write(connection, alice, of, [(bob, None)] if case.trusted else [])
        await run("UPDATE policy SET since = $2 WHERE wallet_id = $1", alice, NOW - case.guarded_ago)
    if case.recovered_ago is not None:
        await run("UPDATE wallet SET recovered_at = $2 WHERE id = $1", bob, NOW - case.recovered_ago)
    if case.moved_ago is not None:
        moved = "INSERT INTO wallet_address (address, wallet_id, custody, since) VALUES ($1, $2, 'owner', $3)"
        await run(moved, "0x" + "b0" * 20, bob, NOW - case.moved_ago)
    started = NOW - case.begun_ago
    await run(
        "UPDATE session SET sign_in_method = $2, passkey_id = CASE WHEN $2 = 'passkey' THEN passkey_id END,"
        " created_at = $3, expires_at = $4, ended_at = $5, ended_by = $6 WHERE wallet_id = $1",
        *(alice, case.sign_in_method, started, NOW + case.expires_in),
        *((NOW, "signed_out") if case.ended else (None, None)),
    )
    made = "UPDATE session_token SET made_at = $1, replaced_at = $2"
    await run(made, started + case.token_after, NOW if case.token_replaced else None)
    device_since = NOW - case.passkey_ago if case.sign_in_method == "passkey" else started
    await run("UPDATE session SET device_since = $2 WHERE wallet_id = $1", alice, device_since)
    if case.frozen:
        await run("UPDATE wallet SET frozen_at = $2 WHERE id = $1", alice, NOW)


async def by_the_checks(
    connection: Connection, avenue: Avenue, asked: Sequence[HeldFirst | LedgerPayment], way: str
) -> list[bool]:
    """Which of these the long way settles, holds or queues, in order: session.open_all, and then the checks."""
    found = (await session.open_all(connection, [hash_of(avenue.alice.token)], NOW)).get(hash_of(avenue.alice.token))
    if found is None or "pay" not in found.scopes:
        return [False for _ in asked]
    requests = [
        PayRequest(
            *("@bob", one.money, one.memo, way != "held"),
            by=found,
            claim=Claim(found.wallet.id, one.idempotency_key, b"f" * 32),
        )
        for one in asked
    ]
    results = await pay.pay_together(connection, avenue.settings, [(found.wallet, one) for one in requests], NOW)
    return [isinstance(one, Payment) and one.state.value == way for one in results]


async def rows(connection: Connection, way: str) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [dict(row) for row in await connection.fetch(read)] for name, read in (WAYS[way][1] | COUNTED).items()
    }


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=cases)
async def test_what_one_statement_lets_through_the_checks_do_too_with_the_same_rows(
    avenue: Avenue, case: Case, way: str
) -> None:
    async with avenue.database.reading() as connection, undone(connection):
        await arranged(connection, avenue, case, way)
        asked = [avenue.first(way, units) for units in case.asked]
        async with undone(connection):
            outcomes = await WAYS[way][2](connection, avenue.settings, asked, NOW)
            left = await rows(connection, way)
        done = [one for one, outcome in zip(asked, outcomes, strict=True) if not isinstance(outcome, NotDone)]
        async with undone(connection):
            assert all(await by_the_checks(connection, avenue, done, way))
            assert await rows(connection, way) == left
        async with undone(connection):
            passed = await by_the_checks(connection, avenue, asked, way)
    event(f"{len(done)} of {len(asked)}")
    trusts = case.trusted and case.approve_new_payee and not case.known
    undoes = way == "queued" and case.guarded and case.undo_seconds
    if all(passed) and not trusts and not undoes and case.token_after >= timedelta():
        assert len(done) == len(asked), "and all that the checks let through, but for whom the wallet trusts"


async def test_whoever_has_signed_in_pays_somebody_known_in_one_statement(avenue: Avenue) -> None:
    assert await avenue.pays("100.00 EUR", "100.00 EUR", "99.99 EUR") == [Settled] * 3
    assert await avenue.pays("0.01 EUR") == [Settled]
    assert await avenue.pays("0.01 EUR") == [NeedsChecks], "nothing is left of the day"
    assert await avenue.wrong() == []


async def test_who_is_paid_first_is_known_from_then_on(avenue: Avenue) -> None:
    assert await avenue.pays("1.00 EUR", to="carol") == [NeedsChecks]
    await avenue.change("UPDATE policy SET approve_new_payee = false")
    assert await avenue.pays("1.00 EUR", "1.00 EUR", to="carol") == [Settled] * 2
    await avenue.change("UPDATE policy SET approve_new_payee = true")
    assert await avenue.pays("1.00 EUR", to="carol") == [Settled]


async def test_what_is_too_dear_is_left_to_the_checks_and_the_rest_of_the_group_goes(avenue: Avenue) -> None:
    assert await avenue.pays("100.01 EUR", "1.00 EUR") == [NeedsChecks, Settled]
    assert await avenue.pays("100.00 EUR", "100.00 EUR", "100.00 EUR") == [NeedsChecks] * 3, (
        "more than the day has left"
    )


async def test_a_session_that_is_none_or_short_or_pays_somebody_unknown_is_left_to_others(avenue: Avenue) -> None:
    nobody = Signed(avenue.alice.wallet, "gs_nobody")
    assert await avenue.pays("1.00 EUR", by=nobody) == [Unauthenticated]
    assert await avenue.pays("1.00 EUR", to="nobody") == [NeedsChecks]
    await avenue.pay(avenue.alice.wallet, "@bob", "899.00 EUR", capture=False)
    assert await avenue.pays("1.01 EUR", "1.00 EUR") == [NeedsChecks, Settled]


async def test_a_session_of_a_new_passkey_or_of_none_is_left_to_the_checks(avenue: Avenue) -> None:
    dora = await avenue.signed_in("dora", NOW - DAY)
    erin = await avenue.signed_in("erin", NOW - DAY + TICK)
    fred = await avenue.signed_in("fred", None)
    assert [await avenue.pays("1.00 EUR", by=one) for one in (dora, erin, fred)] == [
        [Settled],
        [NeedsChecks],
        [NeedsChecks],
    ]


async def test_whom_another_address_was_given_lately_is_left_to_the_checks(avenue: Avenue) -> None:
    async def moves(letter: str, at: datetime) -> None:
        moved = "INSERT INTO wallet_address (address, wallet_id, custody, since) VALUES ($1, $2, 'owner', $3)"
        await avenue.change(moved, "0x" + letter * 40, avenue.bob.id, at)

    await moves("b", NOW - 7 * DAY)
    assert await avenue.pays("1.00 EUR") == [Settled]
    await moves("c", NOW - 7 * DAY + TICK)
    assert await avenue.pays("1.00 EUR") == [NeedsChecks]


async def test_a_wallet_that_was_frozen_before_its_first_passkey_pays_nothing(avenue: Avenue) -> None:
    dora = await avenue.signed_in("dora", frozen=True)
    assert await avenue.pays("1.00 EUR", by=dora) == [NeedsChecks]
    await avenue.change("UPDATE wallet SET frozen_at = NULL WHERE id = $1", dora.wallet.id)
    assert await avenue.pays("1.00 EUR", by=dora) == [Settled]


async def test_what_wallets_that_have_asked_too_often_ask_for_is_left_to_the_checks(avenue: Avenue) -> None:
    assert await avenue.pays("1.00 EUR", left_out=[str(avenue.bob.id)]) == [Settled]
    assert await avenue.pays("1.00 EUR", left_out=[str(avenue.alice.wallet.id)]) == [NeedsChecks]


async def test_an_idempotency_key_is_used_once_in_both_ways(avenue: Avenue) -> None:
    (asked,) = avenue.asked("1.00 EUR")
    group = [asked]
    assert isinstance((await ledger_rail.pay_all(avenue.database, avenue.settings, group, NOW))[0], Settled)
    assert type((await ledger_rail.pay_all(avenue.database, avenue.settings, group, NOW))[0]) is Undecided
