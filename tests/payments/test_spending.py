"""What is counted against limits agrees with the sums over history that it stands for, whatever happens to payments."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from msgspec import structs

from gateway.audit.log import ANYONE
from gateway.errors import GatewayError
from gateway.ids import first_id
from gateway.money import Assets
from gateway.payments import approve, draw, pay
from gateway.payments.checks import spending
from gateway.payments.checks.spending import BUCKET, FOR_EVER, Spent, bucket_of
from gateway.payments.errors import CapExceeded, MandateExceeded
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.plain import NeedsChecks
from gateway.payments.model.proposed import Counter
from gateway.payments.pay import PayRequest
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.ledger import Settled
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Database, connect
from tests.conftest import seeds
from tests.factory import NOW
from tests.payments.street import DAY, Street, drawn, units

#: What a payment counts against caps and mandates: what was paid or is on its way, and was not given back.
KEPT = "CASE payment.state WHEN 'settled' THEN captured ELSE amount END - refunded"
ALIVE = "payment.state NOT IN ('failed', 'voided', 'expired', 'declined')"

BY_CAP = f"""SELECT coalesce(sum({KEPT}), 0) FROM payment
    WHERE id = ANY ($1) AND created_at >= $2 AND {ALIVE} AND ($3::uuid IS NULL OR payee = $3)"""
BY_MANDATE = f"""SELECT coalesce(sum({KEPT}), 0) FROM payment
    WHERE id = ANY ($1) AND ($2::timestamptz IS NULL OR created_at >= $2) AND {ALIVE}"""
BY_POLICY = f"""SELECT coalesce(sum(amount), 0) FROM payment
    WHERE payer = $1 AND id >= $2 AND approval IS NULL AND refund_of IS NULL AND {ALIVE}"""

#: A bucket that is not the sum of what is counted in it.
WRONG_BUCKETS = """
    SELECT scope, scope_id, bucket, spending.amount, sum(counted.amount) AS counted
    FROM spending LEFT JOIN counted_payment AS counted USING (scope, scope_id, number, asset, bucket)
    GROUP BY scope, scope_id, number, asset, bucket, spending.amount
    HAVING spending.amount IS DISTINCT FROM coalesce(sum(counted.amount), 0)"""


class SpendingMachine(RuleBasedStateMachine):
    """Payments by a key, a mandate and the owner, and whatever gives them back, beside the sums over history."""

    database: Database
    runner: asyncio.Runner
    assets: Assets
    examples = count()

    paid: Bundle[Payment] = Bundle("paid")
    held: Bundle[Payment] = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.town = Street(self.database, self.assets)
        self.runner.run(self.town.move_in(next(self.examples)))
        self.by_key: list[UUID] = []
        self.by_mandate: list[UUID] = []

    def run(self, act: Callable[[Connection], Any]) -> Any:
        async def inside() -> Any:
            async with self.database.transaction() as connection:
                return await act(connection)

        return self.runner.run(inside())

    # ---- rules ------------------------------------------------------------------------------------------------------

    @rule(target=paid, cents=st.lists(st.integers(1, 2000), min_size=1, max_size=3), by_key=st.booleans())
    def pay(self, cents: list[int], by_key: bool) -> Any:
        """One group; what has room by the old sums is paid, and no more."""
        left = 4000 - self.old("cap"), 3000 - self.old("cap of bob")
        asked = [(self.town.alice, self.request(units, by_key)) for units in cents]
        results = self.run(lambda c: pay.pay_together(c, self.town.settings, asked, self.town.now))
        settled = []
        for cent, result in zip(cents, results, strict=True):
            if by_key:
                fits = cent <= min(left)
                assert isinstance(result, Payment) if fits else isinstance(result, CapExceeded)
                left = (left[0] - cent * fits, left[1] - cent * fits)
            if isinstance(result, Payment):
                self.by_key += [result.id] if by_key else []
                settled += [result] if result.state is State.SETTLED else []
        return multiple(*settled)

    @rule(target=paid, cents=st.lists(st.integers(1, 2600), min_size=1, max_size=3))
    def pay_in_one_statement(self, cents: list[int]) -> Any:
        """Payments by the key as settle_payments takes them: all have room by the old sums, or `pay` decides."""
        town = self.town
        fit = sum(cents) <= min(4000 - self.old("cap"), 3000 - self.old("cap of bob")) and max(cents) <= 2500
        moneys = [self.request(units, by_key=True).money for units in cents]
        outcomes = self.runner.run(ledger_rail.pay_all(town.database, town.settings, town.by_key(*moneys), town.now))
        assert all(isinstance(one, Settled if fit else NeedsChecks) for one in outcomes)
        settled = [one.payment_id for one in outcomes if isinstance(one, Settled)]
        self.by_key += settled
        return multiple(*self.run(lambda c: records.payments_of(c, town.assets, settled)).values())

    @rule(target=held, units=st.integers(1, 2000), by_key=st.booleans())
    def hold(self, units: int, by_key: bool) -> Any:
        """It may wait for an approval first; then it can be refused."""
        request = self.request(units, by_key, capture=False)
        (result,) = self.run(
            lambda c: pay.pay_together(c, self.town.settings, [(self.town.alice, request)], self.town.now)
        )
        if isinstance(result, GatewayError):
            return multiple()
        self.by_key += [result.id] if by_key else []
        return result

    @rule(target=paid, units=st.integers(1, 2000))
    def draw(self, units: int) -> Any:
        fits = units <= min(3000 - self.old("period"), 8000 - self.old("total"))
        text, town = self.assets["EUR"].parse(f"{units // 100}.{units % 100:02}").amount, self.town
        try:
            drawn = self.run(lambda c: draw.draw(c, town.settings, town.bob, town.mandate.id, text, None, town.now))
        except MandateExceeded:
            assert not fits
            return multiple()
        assert fits
        self.by_mandate.append(drawn.id)
        return drawn

    @rule(target=paid, payment=consumes(held), part=st.integers(1, 100))
    def capture(self, payment: Payment, part: int) -> Any:
        cents = max(1, payment.amount.units * part // 100)
        try:
            return self.runner.run(self.town.capture(self.town.bob, payment, f"{cents // 100}.{cents % 100:02} EUR"))
        except GatewayError:  # it waits for an approval, or its time is over
            return multiple()

    @rule(payment=consumes(held))
    def give_up(self, payment: Payment) -> None:
        async def end(connection: Connection) -> None:
            await approve.decline(connection, self.town.settings, self.town.alice.id, payment.id, ANYONE, self.town.now)

        with suppress(GatewayError):  # it has expired
            if payment.needs_approval:
                self.run(end)
            else:
                self.runner.run(self.town.void(self.town.alice, payment))

    @rule(payment=paid, part=st.integers(1, 100))
    def refund(self, payment: Payment, part: int) -> None:
        cents = max(1, payment.captured.units * part // 100)
        with suppress(GatewayError):  # less is left of it
            self.runner.run(self.town.refund(self.town.bob, payment, f"{cents // 100}.{cents % 100:02} EUR"))

    @rule(minutes=st.sampled_from((0, 1, 9, 10, 61, 7 * 60, 24 * 60, 47 * 60)), seconds=st.integers(0, 59))
    def wait(self, minutes: int, seconds: int) -> None:
        self.town.now += timedelta(minutes=minutes, seconds=seconds)
        self.runner.run(self.town.expire())

    @rule()
    def forget(self) -> None:
        self.run(lambda c: spending.forget(c, self.town.now))

    # ---- what must hold ---------------------------------------------------------------------------------------------

    def request(self, units: int, by_key: bool, capture: bool = True) -> PayRequest:
        money = self.assets["EUR"].parse(f"{units // 100}.{units % 100:02}")
        return PayRequest(f"@{self.town.bob.handle}", money, capture=capture, by=self.town.key if by_key else None)

    def old(self, name: str) -> int:
        """What counted before anything was counted up: a sum over the history."""
        town = self.town
        _, since = town.counters[name]
        sums: dict[str, tuple[Any, ...]] = {
            "cap": (BY_CAP, self.by_key, since, None),
            "cap of bob": (BY_CAP, self.by_key, since, town.bob.id),
            "policy": (BY_POLICY, town.alice.id, first_id(town.now - DAY)),
            "period": (BY_MANDATE, self.by_mandate, since),
            "total": (BY_MANDATE, self.by_mandate, since),
        }
        return int(self.run(lambda c: c.fetchval(*sums[name])))

    @invariant()
    def what_is_counted_is_what_the_history_says(self) -> None:
        counters = self.town.counters
        found = self.run(lambda c: spending.spent(c, dict(counters.values())))
        for name, (counter, _) in counters.items():
            assert found[counter].units == self.old(name), name

    @invariant()
    def every_bucket_is_the_sum_of_its_payments(self) -> None:
        assert self.run(lambda c: c.fetch(WRONG_BUCKETS)) == []


def test_what_is_counted_agrees_with_the_history(
    anyio_backend: Any, database_url: str, assets: Assets, pytestconfig: pytest.Config
) -> None:
    async def enter() -> tuple[Any, Database]:
        manager = connect(database_url, connections=2)
        return manager, await manager.__aenter__()

    with asyncio.Runner() as runner:
        manager, database = runner.run(enter())
        SpendingMachine.database, SpendingMachine.runner, SpendingMachine.assets = database, runner, assets
        run_state_machine_as_test(
            SpendingMachine,
            settings=settings(
                max_examples=len(seeds(pytestconfig, 15)),
                stateful_step_count=25,
                suppress_health_check=list(HealthCheck),
            ),
        )
        runner.run(manager.__aexit__(None, None, None))


# ---- one by one -----------------------------------------------------------------------------------------------------


def test_a_bucket_begins_at_its_own_time_and_room_comes_when_enough_of_them_are_over() -> None:
    assert bucket_of(NOW + BUCKET - timedelta(seconds=1)) == bucket_of(NOW) == NOW
    spent = Spent({NOW: 60, NOW + 6 * BUCKET: 40})
    assert spent.room_at(60, 100, DAY) == NOW + BUCKET + DAY
    assert spent.room_at(61, 100, DAY) == NOW + 7 * BUCKET + DAY
    assert spent.room_at(101, 100, DAY) is None
    assert bucket_of(FOR_EVER - BUCKET) < FOR_EVER


@pytest.mark.anyio
async def test_of_the_bucket_that_a_window_begins_in_only_what_is_not_older_counts(street: Street) -> None:
    for minutes, text in ((1, "3.00"), (7, "5.00")):
        street.now = NOW + timedelta(minutes=minutes)
        await drawn(street, text)
    for minutes, counted in ((1, 800), (2, 500), (7, 500), (8, 0)):
        street.now = NOW + 2 * DAY + timedelta(minutes=minutes)
        assert await units(street, "period") == counted, minutes


@pytest.mark.anyio
async def test_a_refund_that_fails_counts_as_paid_again(street: Street) -> None:
    paid = await drawn(street, "10.00")
    back = await street.refund(street.bob, paid, "4.00 EUR")
    assert (await units(street, "period"), await units(street, "total")) == (600, 600)

    async with street.database.transaction() as connection:
        failed = structs.replace(back, state=State.FAILED, failure="expired", settled_at=None)
        await records.update(connection, [failed])

    assert (await units(street, "period"), await units(street, "total")) == (1000, 1000)


@pytest.mark.anyio
async def test_what_no_limit_looks_at_any_more_is_deleted_and_totals_stay(street: Street) -> None:
    async def rows() -> tuple[int, int]:
        async with street.database.reading() as connection:
            return tuple(
                [await connection.fetchval(f"SELECT count(*) FROM {t}") for t in ("spending", "counted_payment")]
            )

    async def forget() -> int:
        async with street.database.transaction() as connection:
            return await spending.forget(connection, street.now)

    await drawn(street, "10.00")
    assert (await rows(), await forget()) == ((3, 3), 0)
    street.now += timedelta(hours=26)
    assert (await forget(), await rows()) == (2, (2, 2)), "the policy's day is over"
    street.now += 400 * DAY
    assert (await forget(), await rows()) == (1, (1, 2)), "the period is over"
    assert await units(street, "total") == 1000


@pytest.mark.anyio
async def test_a_limit_is_added_up_by_its_own_buckets_however_many_others_there_are(database: Database) -> None:
    """The plan is kept from when the tables were empty, and has to be good when they are not."""
    now = bucket_of(NOW)
    mine = Counter("cap", UUID(int=1), "EUR", 1)
    async with database.transaction() as connection:
        assert (await spending.spent(connection, {mine: now - DAY}))[mine].units == 0
        await connection.execute(
            "INSERT INTO spending (scope, scope_id, number, asset, bucket, amount)"
            " SELECT 'cap', ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 1, 'EUR', $1, 5"
            " FROM generate_series(1, 3000) AS n",
            now,
        )
        read = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'spending'"
        before = await connection.fetchval(read)
        assert (await spending.spent(connection, {mine: now - DAY}))[mine].units == 5
        assert await connection.fetchval(read) - before == 1
