"""A rail is one object in one file: payments, captures, rows and lists know it by what it says of itself."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from msgspec import structs

from gateway.errors import GatewayError
from gateway.ledger import ledger, transfer
from gateway.ledger.errors import InsufficientFunds
from gateway.ledger.transfer import End
from gateway.money import Assets, Money
from gateway.payments import pay, rails
from gateway.payments.model.payment import Event, Payment, State, after
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.rail import Rail
from gateway.payments.model.route import Route
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.pay import PayRequest
from gateway.payments.rails import hold
from gateway.postgres.pool import Connection, Database
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio


class Courier(Rail):
    """A rail for this test: carries fiat from 100.00 on, by hand, and is paid when somebody says that it arrived."""

    name = "courier"
    final_at_once = False
    signed = False

    def quote(self, settings: PaymentSettings, money: Money, outside: str | None) -> Route | None:
        if money.asset.kind != "fiat" or money.units < 100_00:
            return None
        return Route(self.name, ("somebody carries it",), "0.00", "final when it is handed over", 3600.0)

    async def accept(
        self, connection: Connection, settings: PaymentSettings, asked: Sequence[Proposed], now: datetime
    ) -> list[Payment | GatewayError]:
        return await hold.accept(connection, self.name, asked, now)

    def captured(
        self, settings: PaymentSettings, payment: Payment, money: Money, now: datetime
    ) -> tuple[Payment, End] | None:
        return None

    async def capture(
        self, connection: Connection, settings: PaymentSettings, payment: Payment, money: Money, now: datetime
    ) -> Payment:
        end = End(payment.transfer_id, transfer.Event.CAPTURE, (money.units,))
        ledger.all_done(await ledger.write(connection, [end], now))
        state = after(payment.id, payment.state, Event.SETTLE)
        return structs.replace(payment, state=state, captured=money, settled_at=now)


@pytest.fixture
async def town(database: Database, assets: Assets) -> LedgerTown:
    town = LedgerTown(database, assets)
    town.settings = replace(town.settings, rails=(Courier(), *rails.RAILS))
    return town


async def test_a_new_rail_is_asked_first_and_carries_a_payment_from_its_acceptance_to_its_end(town: LedgerTown) -> None:
    alice, bob = await town.person("alice", "300.00 EUR"), await town.person("bob")

    carried = await town.pay(alice, "@bob", "150.00 EUR")
    shown = await town.payment(carried)
    assert (shown.state, shown.route.rail, shown.route.finality) == (
        State.HELD,
        "courier",
        "final when it is handed over",
    )
    assert (await town.balance(bob, "EUR")).posted == 0

    arrived = await town.capture(bob, carried, "120.00 EUR")
    assert (arrived.state, str(arrived.captured)) == (State.SETTLED, "120.00 EUR")
    assert (await town.balance(bob, "EUR")).posted == 120_00
    assert await town.available(alice, "EUR") == "180.00 EUR"
    assert await town.wrong() == []


async def test_payments_of_one_group_go_by_their_rails_each_and_are_answered_in_order(town: LedgerTown) -> None:
    alice, bob = await town.person("alice", "300.00 EUR"), await town.person("bob", "9.00 EUR")
    asked = [
        (alice, PayRequest("@bob", town.money("1.00 EUR"))),
        (alice, PayRequest("@bob", town.money("200.00 EUR"))),
        (bob, PayRequest("@alice", town.money("100.00 EUR"))),
        (bob, PayRequest("@alice", town.money("2.00 EUR"))),
    ]
    async with town.database.transaction() as connection:
        at_once, carried, short, back = await pay.pay_together(connection, town.settings, asked, town.clock())

    assert isinstance(short, InsufficientFunds)
    payments = [one for one in (at_once, carried, back) if isinstance(one, Payment)]
    assert [(one.route.rail, one.state) for one in payments] == [
        ("ledger", State.SETTLED),
        ("courier", State.HELD),
        ("ledger", State.SETTLED),
    ]
    assert await town.wrong() == []


async def test_what_is_previewed_is_the_rail_that_is_taken(town: LedgerTown) -> None:
    alice, _ = await town.person("alice", "300.00 EUR"), await town.person("bob")
    seen = [(await town.preview(alice, "@bob", text)).route.rail for text in ("99.99 EUR", "100.00 EUR")]
    assert seen == ["ledger", "courier"]
