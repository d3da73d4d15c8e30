"""Payments of many payers that share a commit."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from litestar import Response

from gateway.api.payments.idempotency import fingerprint_of
from gateway.api.payments.payments import payments_of
from gateway.api.payments.shapes import PaymentRequest
from gateway.idempotency import Claim
from gateway.identity import api_key
from gateway.identity.wallet import Wallet
from gateway.payments.pay import PayRequest
from tests.api.browser import browsing
from tests.api.conftest import Api, amount
from tests.api.test_approvals import approve, waiting
from tests.api.test_attack import known_to
from tests.api.together.conftest import outcomes, wallet_of

pytestmark = pytest.mark.anyio


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
