"""Calls that share commits: deposits and withdrawals, captures and voids, at once and through two gateways."""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from litestar import Response

from gateway.api.payments.bank import Movements, movements_of
from gateway.api.payments.idempotency import fingerprint_of
from gateway.api.payments.payments import payment_id, payments_of, refunds_of
from gateway.api.payments.shapes import PaymentRequest
from gateway.bank.movements import BankRequest
from gateway.idempotency import Claim
from gateway.identity import api_key, wallet
from gateway.identity.wallet import Wallet
from gateway.ledger.errors import InsufficientFunds
from gateway.payments.pay import PayRequest
from gateway.payments.refund import Refund
from gateway.postgres.pool import connect
from tests.api.browser import browsing
from tests.api.conftest import Api, Person, amount, code_of, opened
from tests.api.test_approvals import approve, waiting
from tests.api.test_attack import known_to
from tests.factory import until_waiting

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(api: Api, database_url: str) -> AsyncIterator[Api]:
    """A second gateway over the same database, with a pool of its own."""
    async with connect(database_url, 16) as database, opened(database, api.services.settings.assets) as other:
        yield other


async def hold(payer: Person, payee: Person, count: int, money: str = "1.00 EUR") -> list[str]:
    """The ids of so many held payments."""
    answers = [await payer.pay(f"@{payee.handle}", money, capture=False) for _ in range(count)]
    return [answer.json()["id"] for answer in answers]


async def test_fifty_captures_of_one_hold_through_two_gateways_capture_it_once(api: Api, other: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    (held,) = await hold(alice, bob, 1, "10.00 EUR")

    answers = await asyncio.gather(
        *(who.post(f"/v1/payments/{held}/capture", {}) for who in [bob, known_to(other, bob)] * 25)
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 49}
    assert {code_of(answer)[1] for answer in answers if answer.status_code == 409} == {"state_conflict"}
    assert await bob.balance("EUR") == ("10.00", "0.00", "10.00")
    assert await api.wrong() == []


async def test_of_capture_and_void_of_each_of_twenty_holds_at_once_one_wins(api: Api, other: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    held = await hold(alice, bob, 20)
    calls = [(who, id, end) for id in held for who, end in ((known_to(other, bob), "capture"), (alice, "void"))]
    random.Random(1).shuffle(calls)

    answers = await asyncio.gather(*(who.post(f"/v1/payments/{id}/{end}", {}) for who, id, end in calls))

    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert sorted(one["id"] for one in won) == sorted(held)
    assert {code_of(answer) for answer in answers if answer.status_code != 200} == {(409, "state_conflict")}
    captured = sum(one["state"] == "settled" for one in won)
    assert (await alice.balance("EUR"))[1:] == ("0.00", f"{100 - captured}.00")
    assert await api.wrong() == []


async def test_keys_repeated_at_once_through_two_gateways_run_idempotently_each(api: Api, other: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR"), await api.person("bob")
    held = await hold(alice, bob, 5)
    one_euro = amount("1.00 EUR")
    calls = [
        *((f"d{n}", "/v1/deposits", one_euro) for n in range(10)),
        *((f"w{n}", "/v1/withdrawals", one_euro) for n in range(3)),
        *((f"c{n}", f"/v1/payments/{id}/capture", {}) for n, id in enumerate(held)),
    ] * 6
    random.Random(2).shuffle(calls)
    whose = [alice, known_to(other, alice)] * len(calls)

    answers = await asyncio.gather(
        *(who.post(path, body, key) for who, (key, path, body) in zip(whose, calls, strict=False))
    )

    assert {answer.status_code for answer in answers} == {200, 201}
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers].count(None) == 18
    bodies = {(key, answer.content) for (key, _, _), answer in zip(calls, answers, strict=True)}
    assert len(bodies) == 18
    assert await alice.balance("EUR") == ("12.00", "0.00", "12.00")
    assert await api.wrong() == []


async def test_what_is_captured_on_either_rail_at_once_is_settled_or_queued(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR", "10 USDX"), await api.person("bob")
    euros, tokens = await hold(alice, bob, 5), await hold(alice, bob, 5, "1 USDX")
    held = [id for pair in zip(euros, tokens, strict=True) for id in pair]

    answers = await asyncio.gather(*(bob.post(f"/v1/payments/{id}/capture", {}) for id in held))

    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [
        (200, "settled"), (200, "queued"),
    ] * 5  # fmt: skip
    assert await api.wrong() == []


# ---- one group for certain: whatever is asked before the event loop comes round -------------------------------------


@pytest.fixture
async def alice(api: Api) -> Wallet:
    await api.person("alice", "10.00 EUR")
    async with api.services.database.reading() as connection:
        return await wallet.by_handle(connection, "alice")


def asking(api: Api, together: Movements, owner: Wallet, *moneys: str) -> list["asyncio.Task[Response[Any]]"]:
    """Ask for deposits, or with a minus for withdrawals, all at once; the money is the key, too."""
    tasks = []
    for text in moneys:
        units, _, code = text.removeprefix("-").partition(" ")
        money = api.services.settings.assets[code].parse(units)
        asked = BankRequest("withdrawal" if text.startswith("-") else "deposit", owner, money)
        tasks.append(asyncio.create_task(together.answer(Claim(owner.id, text, b"f" * 32), asked)))
    return tasks


async def outcomes(tasks: "list[asyncio.Task[Response[Any]]]") -> list[str]:
    """The status of each, followed by an r for a replay, or the name of the refusal."""
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    return [
        f"{answer.status_code}{'r' * ('Idempotency-Replayed' in answer.headers)}"
        if isinstance(answer, Response)
        else type(answer).__name__
        for answer in answers
    ]


async def fail_at_666(api: Api, statement: str) -> None:
    """Have the database do this where 6.66 comes to the bank, in the middle of a group's transaction."""
    async with api.services.database.transaction() as connection:
        await connection.execute(
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NEW; END $$;"
            "CREATE TRIGGER fail AFTER INSERT ON sandbox_bank_line"
            " FOR EACH ROW WHEN (NEW.amount = 666) EXECUTE FUNCTION fail()"
        )


async def mend(api: Api) -> None:
    async with api.services.database.transaction() as connection:
        await connection.execute("DROP TRIGGER fail ON sandbox_bank_line")


async def commits(api: Api) -> list[int]:
    """How many movements each commit wrote, the fewest first."""
    async with api.services.database.reading() as connection:
        rows = await connection.fetch("SELECT count(*) FROM bank_movement GROUP BY xmin::text ORDER BY 1")
    return [row["count"] for row in rows]


async def test_a_group_shares_one_commit_and_who_is_refused_in_it_is_refused_alone(api: Api, alice: Wallet) -> None:
    tasks = asking(
        api, movements_of(api.services), alice, "1.00 EUR", "-11.01 EUR", "2.00 EUR", "3 USDX", "-13.00 EUR", "1.00 EUR"
    )

    assert await outcomes(tasks) == ["201", "InsufficientFunds", "201", "NotAtTheBank", "201", "201r"]

    refusal = tasks[1].exception()
    assert isinstance(refusal, InsufficientFunds)
    assert (str(refusal.asked), str(refusal.available)) == ("11.01 EUR", "11.00 EUR")
    assert tasks[5].result().content == tasks[0].result().content
    assert await commits(api) == [1, 3]
    assert await api.wrong() == []


async def test_a_fault_that_one_of_a_group_runs_into_is_its_own(api: Api, alice: Wallet) -> None:
    together, moneys = movements_of(api.services), ("1.00 EUR", "6.66 EUR", "2.00 EUR", "-3.00 EUR")
    await fail_at_666(api, "RAISE 'crash'")

    assert await outcomes(asking(api, together, alice, *moneys)) == ["201", "RaiseError", "201", "201"]

    await mend(api)
    assert await outcomes(asking(api, together, alice, *moneys)) == ["201r", "201", "201r", "201r"]
    assert await api.wrong() == []


async def test_when_the_connection_is_cut_everybody_in_the_group_is_told_and_may_ask_again(
    api: Api, alice: Wallet
) -> None:
    together, moneys = movements_of(api.services), ("1.00 EUR", "6.66 EUR", "2.00 EUR", "-3.00 EUR")
    await fail_at_666(api, "PERFORM pg_terminate_backend(pg_backend_pid())")
    before = await api.counts()

    assert await outcomes(asking(api, together, alice, *moneys)) == ["DatabaseUnavailable"] * 4

    assert await api.counts() == before
    await mend(api)
    assert await outcomes(asking(api, together, alice, *moneys)) == ["201"] * 4
    assert await commits(api) == [1, 4]
    assert await api.wrong() == []


async def test_a_client_that_hangs_up_changes_nothing(api: Api, alice: Wallet) -> None:
    together = movements_of(api.services)
    moneys = ("1.00 EUR", "2.00 EUR", "3.00 EUR")
    async with api.services.database.transaction() as connection:
        await connection.execute("SELECT FROM account WHERE code = 'bank:EUR' FOR UPDATE")  # no group can commit
        tasks = asking(api, together, alice, *moneys)
        await until_waiting(connection, 1)
        tasks[1].cancel()

    assert await outcomes(tasks) == ["201", "CancelledError", "201"]
    assert await outcomes(asking(api, together, alice, *moneys)) == ["201r"] * 3
    assert await commits(api) == [1, 3]


# ---- token payments: many payers, one commit ------------------------------------------------------------------------


def paying(api: Api, *asked: tuple[Wallet, str, str, str]) -> list["asyncio.Task[Response[Any]]"]:
    """Pay (payer, to, money, key), all at once and in one group for certain."""
    together, tasks = payments_of(api.services), []
    for payer, to, text, key in asked:
        units, _, code = text.partition(" ")
        request = PayRequest(to, api.services.settings.assets[code].parse(units))
        claim = Claim(payer.id, key, fingerprint_of(to, amount_asked(text), api.services.settings.payees))
        tasks.append(asyncio.create_task(together.answer(claim, (payer, request))))
    return tasks


def amount_asked(text: str) -> PaymentRequest:
    units, _, code = text.partition(" ")
    return PaymentRequest(to="@x", amount=units, asset=code)


async def wallet_of(api: Api, handle: str, *moneys: str) -> Wallet:
    await api.person(handle, *moneys)
    async with api.services.database.reading() as connection:
        return await wallet.by_handle(connection, handle)


async def test_payments_of_many_payers_share_one_commit_and_a_bad_one_is_refused_alone(api: Api) -> None:
    ann, ben = await wallet_of(api, "ann", "10 USDX"), await wallet_of(api, "ben", "5 USDX")
    outside = "0x" + "ab" * 20

    tasks = paying(
        api,
        (ann, "@ben", "4 USDX", "a1"),
        (ben, "@ann", "9 USDX", "b1"),  # more than ben has
        (ann, "@ann", "1 USDX", "a2"),
        (ann, "@nobody_here", "1 USDX", "a3"),
        (ben, "@ann", "5 USDX", "b2"),
        (ann, outside, "6 USDX", "a4"),
        (ann, "@ben", "1 USDX", "a5"),  # and nothing is left for it
        (ann, "@ben", "4 USDX", "a1"),
        (ann, "@ben", "3 USDX", "a4"),
    )

    assert await outcomes(tasks) == [
        *("202", "InsufficientFunds", "SelfPayment", "UnknownPayee", "202", "202", "InsufficientFunds", "202r"),
        "IdempotencyKeyReused",
    ]
    assert tasks[7].result().content == tasks[0].result().content
    async with api.services.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT payment.xmin::text AS written, a.from_address, a.nonce"
            " FROM staged_payment AS payment"
            " JOIN token_authorization AS a ON a.id = authorization_id ORDER BY payment.id"
        )
    assert len({row["written"] for row in rows}) == 1
    nonces = sorted((row["from_address"], row["nonce"]) for row in rows)
    assert nonces == sorted([(ann.address, 0), (ann.address, 1), (ben.address, 0)])
    assert await api.wrong() == []


async def test_what_was_refused_among_token_payments_may_be_asked_again_with_its_key(api: Api) -> None:
    ann, ben = await wallet_of(api, "ann"), await wallet_of(api, "ben", "5 USDX")
    assert await outcomes(paying(api, (ann, "@ben", "4 USDX", "a"), (ben, "@ann", "4 USDX", "b"))) == [
        "InsufficientFunds", "202",
    ]  # fmt: skip
    counted = await api.counts()
    assert counted["payment"] == counted["idempotency_key"] == counted["token_authorization"] == 1


async def test_payments_and_holds_of_a_currency_share_one_commit_and_a_bad_one_is_refused_alone(api: Api) -> None:
    ann, ben = await wallet_of(api, "ann", "10.00 EUR"), await wallet_of(api, "ben", "5.00 EUR")

    tasks = paying(
        api,
        (ann, "@ben", "4.00 EUR", "a1"),
        (ben, "@ann", "9.50 EUR", "b1"),  # more than ben has, even now
        (ben, "@ann", "9.00 EUR", "b2"),  # what ben has with ann's
        (ann, "@nobody_here", "1.00 EUR", "a2"),
        (ann, "@ben", "4.00 EUR", "a1"),
        (ann, "@ben", "3.00 EUR", "a1"),
    )

    assert await outcomes(tasks) == [
        *("201", "InsufficientFunds", "201", "UnknownPayee", "201r", "IdempotencyKeyReused"),
    ]
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM ledger_payment") == 1
    assert await api.wrong() == []


async def test_fifty_payments_of_a_capped_key_at_once_go_no_further_than_its_day(api: Api) -> None:
    ann, ben = await api.person("ann", "100.00 EUR"), await api.person("ben", "1.00 EUR")
    cap = {"asset": "EUR", "payment": "2.00", "day": "20.00"}
    made = await ann.post("/v1/keys", {"name": "till", "scopes": ["pay"], "caps": [cap]})
    till = replace(ann, api_key=made.json()["api_key"])

    answers = await asyncio.gather(*(till.pay("@ben", "1.00 EUR") for _ in range(50)))

    assert Counter(answer.status_code for answer in answers) == {201: 20, 409: 30}
    assert await ben.balance("EUR") == ("21.00", "0.00", "21.00")
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM ledger_payment") < 20, (
            "they share commits"
        )
    assert await api.wrong() == []


async def test_a_payment_that_is_short_takes_no_room_of_its_keys_day_from_those_after_it(api: Api) -> None:
    ann, _ = await api.person("ann", "10.00 EUR"), await api.person("ben", "1.00 EUR")
    made = await ann.post("/v1/keys", {"name": "till", "scopes": ["pay"], "caps": [{"asset": "EUR", "day": "30.00"}]})
    till = replace(ann, api_key=made.json()["api_key"])
    lines = [{"to": "@ben", **amount(money)} for money in ("25.00 EUR", "6.00 EUR", "26.00 EUR")]

    answer = await till.post("/v1/payments/batch", lines)

    assert [line["status"] for line in answer.json()] == [409, 201, 409]
    assert answer.json()[2]["problem"]["left"] == "24.00"
    async with api.services.database.reading() as connection:
        shown = await api_key.authenticate(connection, till.api_key, None, api.services.clock())
    together, tasks, eur = payments_of(api.services), [], api.services.settings.assets["EUR"]
    for key in ("20.00", "4.00", "20.01"):  # of 4.00, with 24.00 left of the day
        claim = Claim(shown.wallet.id, key, b"f" * 32)
        asked = PayRequest("@ben", eur.parse(key), by=shown)
        tasks.append(asyncio.create_task(together.answer(claim, (shown.wallet, asked))))
    assert await outcomes(tasks) == ["InsufficientFunds", "201", "DayCapExceeded"]
    assert await api.wrong() == []


async def test_a_payment_that_is_short_takes_no_room_of_its_wallets_day_from_those_after_it(api: Api) -> None:
    grace, key, _ = await browsing(api, "grace", "250.00 EUR")
    await api.person("ben", "1.00 EUR")
    await approve(grace, key, await waiting(grace, "@ben", "1.00 EUR"))  # whom she has paid
    lines = [{"to": "@ben", **amount(f"{euros}.00 EUR")} for euros in (100, 100, 90, 20)]

    answer = await grace.post("/v1/payments/batch", lines)

    assert [line.get("state") for line in answer.json()] == ["settled", "settled", None, "settled"]
    assert answer.json()[2]["problem"]["code"] == "insufficient_funds"
    assert await grace.balance("EUR") == ("29.00", "0.00", "29.00")
    assert await api.wrong() == []


async def test_a_fault_that_one_token_payment_of_a_group_runs_into_is_its_own(api: Api) -> None:
    ann, ben = await wallet_of(api, "ann", "10 USDX"), await wallet_of(api, "ben", "10 USDX")
    async with api.services.database.transaction() as connection:
        await connection.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'crash'; END $$;"
            "CREATE TRIGGER fail AFTER INSERT ON token_authorization"
            " FOR EACH ROW WHEN (NEW.value = 6660000) EXECUTE FUNCTION fail()"
        )

    tasks = paying(api, (ann, "@ben", "1 USDX", "a"), (ben, "@ann", "6.66 USDX", "b"), (ann, "@ben", "2 USDX", "c"))

    assert await outcomes(tasks) == ["202", "RaiseError", "202"]
    assert (await api.counts())["token_authorization"] == 2
    assert await api.wrong() == []


async def test_two_hundred_token_payments_at_once_through_two_gateways_get_nonces_without_a_gap(
    api: Api, other: Api
) -> None:
    people = [await api.person(f"payer{n}", "100 USDX") for n in range(4)]

    answers = await asyncio.gather(
        *(
            (who if n % 2 else known_to(other, who)).pay(f"@payer{(place + 1) % 4}", "0.5 USDX")
            for place, who in enumerate(people)
            for n in range(50)
        )
    )

    assert Counter(answer.status_code for answer in answers) == {202: 200}
    async with api.services.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT count(*), count(DISTINCT nonce) AS distinct, max(nonce) AS last"
            " FROM token_authorization GROUP BY from_address"
        )
    assert [(row["count"], row["distinct"], row["last"]) for row in rows] == [(50, 50, 49)] * 4
    assert await api.wrong() == []


# ---- refunds --------------------------------------------------------------------------------------------------------


async def test_refunds_of_many_payees_share_one_commit_and_a_bad_one_is_refused_alone(api: Api) -> None:
    alice = await api.person("alice", "100.00 EUR")
    bob, carol = await wallet_of(api, "bob"), await wallet_of(api, "carol")
    paid = [(await alice.pay(to, "4.00 EUR")).json()["id"] for to in ("@bob", "@bob", "@carol")]
    held = (await alice.pay("@carol", "1.00 EUR", capture=False)).json()["id"]
    refunds, tasks = refunds_of(api.services), []

    def give_back(payee: Wallet, shown: str, text: str | None, key: str) -> None:
        asked = Refund(payee, payment_id(shown), text)
        claim = Claim(payee.id, key, hashlib.sha256(f"{shown} {text}".encode()).digest())
        tasks.append(asyncio.create_task(refunds.answer(claim, asked)))

    give_back(bob, paid[0], "3.00", "b1")
    give_back(carol, paid[0], None, "c1")  # bob's
    give_back(carol, paid[2], "4.01", "c2")
    give_back(carol, held, None, "c3")
    give_back(carol, paid[2], "0.001", "c4")
    give_back(carol, paid[2], None, "c5")
    give_back(bob, paid[1], None, "b2")
    give_back(bob, paid[0], "3.00", "b1")
    give_back(bob, paid[0], "2.00", "b1")

    assert await outcomes(tasks) == [
        *("201", "NotFound", "RefundExceedsPayment", "HeldPaymentRefund", "AmountTooPrecise", "201", "201", "201r"),
        "IdempotencyKeyReused",
    ]
    async with api.services.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT xmin::text AS written, amount FROM ledger_payment WHERE refund_of IS NOT NULL"
        )
    assert (len({row["written"] for row in rows}), sorted(row["amount"] for row in rows)) == (1, [300, 400, 400])
    assert await alice.balance("EUR") == ("99.00", "1.00", "98.00")
    assert await api.wrong() == []


async def test_two_refunds_of_one_payment_in_one_group_give_back_no_more_than_was_paid(api: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR"), await wallet_of(api, "bob")
    shown = (await alice.pay("@bob", "5.00 EUR")).json()["id"]
    refunds = refunds_of(api.services)
    tasks = [
        asyncio.create_task(
            refunds.answer(Claim(bob.id, f"key {n}", bytes([n]) * 32), Refund(bob, payment_id(shown), "2.00"))
        )
        for n in range(3)
    ]
    assert sorted(await outcomes(tasks)) == ["201", "201", "RefundExceedsPayment"]
    assert await alice.balance("EUR") == ("9.00", "0.00", "9.00")


async def test_refunds_of_each_others_payments_at_once_wait_in_no_ring(api: Api, other: Api) -> None:
    """Through two gateways, each of which has payments of both in its groups, with approvals' locks in between."""
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob", "100.00 EUR")
    to_bob = [(await alice.pay("@bob", "1.00 EUR")).json()["id"] for _ in range(12)]
    to_alice = [(await bob.pay("@alice", "1.00 EUR")).json()["id"] for _ in range(12)]
    calls = [
        *((bob, id) for id in to_bob),
        *((known_to(other, alice), id) for id in to_alice),
        *((known_to(other, bob), id) for id in to_bob),
        *((alice, id) for id in to_alice),
    ]
    random.Random(3).shuffle(calls)
    answers = await asyncio.gather(*(who.post(f"/v1/payments/{id}/refund", {"amount": "0.60"}) for who, id in calls))
    assert Counter(answer.status_code for answer in answers) == {201: 24, 409: 24}
    assert {code_of(answer)[1] for answer in answers if answer.status_code == 409} == {"refund_exceeds_payment"}
    assert await api.wrong() == []
