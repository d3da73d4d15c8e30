"""Captures, voids and refunds that one statement does: only such as the checks would do, with the same rows, and once.

end_payments and refund_payments (schema/) say that no rule has anything to say; capture_void.py and refund.py say it
with their reasons. Both are driven over payments in every state, by their parties and by others.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, cast

import pytest

from gateway.errors import GatewayError
from gateway.ids import PaymentId, new_id
from gateway.money import Assets
from gateway.payments.ends import capture_void, plain_ends, refund
from gateway.payments.ends.capture_void import EndRequest
from gateway.payments.ends.plain_ends import EndKind, Outcome, PlainEnd
from gateway.payments.ends.refund import Refund
from gateway.payments.errors import RefundExceedsPayment
from gateway.payments.model.payment import Payment, State
from gateway.postgres.pool import Connection, Database
from gateway.secret import hash_of
from tests.databases import until_waiting
from tests.payments.test_settle_payments import Street, undone

pytestmark = pytest.mark.anyio

HANDLES = ("ann", "bea", "cyd")

#: Everything that is written but for keys, ids that are made anew, the numbers of events, and the microseconds by which
#: payments on one account follow each other.
WRITTEN = {
    "payment": """SELECT id, state, fee, captured, refunded, authorization_id, expires_at, settled_at, undo_until,
        hidden_from_payee FROM staged_payment ORDER BY id""",
    "hold": "SELECT * FROM hold ORDER BY id, leg",
    "account": """SELECT code, debits_posted, credits_posted, debits_pending, credits_pending, shortfall, entries,
        date_trunc('second', posted_at) FROM account ORDER BY id""",
    "entry": """SELECT account_id, number, side, amount, balance, purpose,
        date_trunc('second', posted_at) FROM entry ORDER BY account_id, number""",
    "event": """SELECT kind, wallet_id, other_id, payload, date_trunc('second', at) FROM event
        WHERE kind LIKE 'payment.%' ORDER BY id""",
    "refund": """SELECT payer, payee, asset, amount, memo, refund_of
        FROM payment WHERE refund_of IS NOT NULL ORDER BY id""",
    "refunded": "SELECT * FROM refunded_payment WHERE refunded > 0 ORDER BY payment_id",
}


class Lane(Street):
    """A street with payments to end and to refund."""

    async def hold(self, payer: int, payee: int, text: str = "1.00 EUR", **fields: Any) -> Payment:
        return await self.pay(
            self.people[payer].wallet, f"@{HANDLES[payee]}", text, capture=False, memo="tea", **fields
        )

    def ask(
        self, end: EndKind, by: int, payment: Payment, amount: str | None = None, key: str = "", api_key: str = ""
    ) -> PlainEnd:
        secret = api_key or self.people[by].api_key
        return PlainEnd(hash_of(secret), key or str(new_id(self.now)), b"f" * 32, end, payment.id, amount)

    async def end(self, *asked: PlainEnd) -> list[Outcome]:
        return await plain_ends.end_all(self.database, self.settings, asked, self.now)

    async def give_back(self, *asked: PlainEnd) -> list[Outcome]:
        return await plain_ends.refund_all(self.database, self.settings, asked, self.now)

    async def change(self, statement: str, *values: object) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(statement, *values)

    async def by_checks(self, connection: Connection, asked: Sequence[PlainEnd]) -> list[Payment | GatewayError]:
        """What the ordinary way does with them, one after the other."""
        wallet_of = {hash_of(person.api_key): person.wallet for person in self.people}
        results: list[Payment | GatewayError] = []
        for one in asked:
            caller = wallet_of[one.token_hash]
            try:
                if one.end == "refund":
                    request = Refund(caller, one.payment, one.amount)
                    results.append(await refund.refund(connection, self.settings, request, self.now))
                else:
                    end = EndRequest(one.end, one.payment, caller.id, one.amount)
                    (ended,) = await capture_void.end_all(connection, self.settings, [end], self.now)
                    results.append(cast("Payment | GatewayError", ended))
            except GatewayError as refusal:
                results.append(refusal)
        return results


async def written(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    return {name: [dict(row) for row in await connection.fetch(read)] for name, read in WRITTEN.items()}


@pytest.fixture
async def lane(database: Database, assets: Assets) -> Lane:
    lane = Lane(database, assets)
    await lane.arrive(*HANDLES, money="500.00 EUR")
    return lane


def seen(outcomes: Sequence[Outcome]) -> list[str]:
    return [one.state.value if isinstance(one, Payment) else type(one).__name__ for one in outcomes]


async def both_ways(lane: Lane, asked: Sequence[PlainEnd]) -> list[bool]:
    """Ask the statement, and from the same state ask the checks for what it has done: all is the same. What it has not
    done is asked alone and from the same state; returns whether the checks do it.
    """
    together = plain_ends.refund_in if asked[0].end == "refund" else plain_ends.end_in
    async with lane.database.reading() as connection:
        async with undone(connection):
            outcomes = await together(connection, lane.settings, asked, lane.now)
            by_statement = await written(connection)
        done = [one for one, outcome in zip(asked, outcomes, strict=True) if isinstance(outcome, Payment)]
        async with undone(connection):
            results = await lane.by_checks(connection, done)
            assert await written(connection) == by_statement
        for outcome, result in zip((one for one in outcomes if isinstance(one, Payment)), results, strict=True):
            assert isinstance(result, Payment), result
            assert _plain(outcome) == _plain(result)
        assert done
        left = []
        for one in asked:
            if one not in done:
                async with undone(connection):
                    (result,) = await lane.by_checks(connection, [one])
                    left.append(isinstance(result, Payment))
    return left


def _plain(payment: Payment) -> dict[str, Any]:
    """A payment without what nobody is shown of it, and of a refund without what is made anew."""
    left_out = {"hidden_from_payee", "claim", "note"}
    if payment.refund_of is not None:
        left_out |= {"id", "transfer_id", "created_at", "settled_at"}
    return {name: getattr(payment, name) for name in payment.__struct_fields__ if name not in left_out}


@pytest.mark.seeds(3)
async def test_what_the_statement_ends_the_checks_end_with_the_same_rows(lane: Lane, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(3):
        held = [await lane.hold(n % 3, (n + 1 + n % 2) % 3, f"{1 + n % 4}.10 EUR") for n in range(12)]
        await lane.end(lane.ask("capture", 0, held[0]), lane.ask("void", 1, held[1]), lane.ask("capture", 2, held[2]))
        asked = [
            lane.ask(
                draw.choice(("capture", "capture", "void")),
                draw.randrange(3),
                one,
                draw.choice((None, None, "1.00", "1.1", "0.01", "9.00", "0", "1.100")),
            )
            for one in draw.sample(held, 12)
        ]
        assert not any(await both_ways(lane, asked))
        await lane.end(*asked)
    assert await lane.wrong() == []


@pytest.mark.seeds(3)
async def test_what_the_statement_refunds_the_checks_refund_with_the_same_rows(lane: Lane, seed: int) -> None:
    draw = random.Random(seed)
    paid = [await lane.pay(lane.people[n % 3].wallet, f"@{HANDLES[n % 3 - 1]}", f"{1 + n}.10 EUR") for n in range(12)]
    for _ in range(4):
        asked = [
            lane.ask(
                "refund",
                (n - 1) % 3 if draw.random() < 0.8 else draw.randrange(3),
                paid[n],
                draw.choice((None, "1.00", "2.1", "0.01", "9.00", "0", "1.100")),
            )
            for n in draw.sample(range(12), 8)
        ]
        assert not any(await both_ways(lane, asked))
        await lane.give_back(*asked)
    assert await lane.wrong() == []


# ---- what is left to the checks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("UPDATE api_key SET revoked_at = now() WHERE wallet_id = $1", ("capture", "void", "refund")),
        ("UPDATE api_key SET expires_at = '2030-01-31 12:00Z' WHERE wallet_id = $1", ("capture", "void", "refund")),
        ("UPDATE api_key SET networks = '{192.0.2.0/24}' WHERE wallet_id = $1", ("capture", "void", "refund")),
        ("UPDATE api_key SET scopes = '{read,refund}' WHERE wallet_id = $1", ("capture", "void", "refund")),
        ("UPDATE api_key SET scopes = '{read,pay}' WHERE wallet_id = $1", ("refund",)),
        ("UPDATE api_key SET capped = true WHERE wallet_id = $1", ("refund",)),
        ("UPDATE wallet SET guarded = true WHERE id = $1", ("refund",)),
        ("UPDATE wallet SET frozen_at = now() WHERE id = $1", ("refund",)),
        ("UPDATE wallet SET frozen_at = now() WHERE id <> $1", ("capture",)),
        ("UPDATE staged_payment SET expires_at = '2030-01-31 12:00Z' WHERE payee = $1", ("capture",)),
        ("UPDATE staged_payment SET undo_until = now() WHERE payee = $1", ("capture",)),
        ("UPDATE staged_payment SET state = 'requires_confirmation' WHERE payee = $1", ("capture", "void")),
        ("UPDATE staged_payment SET fee = 1 WHERE payee = $1", ("capture", "void")),
        ("UPDATE staged_payment SET refund_of = id WHERE payee = $1", ("capture", "void")),
        ("UPDATE staged_payment SET rail = 'bank', route = '{}' WHERE payee = $1", ("capture", "void")),
        (
            "INSERT INTO counted_payment SELECT 'policy', $1, 0, 'EUR', now(), id, now(), 1"
            " FROM payment WHERE payee = $1",
            ("capture", "void", "refund"),
        ),
    ],
)
async def test_where_a_rule_may_have_something_to_say_the_checks_decide(
    lane: Lane, change: str, left: tuple[EndKind, ...]
) -> None:
    one, other = [await lane.hold(0, 1) for _ in range(2)]
    paid = await lane.pay(lane.people[0].wallet, "@bea", "1.00 EUR")
    await lane.change(change, lane.people[1].wallet.id)

    ended = await lane.end(lane.ask("capture", 1, one), lane.ask("void", 1, other))
    refunded = await lane.give_back(lane.ask("refund", 1, paid))

    done = {"capture": "settled", "void": "voided", "refund": "settled"}
    wanted = ["NeedsChecks" if end in left else state for end, state in done.items()]
    assert seen([*ended, *refunded]) == wanted
    async with lane.database.reading() as connection:
        keys = await connection.fetchval("SELECT count(*) FROM idempotency_key")
        refunds = await connection.fetchval("SELECT count(*) FROM refunded_payment WHERE refunded > 0")
    assert (keys, refunds) == (2 - len({"capture", "void"} & {*left}), "refund" not in left)


async def test_a_stranger_and_a_payer_are_left_to_the_checks(lane: Lane) -> None:
    held, paid = await lane.hold(0, 1), await lane.pay(lane.people[0].wallet, "@bea", "1.00 EUR")
    assert seen(await lane.end(lane.ask("capture", 2, held))) == ["NeedsChecks"]
    assert seen(await lane.end(lane.ask("void", 2, held))) == ["NeedsChecks"]
    assert seen(await lane.give_back(lane.ask("refund", 2, paid), lane.ask("refund", 0, paid))) == ["NeedsChecks"] * 2
    assert seen(await lane.end(lane.ask("void", 0, held, api_key="gw_of_nobody"))) == ["NeedsChecks"]


async def test_a_key_is_used_once_whatever_for(lane: Lane) -> None:
    one, other = [await lane.hold(0, 1) for _ in range(2)]
    paid = await lane.pay(lane.people[0].wallet, "@bea", "1.00 EUR")
    assert seen(await lane.end(lane.ask("capture", 1, one, key="k"))) == ["settled"]
    assert seen(await lane.end(lane.ask("capture", 1, other, key="k"))) == ["NeedsChecks"]
    assert seen(await lane.give_back(lane.ask("refund", 1, paid, key="k"))) == ["NeedsChecks"]
    assert seen(await lane.give_back(lane.ask("refund", 1, paid, "0.40", key="r"))) == ["settled"]
    assert seen(await lane.end(lane.ask("capture", 1, other, key="r"))) == ["NeedsChecks"]
    assert str((await lane.payment(paid)).refunded) == "0.40 EUR"
    assert (await lane.payment(other)).state is State.HELD


async def test_a_refund_that_there_is_no_money_for_counts_nothing(lane: Lane) -> None:
    paid = await lane.pay(lane.people[0].wallet, "@bea", "1.00 EUR")
    await lane.pay(lane.people[1].wallet, "@cyd", "500.50 EUR")
    rich = await lane.pay(lane.people[0].wallet, "@cyd", "1.00 EUR")
    assert seen(await lane.give_back(lane.ask("refund", 1, paid), lane.ask("refund", 2, rich))) == [
        "NeedsChecks",
        "settled",
    ]
    assert str((await lane.payment(paid)).refunded) == "0.00 EUR"
    assert seen(await lane.give_back(lane.ask("refund", 1, paid, "0.50"))) == ["settled"]
    assert await lane.wrong() == []


# ---- at once ---------------------------------------------------------------------------------------------------------


async def test_what_changes_while_a_capture_waits_is_seen(lane: Lane) -> None:
    frozen, ended, other = [await lane.hold(*pair) for pair in ((0, 1), (2, 1), (2, 1))]
    async with lane.database.transaction() as connection:
        first = min(one.id for one in (frozen, ended, other))  # it is locked first, and then nothing else is yet
        await connection.execute("SELECT FROM staged_payment WHERE id = $1 FOR UPDATE", first)
        waiting = asyncio.create_task(lane.end(*(lane.ask("capture", 1, one) for one in (frozen, ended, other))))
        async with lane.database.reading() as watching:
            await until_waiting(watching, 1)
        await connection.execute("UPDATE wallet SET frozen_at = now() WHERE id = $1", lane.people[0].wallet.id)
        void = EndRequest("void", ended.id, lane.people[2].wallet.id)
        await capture_void.end_all(connection, lane.settings, [void], lane.now)
    assert seen(await waiting) == ["NeedsChecks", "NeedsChecks", "settled"]
    assert await lane.wrong() == []


async def test_of_captures_and_voids_both_ways_at_once_each_hold_has_one(lane: Lane) -> None:
    held = [await lane.hold(n % 3, (n + 1) % 3) for n in range(24)]

    async def by_checks(some: Sequence[Payment]) -> list[str]:
        asked = [EndRequest("void", one.id, one.payer) for one in some]
        async with lane.database.transaction() as connection:
            results = await capture_void.end_all(connection, lane.settings, asked, lane.now)
        return ["voided" for one in results if isinstance(one, Payment)]

    async def by_statement(some: Sequence[Payment], end: EndKind) -> list[str]:
        parties = {person.wallet.id: n for n, person in enumerate(lane.people)}
        outcomes = await lane.end(*(lane.ask(end, parties[one.payer], one) for one in some))
        return [name for name in seen(outcomes) if name != "NeedsChecks"]

    draw = random.Random(1)
    results = await asyncio.gather(
        *(by_checks(draw.sample(held, 12)) for _ in range(4)),
        *(by_statement(draw.sample(held, 12), "capture") for _ in range(4)),
        *(by_statement(draw.sample(held, 12), "void") for _ in range(4)),
    )

    ended = sorted(name for some in results for name in some)
    states = sorted([(await lane.payment(one)).state.value for one in held])
    assert [state for state in states if state != "held"] == ended
    assert await lane.wrong() == []


async def test_refunds_both_ways_at_once_give_back_no_more_than_was_paid(lane: Lane) -> None:
    paid = [await lane.pay(lane.people[0].wallet, "@bea", "1.00 EUR") for _ in range(3)]
    bea = lane.people[1].wallet

    async def by_checks(one: Payment) -> bool:
        try:
            await lane.refund(bea, one, "0.15 EUR")
        except GatewayError:
            return False
        return True

    async def by_statement(group: Sequence[Payment]) -> list[bool]:
        outcomes = await lane.give_back(*(lane.ask("refund", 1, one, "0.15") for one in group))
        return [isinstance(one, Payment) for one in outcomes]

    async def one_by_one(one: Payment) -> list[bool]:
        return [await by_checks(one) for _ in range(4)]

    results = await asyncio.gather(
        *(one_by_one(one) for one in paid), *(by_statement(random.Random(n).sample(paid, 3)) for n in range(8))
    )

    assert sum(done for some in results for done in some) == 3 * 6
    assert [str((await lane.payment(one)).refunded) for one in paid] == ["0.90 EUR"] * 3
    assert await lane.wrong() == []


async def test_a_refund_waits_for_another_and_not_for_the_payment(lane: Lane) -> None:
    paid = await lane.pay(lane.people[0].wallet, "@bea", "1.00 EUR")
    async with lane.database.transaction() as reader:
        await reader.execute("SELECT FROM ledger_payment WHERE id = $1 FOR UPDATE", paid.id)
        assert seen(await lane.give_back(lane.ask("refund", 1, paid, "0.10"))) == ["settled"]

    async with lane.database.transaction() as connection:
        asked = Refund(lane.people[1].wallet, PaymentId(paid.id), "0.50")
        await refund.refund(connection, lane.settings, asked, lane.now)
        waiting = asyncio.create_task(lane.give_back(lane.ask("refund", 1, paid, "0.50")))
        async with lane.database.reading() as watching:
            await until_waiting(watching, 1)
    assert seen(await waiting) == ["NeedsChecks"]
    (rest,) = await lane.give_back(lane.ask("refund", 1, paid))
    assert isinstance(rest, Payment)
    assert str(rest.amount) == "0.40 EUR"
    assert await lane.wrong() == []


async def test_a_refund_by_the_checks_decides_by_what_is_refunded_once_it_is_locked(lane: Lane) -> None:
    """The first of two waits at its payer's account, with what is refunded locked: the second sees what it counts."""
    paid, bea = await lane.pay(lane.people[0].wallet, "@bea", "1.00 EUR"), lane.people[1].wallet
    await lane.refund(bea, paid, "0.10 EUR")
    async with lane.database.transaction() as connection:
        await connection.execute("SELECT FROM account WHERE owner = $1 FOR UPDATE", bea.id)
        first = asyncio.create_task(lane.refund(bea, paid, "0.50 EUR"))
        async with lane.database.reading() as watching:
            await until_waiting(watching, 1)
            second = asyncio.create_task(lane.refund(bea, paid, "0.50 EUR"))
            await until_waiting(watching, 2)
    results = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(one) for one in results] == [Payment, RefundExceedsPayment]
    assert await lane.wrong() == []
