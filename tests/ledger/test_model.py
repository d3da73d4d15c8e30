"""The ledger and a small model of it, driven side by side by Hypothesis: whatever the steps, they agree.

The model is written from the words of the ledger alone: dictionaries of what is posted and what is set aside, no
arrays, no SQL. After each step every balance, every statement and every outcome is compared; at the end the ledger is
recounted.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import asyncpg
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

from gateway.errors import GatewayError
from gateway.ids import TransferId, new_id
from gateway.ledger import ledger, recount
from gateway.ledger.errors import CaptureExceedsHold, InsufficientFunds, TransferEnded
from gateway.ledger.transfer import End, Event, Leg, State, Transfer
from gateway.money import Assets
from gateway.postgres.pool import Database, connect
from tests.conftest import seeds
from tests.factory import NOW

WALLETS = ("a", "b", "c", "fees")
AMOUNTS = st.one_of(st.integers(1, 200), st.integers(1, 2**80))


@dataclass
class Model:
    """What each account has posted and set aside, the balances after each entry, and the holds that are pending."""

    posted: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*WALLETS, "outside"), 0))
    aside: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*WALLETS, "outside"), 0))
    lines: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in (*WALLETS, "outside")})
    holds: dict[TransferId, list[tuple[str, str, int]]] = field(default_factory=dict)

    def move(self, debit: str, credit: str, units: int) -> None:
        if units:
            for name, change in ((debit, -units), (credit, units)):
                self.posted[name] += change
                self.lines[name].append(self.posted[name])

    def is_short(self, legs: list[tuple[str, str, int]]) -> bool:
        """Whether an intent with these legs would leave a payer's available below zero. The outside has no floor."""
        room = {name: self.posted[name] - self.aside[name] for name in self.posted}
        for debit, credit, units in legs:
            room[debit] -= units
            room[credit] += units
        return any(room[debit] < 0 for debit, _, _ in legs if debit != "outside")

    def is_short_to_hold(self, legs: list[tuple[str, str, int]]) -> bool:
        room = {name: self.posted[name] - self.aside[name] for name in self.posted}
        for debit, _, units in legs:
            room[debit] -= units
        return any(room[debit] < 0 for debit, _, _ in legs if debit != "outside")


class BookMachine(RuleBasedStateMachine):
    """Every rule is one call of the ledger: a batch of one or more steps in one transaction."""

    database: Database
    runner: asyncio.Runner
    assets: Assets
    examples = count()

    holds: Bundle[TransferId] = Bundle("holds")
    ended: Bundle[TransferId] = Bundle("ended")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.now = NOW
        example = next(self.examples)
        eur = self.assets["EUR"]
        # The outside is the gateway's liquidity, the one account without a floor: shared, so only its changes count.
        self.codes = {name: f"wallet:{name}{example}:EUR" for name in ("a", "b", "c")}
        self.codes |= {"fees": f"fees:{example}:EUR", "outside": f"liquidity:{example}:EUR"}
        self.ids = self.run(lambda c: ledger.accounts(c, [(code, eur) for code in self.codes.values()]))

    def run(self, act: Any) -> Any:
        async def inside() -> Any:
            async with self.database.transaction() as connection:
                return await act(connection)

        return self.runner.run(inside())

    def write(self, *steps: Transfer | End) -> list[State | GatewayError]:
        self.now += timedelta(seconds=1)
        results: list[State | GatewayError] = self.run(lambda c: ledger.write(c, steps, self.now))
        return results

    def transfer(self, legs: list[tuple[str, str, int]], **fields: Any) -> Transfer:
        made = tuple(Leg(self.ids[self.codes[d]], self.ids[self.codes[c]], units) for d, c, units in legs)
        return Transfer(TransferId(new_id(self.now)), "payment", new_id(self.now), made, **fields)

    # ---- rules ------------------------------------------------------------------------------------------------------

    @rule(to=st.sampled_from(WALLETS), units=AMOUNTS)
    def pay_in(self, to: str, units: int) -> None:
        assert self.write(self.transfer([("outside", to, units)])) == [State.POSTED]
        self.model.move("outside", to, units)

    @rule(legs=st.lists(
        st.tuples(st.sampled_from(("a", "b", "c")), st.sampled_from(WALLETS), AMOUNTS)
        .filter(lambda leg: leg[0] != leg[1]), min_size=1, max_size=3))  # fmt: skip
    def post(self, legs: list[tuple[str, str, int]]) -> None:
        """One transfer of several legs: all of it or nothing."""
        short = self.model.is_short(legs)
        (result,) = self.write(self.transfer(legs))
        assert isinstance(result, InsufficientFunds) if short else result is State.POSTED
        if not short:
            for leg in legs:
                self.model.move(*leg)

    @rule(pays=st.lists(
        st.tuples(st.sampled_from(("a", "b", "c")), st.sampled_from(WALLETS), AMOUNTS)
        .filter(lambda leg: leg[0] != leg[1]), min_size=2, max_size=6))  # fmt: skip
    def post_batch(self, pays: list[tuple[str, str, int]]) -> None:
        """Many transfers in a batch: each on its own, against what those before it left."""
        results = self.write(*(self.transfer([leg]) for leg in pays))
        for leg, result in zip(pays, results, strict=True):
            short = self.model.is_short([leg])
            assert isinstance(result, InsufficientFunds) if short else result is State.POSTED
            if not short:
                self.model.move(*leg)

    @rule(target=holds, debit=st.sampled_from(("a", "b")), units=AMOUNTS, fee=st.integers(0, 3))
    def hold(self, debit: str, units: int, fee: int) -> Any:
        legs = [(debit, "c", units)] + ([(debit, "fees", fee)] if fee else [])
        transfer = self.transfer(legs, hold=True)
        short = self.model.is_short_to_hold(legs)
        (result,) = self.write(transfer)
        assert isinstance(result, InsufficientFunds) if short else result is State.PENDING
        if short:
            return multiple()
        self.model.holds[transfer.id] = legs
        self.model.aside[debit] += units + fee
        return transfer.id

    @rule(target=ended, id=consumes(holds), part=st.floats(0, 1), whole=st.booleans())
    def capture(self, id: TransferId, part: float, whole: bool) -> Any:
        legs = self.model.holds[id]
        units = [amount if whole else int(amount * part) for _, _, amount in legs]
        units = [min(unit, amount) for unit, (_, _, amount) in zip(units, legs, strict=True)]
        if sum(units) > self.model.posted[legs[0][0]]:
            # Unconditional transfers have taken what was set aside: it can only be given back.
            with pytest.raises(asyncpg.CheckViolationError, match="account_posted_covered"):
                self.write(End(id, Event.CAPTURE, None if whole else tuple(units)))
            return multiple()
        del self.model.holds[id]
        assert self.write(End(id, Event.CAPTURE, None if whole else tuple(units))) == [State.POSTED]
        for (debit, credit, amount), captured in zip(legs, units, strict=True):
            self.model.aside[debit] -= amount
            self.model.move(debit, credit, captured)
        return id

    @rule(target=ended, id=consumes(holds), event=st.sampled_from((Event.VOID, Event.EXPIRE)))
    def give_back(self, id: TransferId, event: Event) -> TransferId:
        expected = State.VOIDED if event is Event.VOID else State.EXPIRED
        assert self.write(End(id, event)) == [expected]
        for debit, _, amount in self.model.holds.pop(id):
            self.model.aside[debit] -= amount
        return id

    @rule(id=ended, event=st.sampled_from(Event))
    def end_again(self, id: TransferId, event: Event) -> None:
        assert isinstance(self.write(End(id, event))[0], TransferEnded)

    @rule(id=holds)
    def capture_too_much(self, id: TransferId) -> None:
        more = tuple(amount + 1 for _, _, amount in self.model.holds[id])
        assert isinstance(self.write(End(id, Event.CAPTURE, more))[0], CaptureExceedsHold)

    @rule(debit=st.sampled_from(("a", "b", "c")), part=st.integers(1, 100))
    def observe(self, debit: str, part: int) -> None:
        """An unconditional transfer takes from what is posted, whatever is set aside."""
        units = self.model.posted[debit] * part // 100
        if units:
            assert self.write(self.transfer([(debit, "outside", units)], unconditional=True)) == [State.POSTED]
            self.model.move(debit, "outside", units)

    # ---- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def balances_agree(self) -> None:
        found = self.run(lambda c: ledger.balances(c, self.assets, self.codes.values()))
        for name, code in self.codes.items():
            expected = (self.model.posted[name], self.model.aside[name])
            assert (found[code].posted, found[code].pending) == expected, name

    def teardown(self) -> None:
        eur = self.assets["EUR"]
        for name, code in self.codes.items():
            lines = self.run(lambda c, code=code: ledger.statement(c, eur, code, None, 10_000))
            assert [line.number for line in lines] == list(range(len(lines), 0, -1))
            assert [line.balance.units for line in reversed(lines)] == self.model.lines[name]


def test_the_ledger_agrees_with_its_model(
    anyio_backend: Any, database_url: str, assets: Assets, pytestconfig: pytest.Config
) -> None:
    async def enter() -> tuple[Any, Database]:
        manager = connect(database_url, connections=2)
        return manager, await manager.__aenter__()

    async def faults(database: Database) -> list[recount.Fault]:
        async with database.snapshot() as connection:
            return await recount.recount(connection)

    with asyncio.Runner() as runner:
        manager, database = runner.run(enter())
        BookMachine.database, BookMachine.runner, BookMachine.assets = database, runner, assets
        run_state_machine_as_test(
            BookMachine,
            settings=settings(
                max_examples=2 * len(seeds(pytestconfig, 30)),
                stateful_step_count=30,
                suppress_health_check=list(HealthCheck),
            ),
        )
        assert runner.run(faults(database)) == []
        runner.run(manager.__aexit__(None, None, None))
