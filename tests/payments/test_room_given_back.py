"""A payment that is decided while another gives room back, or is refused for its limit: which comes first."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from gateway.audit.log import ANYONE
from gateway.errors import GatewayError
from gateway.payments import approve
from gateway.payments.checks import checks
from gateway.payments.checks.check import PASSED, Check, CheckContext, Decisions, Passed
from gateway.payments.errors import CapExceeded, MandateExceeded
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.proposed import Proposed
from gateway.postgres.pool import Connection, connect
from tests.databases import until_waiting
from tests.payments.street import Street, drawn


@dataclass
class Waits(Check, Decisions):
    """A rule for these tests, the last: when all others have read what they decide by, the first group waits."""

    decided: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions:
        if not self.decided.is_set():
            self.decided.set()
            await self.go_on.wait()
        return self

    def decide(self, one: Proposed) -> Passed | GatewayError:
        return PASSED


@dataclass
class NeedsApproval(Waits):
    """The same, and every payment has to be approved."""

    def decide(self, one: Proposed) -> Passed | GatewayError:
        return Passed(("test",))


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Connection]:
    async with connect(database_url, 1) as database, database.reading() as connection:
        yield connection


async def events(street: Street) -> list[str]:
    async with street.database.reading() as connection:
        rows = await connection.fetch("SELECT kind FROM event WHERE kind LIKE 'payment.%' ORDER BY id")
    return [row["kind"] for row in rows]


async def while_decided(street: Street, other: Connection, rule: Waits, paying: Any, ending: Any) -> list[Any]:
    """What came of a payment, and of what gives back: begun while the payment is decided, and made to wait for it."""
    payment = asyncio.create_task(paying)
    await rule.decided.wait()
    end = asyncio.create_task(ending)
    try:
        await until_waiting(other, 1, end)  # else it gave back what was not there when the payment was decided
    finally:
        rule.go_on.set()
        both = await asyncio.gather(payment, end, return_exceptions=True)
    return both


@pytest.mark.anyio
@pytest.mark.parametrize("by", ["void", "expiry"])
async def test_a_payment_asked_about_for_its_day_comes_before_what_gives_room_back(
    street: Street, other: Connection, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    to = f"@{street.bob.handle}"
    held = await street.pay(street.alice, to, "100.00 EUR", capture=False)
    for _ in range(2):
        await street.pay(street.alice, to, "100.00 EUR")
    before = await events(street)
    if by == "expiry":
        street.now += timedelta(seconds=street.settings.hold_seconds)
    rule = Waits()
    monkeypatch.setattr(checks, "CHECKS", (*checks.CHECKS, rule))

    ending = street.expire() if by == "expiry" else street.void(street.alice, held)
    paying = street.pay(street.alice, to, "50.00 EUR")
    payment, _ = await while_decided(street, other, rule, paying, ending)

    assert payment.approval == ("day",)
    end = "expired" if by == "expiry" else "voided"
    assert (await events(street))[len(before) :] == ["payment.requires_confirmation", f"payment.{end}"]
    assert (await street.pay(street.alice, to, "50.00 EUR")).state is State.SETTLED


@pytest.mark.anyio
@pytest.mark.parametrize("by", ["void", "capture", "refund", "refusal", "refund of a draw"])
async def test_a_payment_that_its_limit_refuses_comes_before_what_gives_room_back(
    street: Street, other: Connection, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    to, key = f"@{street.bob.handle}", street.key
    rule, asks = Waits(), NeedsApproval()
    if by == "refusal":
        asks.decided.set()
        monkeypatch.setattr(checks, "CHECKS", (*checks.CHECKS, asks))
    if by == "refund of a draw":
        first = await drawn(street, "20.00")
    else:
        first = await street.pay(street.alice, to, "20.00 EUR", capture=by == "refund", by=key)
    monkeypatch.setattr(checks, "CHECKS", (*checks.CHECKS, rule))

    async def refuse() -> None:
        async with street.database.transaction() as connection:
            await approve.decline(connection, street.settings, street.alice.id, first.id, ANYONE, street.now)

    def pay() -> Any:
        return drawn(street, "15.00") if "draw" in by else street.pay(street.alice, to, "15.00 EUR", by=key)

    ending = {
        "void": lambda: street.void(street.alice, first),
        "capture": lambda: street.capture(street.bob, first, "5.00 EUR"),
        "refund": lambda: street.refund(street.bob, first, "10.00 EUR"),
        "refusal": refuse,
        "refund of a draw": lambda: street.refund(street.bob, first, "10.00 EUR"),
    }[by]
    payment, end = await while_decided(street, other, rule, pay(), ending())

    assert isinstance(payment, CapExceeded | MandateExceeded)
    assert not isinstance(end, BaseException)
    assert isinstance(await pay(), Payment)
