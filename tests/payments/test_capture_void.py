"""Ends of held payments, many in one transaction and many transactions at once: each payment has one, whoever asks."""

import asyncio
import random
from datetime import timedelta

import pytest

from gateway.errors import GatewayError
from gateway.idempotency import Unbatched
from gateway.identity.wallet import Wallet
from gateway.ids import TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Assets
from gateway.payments.ends import capture_void
from gateway.payments.ends.capture_void import EndRequest
from gateway.payments.errors import TokenNotDeployed
from gateway.payments.model.payment import Payment, State
from gateway.postgres.pool import Database
from tests.databases import statements
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

Results = list[Payment | GatewayError | Unbatched]


@pytest.fixture
async def town(database: Database, assets: Assets) -> LedgerTown:
    return LedgerTown(database, assets)


@pytest.fixture
async def alice(town: LedgerTown) -> Wallet:
    return await town.person("alice", "100.00 EUR")


@pytest.fixture
async def bob(town: LedgerTown, alice: Wallet) -> Wallet:
    return await town.person("bob")


async def end_all(town: LedgerTown, *asked: EndRequest) -> Results:
    async with town.database.transaction() as connection:
        return await capture_void.end_all(connection, town.settings, asked, town.clock())


async def hold(town: LedgerTown, payer: Wallet, count: int, text: str = "1.00 EUR") -> list[Payment]:
    return [await town.pay(payer, "@bob", text, capture=False) for _ in range(count)]


async def give_tokens(town: LedgerTown, owner: Wallet, text: str) -> None:
    """As if the chain had said so."""
    money = town.money(text)
    codes = (account.system_account("supply", money.asset), account.wallet(owner.handle, money.asset))
    async with town.database.transaction() as connection:
        ids = await ledger.accounts(connection, [(code, money.asset) for code in codes])
        id, leg = TransferId(new_id(town.now)), Leg(*(ids[code] for code in codes), money.units)
        ledger.all_done(
            await ledger.post(connection, [Transfer(id, "observation", id, (leg,), unconditional=True)], town.now)
        )


def capture(caller: Wallet, payment: Payment, amount: str | None = None) -> EndRequest:
    return EndRequest("capture", payment.id, caller.id, amount)


def void(caller: Wallet, payment: Payment) -> EndRequest:
    return EndRequest("void", payment.id, caller.id)


def seen(results: Results) -> list[str]:
    """What became of each: the state it is in, or the name of the refusal."""
    return [result.state.value if isinstance(result, Payment) else type(result).__name__ for result in results]


async def test_of_many_each_is_ended_or_refused_by_itself(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    town.charge(100)
    eve = await town.person("eve")
    part, whole, given_back, kept = await hold(town, alice, 4, "10.00 EUR")

    results = await end_all(
        town,
        capture(bob, part, "4.00"),
        capture(eve, whole),
        capture(bob, kept, "10.01"),
        capture(bob, kept, "-1.00"),
        capture(bob, kept, "1.001"),
        void(alice, given_back),
        capture(alice, whole),
    )

    assert seen(results) == [
        "settled", "NotFound", "CaptureExceedsHold", "InvalidAmount", "AmountTooPrecise", "voided", "settled",
    ]  # fmt: skip
    now = [await town.payment(one) for one in (part, whole, given_back, kept)]
    assert [(one.state.value, str(one.captured), str(one.fee)) for one in now] == [
        ("settled", "4.00 EUR", "0.04 EUR"), ("settled", "10.00 EUR", "0.10 EUR"), ("voided", "0.00 EUR", "0.10 EUR"),
        ("held", "0.00 EUR", "0.10 EUR"),
    ]  # fmt: skip
    assert (await town.available(bob, "EUR"), await town.fees()) == ("14.00 EUR", "0.14 EUR")
    assert await town.available(alice, "EUR") == "75.76 EUR"  # of 100.00: 14.14 paid, 10.10 held
    assert await town.wrong() == []


async def test_of_fifty_captures_of_one_hold_the_first_has_it(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    (held,) = await hold(town, alice, 1, "10.00 EUR")
    results = await end_all(town, *(capture(bob, held, f"{n}.00") for n in (4, *range(1, 10), *[10] * 40)))
    assert seen(results) == ["settled"] + ["StateConflict"] * 49
    assert await town.available(bob, "EUR") == "4.00 EUR"
    assert await town.wrong() == []


@pytest.mark.parametrize("first", ["capture", "void"])
async def test_of_capture_and_void_together_the_first_wins_and_the_other_is_told(
    town: LedgerTown, alice: Wallet, bob: Wallet, first: str
) -> None:
    (held,) = await hold(town, alice, 1, "10.00 EUR")
    both = [capture(bob, held), void(alice, held)]
    won, lost = await end_all(town, *(both if first == "capture" else both[::-1]))
    assert isinstance(won, Payment)
    assert str(lost).startswith(f"pay_{str(lost)[4:30]} is {won.state.value}: ")
    assert await town.available(bob, "EUR") == ("10.00 EUR" if first == "capture" else "0.00 EUR")


async def test_a_hold_past_its_time_is_refused_among_others(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    (old,) = await hold(town, alice, 1)
    town.now += timedelta(seconds=town.settings.hold_seconds)
    (young,) = await hold(town, alice, 1)
    assert seen(await end_all(town, capture(bob, old), capture(bob, young))) == ["StateConflict", "settled"]


async def test_fifty_ends_take_no_more_statements_than_one_of_each(
    town: LedgerTown, alice: Wallet, bob: Wallet
) -> None:
    held = await hold(town, alice, 52)
    taken = []
    for some in (held[:2], held[2:]):
        asked = [capture(bob, one) if n % 2 == 0 else void(bob, one) for n, one in enumerate(some)]
        async with town.database.transaction() as connection:
            with statements(connection) as said:
                await capture_void.end_all(connection, town.settings, asked, town.clock())
        taken.append(said)
    assert taken[0] == taken[1]
    assert await town.available(bob, "EUR") == "26.00 EUR"


async def test_a_capture_by_the_chain_is_left_alone_by_others_and_refused_as_a_whole(
    town: LedgerTown, alice: Wallet, bob: Wallet
) -> None:
    await give_tokens(town, alice, "10 USDX")
    (held,) = await hold(town, alice, 1)
    token_payments = await hold(town, alice, 2, "4 USDX")

    results = await end_all(
        town, capture(bob, token_payments[0], "3"), capture(bob, held), void(bob, token_payments[1])
    )

    assert seen(results) == ["Unbatched", "settled", "voided"]
    with pytest.raises(TokenNotDeployed):
        await end_all(town, capture(bob, token_payments[0], "3"))
    assert (await town.payment(token_payments[0])).state is State.HELD
    assert (await town.balance(alice, "USDX")).pending == 4_000_000
    assert await town.wrong() == []


@pytest.mark.seeds(3)
async def test_batches_refunds_and_expiry_at_once_neither_wait_in_a_ring_nor_end_twice(
    town: LedgerTown, alice: Wallet, bob: Wallet, seed: int
) -> None:
    chance = random.Random(seed)
    await town.give(bob, "100.00 EUR")
    held = [await town.pay(*who, "1.00 EUR", capture=False) for who in [(alice, "@bob"), (bob, "@alice")] * 10]
    paid = [await town.pay(alice, "@bob", "1.00 EUR") for _ in range(5)]
    late = town.now + timedelta(seconds=town.settings.hold_seconds)

    async def expire() -> int:
        async with town.database.transaction() as connection:
            return await capture_void.expire_due(connection, town.settings, late, limit=3)

    def some() -> list[EndRequest]:
        chosen = chance.sample([*held, *paid], 12)
        return [chance.choice([capture, void])(chance.choice([alice, bob]), one) for one in chosen]

    outcomes = await asyncio.gather(
        *(end_all(town, *some()) for _ in range(8)),
        *(town.refund(bob, one) for one in paid),
        *(expire() for _ in range(3)),
    )

    ended = [one.id for results in outcomes[:8] for one in results if isinstance(one, Payment)]
    assert len(ended) == len(set(ended))
    states = [(await town.payment(one)).state for one in held]
    assert len(ended) + states.count(State.EXPIRED) + states.count(State.HELD) == len(held)
    assert await town.wrong() == []
