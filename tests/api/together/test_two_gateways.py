"""Calls at once through two gateways: captures, voids, and repeated keys."""

import asyncio
import random
from collections import Counter

import pytest

from tests.api.conftest import Api, Person, amount, code_of
from tests.api.test_attack import known_to

pytestmark = pytest.mark.anyio


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
