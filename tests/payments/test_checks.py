"""The list of checks: a new rule is one object in one file, and is asked about every payment on every path."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from gateway.errors import Conflict, GatewayError
from gateway.money import Assets
from gateway.payments import pay
from gateway.payments.checks import checks
from gateway.payments.checks.check import Check, CheckContext, Decisions, Passed
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.proposed import Proposed
from gateway.payments.pay import PayRequest
from gateway.postgres.pool import Connection, Database
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio


@dataclass(eq=False)
class TooManyPayments(Conflict):
    maximum: int
    message = "this rule lets {maximum} payments pass"


@dataclass
class FirstFew(Check, Decisions):
    """A rule for this test: so many payments pass, so many after them need an approval, and the rest are refused."""

    pass_most: int
    approve_most: int
    done: list[str] = field(default_factory=list)
    counted: int = 0

    async def lock(self, connection: Connection, asked: Sequence[Proposed]) -> None:
        self.done.append("lock")

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions:
        self.done.append("load")
        return self

    def decide(self, one: Proposed) -> Passed | GatewayError:
        if self.counted < self.pass_most:
            return Passed()
        if self.counted < self.pass_most + self.approve_most:
            return Passed(reasons=("first_few",))
        return TooManyPayments(self.pass_most + self.approve_most)

    def add(self, one: Proposed) -> None:
        self.counted += 1

    async def write(self, paid: Sequence[Proposed]) -> None:
        self.done.append(f"write {len(paid)}")


@pytest.fixture
async def town(database: Database, assets: Assets) -> LedgerTown:
    return LedgerTown(database, assets)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> FirstFew:
    """The rule, registered behind the others."""
    rule = FirstFew(1, 1)
    monkeypatch.setattr(checks, "CHECKS", (*checks.CHECKS, rule))
    return rule


async def test_a_new_rule_passes_one_requires_an_approval_of_the_next_and_refuses_the_rest(
    town: LedgerTown, few: FirstFew
) -> None:
    alice, bob = await town.person("alice", "10.00 EUR"), await town.person("bob")
    asked = [(alice, PayRequest("@bob", town.money(text))) for text in ("1.00 EUR", "2.00 EUR", "4.00 EUR")]

    async with town.database.transaction() as connection:
        paid, waits, refused = await pay.pay_together(connection, town.settings, asked, town.clock())

    assert isinstance(paid, Payment)
    assert isinstance(waits, Payment)
    assert (paid.state, waits.state, waits.approval) == (State.SETTLED, State.REQUIRES_CONFIRMATION, ("first_few",))
    assert isinstance(refused, TooManyPayments)
    assert few.done == ["lock", "load", "write 2"]
    assert (await town.balance(bob, "EUR")).posted == 100


async def test_what_the_ledger_refuses_is_not_told_to_a_rule_as_paid(town: LedgerTown, few: FirstFew) -> None:
    alice, _ = await town.person("alice", "1.00 EUR"), await town.person("bob")
    asked = [(alice, PayRequest("@bob", town.money("9.00 EUR")))]

    async with town.database.transaction() as connection:
        (refused,) = await pay.pay_together(connection, town.settings, asked, town.clock())

    assert isinstance(refused, GatewayError)
    assert few.done == ["lock", "load"]


async def test_a_preview_asks_every_rule_and_locks_and_keeps_nothing(town: LedgerTown, few: FirstFew) -> None:
    alice, _ = await town.person("alice", "10.00 EUR"), await town.person("bob")
    few.pass_most = 0

    seen = await town.preview(alice, "@bob", "1.00 EUR")

    assert seen.approval == ("first_few",)
    assert (few.done, few.counted) == (["load"], 0)
    few.approve_most = 0
    with pytest.raises(TooManyPayments):
        await town.preview(alice, "@bob", "1.00 EUR")
