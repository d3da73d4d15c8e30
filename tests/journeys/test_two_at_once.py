"""Two payments that cannot both be made, at the same moment through two gateways over one database: one is, each time.

No group is there to put them in body: each gateway has one request, and commits it for itself.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from gateway.bank import movements
from gateway.ledger import recount
from gateway.money import Assets
from gateway.postgres.pool import connect
from tests.journeys.town import Town, said, town_of
from tests.load import Answer, Line, request

pytestmark = pytest.mark.anyio

ROUNDS = 200

#: Who pays in the rounds of money: each has 10.00 EUR, and is asked for more than that at once.
PAYERS = [f"payer{n}" for n in range(ROUNDS)]

PAID_IN = 10_00

PAY, BATCH = "/v1/payments", "/v1/payments/batch"


@pytest.fixture(scope="module")
async def town() -> AsyncIterator[Town]:
    async with town_of(gateways=2) as town:
        await town.arrive([*PAYERS, "shop"], EUR=PAID_IN)
        await town.arrive(["rich"], EUR=100_000_00)
        yield town


@pytest.fixture(scope="module")
async def lines(town: Town) -> AsyncIterator[list[Line]]:
    """A connection to each gateway, which both have answered on."""
    lines = [Line(port) for port in town.setup.ports]
    for line in lines:
        assert (await line.ask(request("GET", "/v1/wallet", town.api_keys["rich"]))).status == 200
    yield lines
    for line in lines:
        line.close()


@pytest.fixture(autouse=True)
async def adds_up(town: Town, lines: list[Line], assets: Assets) -> AsyncIterator[None]:
    """Whatever was asked: what everybody has is what was paid in, and the ledger is right."""
    yield
    has = sum([await posted(town, lines[0], who) for who in town.api_keys])
    assert has == sum(town.paid_in.values())
    async with connect(town.setup.dsn, connections=2) as database, database.snapshot() as connection:
        assert await recount.recount(connection) == []
        assert await movements.reconcile(connection, assets) == []


async def posted(town: Town, line: Line, who: str) -> int:
    """What somebody has, in cents. Nothing of it is held back for a payment that was refused."""
    answer = await line.ask(request("GET", "/v1/wallet", town.api_keys[who]))
    (euros,) = (one for one in answer.said["balances"] if one["asset"] == "EUR")
    return int(Decimal(euros["posted"]) * 100)


def asking(path: str, api_key: str, key: str, body: Any) -> bytes:
    return request("POST", path, api_key, key, json.dumps(body).encode())


async def both(lines: Sequence[Line], asked: Sequence[bytes]) -> list[Answer]:
    """Ask each gateway for one of them, at the same moment."""
    return list(await asyncio.gather(*(line.ask(one) for line, one in zip(lines, asked, strict=True))))


def outcome(answer: Answer) -> tuple[int, str]:
    """The status, and the code of a refusal: of the one line where it is a batch."""
    told = answer.said[0] if isinstance(answer.said, list) else answer.said
    problem = told.get("problem", told)
    return (told["status"] if isinstance(answer.said, list) else answer.status), problem.get("code", "")


async def test_of_two_payments_that_there_is_money_for_one_of_one_is_paid_each_time(
    town: Town, lines: list[Line]
) -> None:
    """Paid at once or held, alone or in a batch."""
    ways = [(PAY, PAY), (PAY, "hold"), ("hold", "hold"), (PAY, BATCH), (BATCH, BATCH)]
    paid = Counter[tuple[str, int]]()
    for n, payer in enumerate(PAYERS):
        asked = []
        for place, way in enumerate(ways[n % len(ways)]):
            body: Any = {"to": "@shop", "amount": f"{6 + place}.00", "asset": "EUR"}
            body = [body] if way == BATCH else {**body, "capture": False} if way == "hold" else body
            asked.append(asking(BATCH if way == BATCH else PAY, town.api_keys[payer], f"{place}", body))

        answers = await both(lines if n % 2 else lines[::-1], asked)

        outcomes = [outcome(answer) for answer in answers]
        assert sorted(outcomes) == [(201, ""), (409, "insufficient_funds")], (n, outcomes)
        place = outcomes.index((201, ""))
        if ways[n % len(ways)][place] != "hold":
            paid[payer, 6 + place] += 1

    for (payer, euros), _ in paid.items():
        assert await posted(town, lines[0], payer) == PAID_IN - euros * 100
    assert await posted(town, lines[1], "shop") == PAID_IN + sum(euros * 100 for _, euros in paid)


async def test_of_two_payments_that_a_capped_key_has_room_for_one_of_one_is_paid_each_time(
    town: Town, lines: list[Line]
) -> None:
    before = await posted(town, lines[1], "shop")
    for n, payer in enumerate(PAYERS):
        body = {"name": "Till", "scopes": ["pay"], "caps": [{"asset": "EUR", "day": "1.50"}]}
        made = (await lines[0].ask(asking("/v1/keys", town.api_keys[payer], "till", body))).said
        body = {"to": "@shop", "amount": "1.00", "asset": "EUR"}
        asked = [asking(PAY, made["api_key"], f"till-{place}", body) for place in range(2)]

        answers = await both(lines if n % 2 else lines[::-1], asked)

        assert sorted(map(outcome, answers)) == [(201, ""), (409, "cap_exceeded")], n
        (refused,) = (answer.said for answer in answers if answer.status == 409)
        assert (refused["left"], refused["cap"]) == ("0.50", "1.50")
    assert await posted(town, lines[1], "shop") == before + ROUNDS * 1_00


async def test_of_two_draws_that_a_mandate_has_room_for_one_of_one_is_paid_each_time(
    town: Town, lines: list[Line]
) -> None:
    before = await posted(town, lines[0], "rich")
    for n in range(ROUNDS):
        body = {"payee": "@shop", "asset": "EUR", "period": "10.00", "period_days": 7}
        mandate = (await lines[0].ask(asking("/v1/mandates", town.api_keys["rich"], f"grant-{n}", body))).said["id"]
        path, shop = f"/v1/mandates/{mandate}/draws", town.api_keys["shop"]
        asked = [asking(path, shop, f"draw-{n}-{place}", {"amount": "6.00"}) for place in range(2)]

        answers = await both(lines if n % 2 else lines[::-1], asked)

        assert sorted(map(outcome, answers)) == [(201, ""), (409, "mandate_exceeded")], n
    assert await posted(town, lines[1], "rich") == before - ROUNDS * 6_00


async def test_one_key_at_both_gateways_is_one_payment_and_one_answer_each_time(town: Town, lines: list[Line]) -> None:
    before = await posted(town, lines[0], "rich")
    for n in range(ROUNDS):
        body = {"to": "@shop", "amount": said(n + 1, "EUR"), "asset": "EUR"}
        asked = asking(PAY, town.api_keys["rich"], f"one-{n}", {**body, **({"capture": False} if n % 4 == 3 else {})})

        answers = await both(lines if n % 2 else lines[::-1], [asked, asked])

        assert sorted((answer.status, answer.replayed) for answer in answers) == [(201, False), (201, True)], n
        assert answers[0].said == answers[1].said
    paid = sum(n + 1 for n in range(ROUNDS) if n % 4 != 3)
    assert await posted(town, lines[1], "rich") == before - paid


async def test_of_two_requests_with_one_key_through_both_gateways_one_is_paid_and_one_told_so(
    town: Town, lines: list[Line]
) -> None:
    before = await posted(town, lines[0], "rich")
    paid = 0
    for n in range(ROUNDS):
        asked = [
            asking(PAY, town.api_keys["rich"], f"two-{n}", {"to": "@shop", "amount": f"{euros}.00", "asset": "EUR"})
            for euros in (1, 2)
        ]

        answers = await both(lines if n % 2 else lines[::-1], asked)

        outcomes = [outcome(answer) for answer in answers]
        assert sorted(outcomes) == [(201, ""), (422, "idempotency_key_reused")], (n, outcomes)
        paid += 1 + outcomes.index((201, ""))
    assert await posted(town, lines[1], "rich") == before - paid * 100
