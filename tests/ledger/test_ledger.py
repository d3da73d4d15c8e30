"""The verbs of the ledger, one at a time and many at once."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.ids import TransferId, new_id
from gateway.ledger import ledger as verbs
from gateway.ledger import recount
from gateway.ledger.account import Side
from gateway.ledger.errors import CaptureExceedsHold, InsufficientFunds, TransferEnded, TransferNotFound
from gateway.ledger.transfer import End, Event, State
from gateway.money import UNITS_MAX
from gateway.postgres.pool import Connection
from tests.factory import NOW
from tests.ledger.conftest import Ledger

pytestmark = pytest.mark.anyio

ALICE, BOB, CAROL, FEES = "wallet:alice:EUR", "wallet:bob:EUR", "wallet:carol:EUR", "fees:EUR"


async def recounted(ledger: Ledger) -> list[recount.Fault]:
    async with ledger.database.snapshot() as connection:
        return await recount.recount(connection)


async def calls(connection: Connection) -> dict[str, int]:
    """How often this transaction has called each of the two functions that end holds."""
    rows = await connection.fetch(
        "SELECT funcname, calls FROM pg_stat_xact_user_functions WHERE funcname IN ('ledger_end', 'ledger_write')"
    )
    return {row["funcname"]: row["calls"] for row in rows}


async def test_a_posted_transfer_moves_the_money_and_says_so_on_both_statements(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 1000)

    assert await ledger.post(ALICE, BOB, 300) is State.POSTED

    assert (await ledger.balance(ALICE)).posted == 700
    assert (await ledger.balance(BOB)).posted == 300
    (out, _), (came,) = await ledger.statement(ALICE), await ledger.statement(BOB)
    assert (out.number, out.side, out.amount.units, out.balance.units) == (2, Side.DEBIT, 300, 700)
    assert (came.number, came.side, came.amount.units, came.balance.units) == (1, Side.CREDIT, 300, 300)


async def test_an_intent_cannot_spend_more_than_is_available(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 1000)
    await ledger.hold(ALICE, BOB, 600)

    with pytest.raises(InsufficientFunds) as refusal:
        await ledger.post(ALICE, BOB, 401)

    assert refusal.value.account == ALICE
    assert (refusal.value.asked.units, refusal.value.available.units) == (401, 400)
    assert await ledger.post(ALICE, BOB, 400) is State.POSTED


async def test_a_refused_step_leaves_no_trace_and_does_not_disturb_its_neighbours(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    steps = [await ledger.transfer((ALICE, BOB, units)) for units in (60, 60, 40, 1)]

    results = await ledger.write(*steps)

    assert [type(result) for result in results] == [State, InsufficientFunds, State, InsufficientFunds]
    assert (await ledger.balance(ALICE)).posted == 0
    assert [entry.amount.units for entry in await ledger.statement(BOB)] == [40, 60]


async def test_a_batch_can_spend_what_came_in_earlier_in_it(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    steps = [await ledger.transfer((ALICE, BOB, 100)), await ledger.transfer((BOB, CAROL, 100))]

    assert await ledger.write(*steps) == [State.POSTED, State.POSTED]
    assert (await ledger.balance(CAROL)).posted == 100


async def test_a_payment_and_its_fee_are_one_thing(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)

    (refused,) = await ledger.write(await ledger.transfer((ALICE, BOB, 100), (ALICE, FEES, 1)))
    assert isinstance(refused, InsufficientFunds)
    assert refused.asked.units == 101
    assert (await ledger.balance(BOB)).posted == 0

    assert await ledger.write(await ledger.transfer((ALICE, BOB, 99), (ALICE, FEES, 1))) == [State.POSTED]
    assert [(await ledger.balance(code)).posted for code in (ALICE, BOB, FEES)] == [0, 99, 1]


async def test_a_transfer_is_written_once_however_often_it_is_posted(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    transfer = await ledger.transfer((ALICE, BOB, 10))

    answers = await asyncio.gather(*(ledger.write(transfer) for _ in range(50)))

    assert answers == [[State.POSTED]] * 50
    assert (await ledger.balance(BOB)).posted == 10


async def test_what_is_held_is_neither_spent_nor_available(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)

    await ledger.hold(ALICE, BOB, 70)

    balance = await ledger.balance(ALICE)
    assert (balance.posted, balance.pending, balance.available) == (100, 70, 30)
    assert (await ledger.balance(BOB)).available == 0


async def test_a_captured_hold_pays(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    hold = await ledger.hold(ALICE, BOB, 70)

    assert await ledger.end(hold, Event.CAPTURE) is State.POSTED

    assert ((await ledger.balance(ALICE)).posted, (await ledger.balance(ALICE)).pending) == (30, 0)
    assert (await ledger.balance(BOB)).posted == 70


async def test_a_capture_in_part_gives_the_rest_back(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    hold = await ledger.hold(ALICE, BOB, 70)

    await ledger.end(hold, Event.CAPTURE, [25])

    assert ((await ledger.balance(ALICE)).posted, (await ledger.balance(ALICE)).available) == (75, 75)
    assert (await ledger.balance(BOB)).posted == 25


async def test_a_capture_of_more_than_is_held_is_refused_and_the_hold_stays(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    hold = await ledger.hold(ALICE, BOB, 70)

    with pytest.raises(CaptureExceedsHold) as refusal:
        await ledger.end(hold, Event.CAPTURE, [71])

    assert (refusal.value.asked.units, refusal.value.held.units) == (71, 70)
    assert await ledger.end(hold, Event.VOID) is State.VOIDED


@pytest.mark.parametrize(("event", "state"), [(Event.VOID, State.VOIDED), (Event.EXPIRE, State.EXPIRED)])
async def test_a_voided_or_expired_hold_gives_the_money_back(ledger: Ledger, event: Event, state: State) -> None:
    await ledger.deposit(ALICE, 100)
    hold = await ledger.hold(ALICE, BOB, 70)

    assert await ledger.end(hold, event) is state

    assert (await ledger.balance(ALICE)).available == 100
    assert await ledger.statement(BOB) == []


async def test_a_hold_that_nobody_made_cannot_end(ledger: Ledger) -> None:
    with pytest.raises(TransferNotFound):
        await ledger.end(TransferId(new_id(NOW)), Event.CAPTURE)


async def test_fifty_captures_of_one_hold_capture_it_once(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    hold = await ledger.hold(ALICE, BOB, 10)

    results = await asyncio.gather(*(ledger.end(hold, Event.CAPTURE) for _ in range(50)), return_exceptions=True)

    assert [result for result in results if not isinstance(result, TransferEnded)] == [State.POSTED]
    assert (await ledger.balance(BOB)).posted == 10


async def test_of_capture_and_expire_at_once_one_wins(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 10_000)
    holds = [await ledger.hold(ALICE, BOB, 100) for _ in range(25)]

    def ends(id: TransferId) -> list[asyncio.Task[State]]:
        return [asyncio.create_task(ledger.end(id, event)) for event in (Event.CAPTURE, Event.EXPIRE)]

    outcomes = [await asyncio.gather(*ends(id), return_exceptions=True) for id in holds]

    won = [[one for one in pair if isinstance(one, State)] for pair in outcomes]
    assert all(len(one) == 1 for one in won)
    captured = sum(one == [State.POSTED] for one in won)
    assert (await ledger.balance(BOB)).posted == 100 * captured
    assert (await ledger.balance(ALICE)).available == 10_000 - 100 * captured


async def test_two_ends_of_one_hold_in_one_batch_end_it_once(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    hold = await ledger.hold(ALICE, BOB, 10)

    first, second = await ledger.write(End(hold, Event.CAPTURE), End(hold, Event.VOID))

    assert first is State.POSTED
    assert isinstance(second, TransferEnded)


async def test_ends_beside_transfers_of_other_accounts_are_not_decided_leg_by_leg(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    holds = [await ledger.hold(ALICE, BOB, 10) for _ in range(3)]
    gas = await ledger.transfer(("gas:EUR", "liquidity:EUR", 7), unconditional=True)
    short = await ledger.transfer((CAROL, FEES, 1))
    paid_on = await ledger.transfer((BOB, CAROL, 20))
    ends = [End(holds[0], Event.CAPTURE), End(holds[1], Event.VOID)]

    async with ledger.database.transaction() as connection:
        await connection.execute("SET LOCAL track_functions = 'pl'")
        first, posted, second, refused = await verbs.write(connection, [ends[0], gas, ends[1], short], NOW)
        apart = await calls(connection)
        await verbs.write(connection, [End(holds[2], Event.CAPTURE), paid_on], NOW)
        together = await calls(connection)

    assert (first, posted, second) == (State.POSTED, State.POSTED, State.VOIDED)
    assert isinstance(refused, InsufficientFunds)
    assert apart == {"ledger_end": 1, "ledger_write": 1}
    assert together == {"ledger_end": 1, "ledger_write": 2}  # BOB has enough only after the capture
    assert (await ledger.balance(ALICE)).available == 80
    assert (await ledger.balance(CAROL)).posted == 20
    assert not await recounted(ledger)


async def test_ends_and_transfers_of_the_same_accounts_do_not_wait_for_each_other_for_ever(ledger: Ledger) -> None:
    pairs = [(ALICE, BOB), (CAROL, "wallet:dave:EUR")]
    for code in (ALICE, CAROL):
        await ledger.deposit(code, 10_000)

    async def both(held: tuple[str, str], posted: tuple[str, str]) -> list[State | GatewayError]:
        hold = await ledger.hold(*held, 1)
        return await ledger.write(End(hold, Event.CAPTURE), await ledger.transfer((*posted, 1)))

    done = await asyncio.gather(*(both(*(pairs if n % 2 else pairs[::-1])) for n in range(60)))

    assert done == [[State.POSTED, State.POSTED]] * 60


async def test_fifty_payers_who_spend_the_same_money_spend_it_once(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)

    results = await asyncio.gather(*(ledger.post(ALICE, BOB, 60) for _ in range(50)), return_exceptions=True)

    assert sum(result is State.POSTED for result in results) == 1
    assert all(isinstance(result, InsufficientFunds) for result in results if result is not State.POSTED)


async def test_payments_in_a_ring_do_not_wait_for_each_other_for_ever(ledger: Ledger) -> None:
    ring = [ALICE, BOB, CAROL]
    for code in ring:
        await ledger.deposit(code, 10_000)

    pays = [ledger.post(ring[n % 3], ring[(n + 1 + n % 2) % 3], 1) for n in range(150)]
    assert set(await asyncio.gather(*pays)) == {State.POSTED}
    assert sum([(await ledger.balance(code)).posted for code in ring]) == 30_000


async def test_an_unconditional_transfer_posts_whatever_is_available_and_others_wait(
    ledger: Ledger,
) -> None:
    await ledger.deposit(ALICE, 100)
    await ledger.hold(ALICE, BOB, 80)

    assert await ledger.unconditional(ALICE, CAROL, 50) is State.POSTED

    assert (await ledger.balance(ALICE)).available == -30
    with pytest.raises(InsufficientFunds):
        await ledger.post(ALICE, BOB, 1)
    await ledger.deposit(ALICE, 31)
    assert await ledger.post(ALICE, BOB, 1) is State.POSTED


async def test_the_largest_amount_there_is_stays_exact(ledger: Ledger) -> None:
    usdx = ledger.assets["USDX"]
    await ledger.post("supply:USDX", "wallet:alice:USDX", UNITS_MAX, asset=usdx)
    await ledger.post("wallet:alice:USDX", "wallet:bob:USDX", UNITS_MAX - 1, asset=usdx)

    assert (await ledger.balance("wallet:alice:USDX")).posted == 1
    assert (await ledger.balance("wallet:bob:USDX")).posted == UNITS_MAX - 1


async def test_a_statement_has_every_entry_once_with_numbers_and_balances_that_follow(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 10_000)
    for units in range(1, 40):
        await ledger.post(ALICE, BOB, units)

    paged, before = [], None
    while page := await ledger.statement(ALICE, before, 7):
        paged += page
        before = page[-1].number

    assert [entry.number for entry in paged] == list(range(40, 0, -1))
    assert paged == await ledger.statement(ALICE)
    newest_first = [10_000 - sum(range(1, n)) for n in range(40, 0, -1)]
    assert [entry.balance.units for entry in paged] == newest_first


def moment(tick: int) -> datetime:
    """Times that PostgreSQL just tells apart."""
    return NOW + timedelta(microseconds=tick)


@pytest.mark.timeout(120)
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    moves=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=25).map(sorted),
    ticks=st.lists(st.integers(-1, 10), min_size=2, max_size=5, unique=True),
)
async def test_past_balances_and_periods_are_those_of_a_recount(
    ledger: Ledger, moves: list[tuple[int, int]], ticks: list[int]
) -> None:
    """Three wallets and a fourth whose account is not open; several entries at one moment, and a clock's tick apart."""
    codes = [f"wallet:{uuid4().hex}:EUR" for _ in range(4)]
    for tick, to in moves:
        await ledger.write(await ledger.transfer((f"liquidity:{codes[0]}", codes[to], 1 + tick)), at=moment(tick))
    begins, ends = min(ticks), max(ticks)

    async with ledger.database.reading() as connection:
        for tick in ticks:
            found = await verbs.balances_at(connection, dict.fromkeys(codes, ledger.eur), moment(tick))
            recounted = [sum(1 + at for at, to in moves if to == place and at <= tick) for place in range(4)]
            assert [found[code].units for code in codes] == recounted
        for place, code in enumerate(codes):
            after, before = await verbs.numbers_between(connection, code, moment(begins), moment(ends))
            entries = await verbs.statement(connection, ledger.eur, code, before, 100)
            within = [1 + at for at, to in moves if to == place and begins <= at < ends]
            assert [one.amount.units for one in entries if one.number > after] == within[::-1]


async def test_a_period_that_is_open_at_either_end_goes_on_there(ledger: Ledger) -> None:
    for tick in range(3):
        await ledger.write(await ledger.transfer(("bank:EUR", ALICE, 100)), at=moment(tick))

    async with ledger.database.reading() as connection:
        assert await verbs.numbers_between(connection, ALICE, None, None) == (0, None)
        assert await verbs.numbers_between(connection, ALICE, moment(1), None) == (1, None)
        assert await verbs.numbers_between(connection, ALICE, None, moment(1)) == (0, 2)


async def test_times_on_a_statement_never_go_back_though_a_clock_does(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    await ledger.write(await ledger.transfer((ALICE, BOB, 10)), at=NOW - timedelta(hours=1))

    later, earlier = await ledger.statement(ALICE)
    assert later.posted_at == earlier.posted_at == NOW


async def test_a_recount_of_a_busy_ledger_finds_nothing(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 1000)
    held = [await ledger.hold(ALICE, BOB, 10) for _ in range(6)]
    await ledger.end(held[0], Event.CAPTURE)
    await ledger.end(held[1], Event.CAPTURE, [3])
    await ledger.end(held[2], Event.VOID)
    await ledger.post(BOB, CAROL, 5)

    assert await recounted(ledger) == []
