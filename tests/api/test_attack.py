"""Everything at once, by people who mean harm: money is neither made nor lost, and nothing is our mistake."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from gateway.ledger.errors import InsufficientFunds
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.ledger import LedgerPayment, Settled
from gateway.postgres.pool import connect
from gateway.secret import hash_of
from tests.api.conftest import Api, Person, code_of, opened
from tests.databases import until_waiting
from tests.factory import NOW

pytestmark = pytest.mark.anyio


def known_to(api: Api, person: Person) -> Person:
    """The same person, talking to another process."""
    return Person(api, person.handle, person.api_key, person.wallet_id, person.address)


@pytest.fixture
async def other(api: Api, database_url: str) -> AsyncIterator[Api]:
    """A second gateway over the same database, with a pool of its own."""
    async with connect(database_url, 16) as database, opened(database, api.services.settings.assets) as other:
        yield other


async def test_the_same_money_spent_through_two_gateways_at_once_is_spent_once(api: Api, other: Api) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob", "1.00 EUR")
    twice = [alice, known_to(other, alice)]

    ways = [
        *(who.pay("@bob", "60.00 EUR") for who in twice * 10),
        *(who.pay("@bob", "60.00 EUR", capture=False) for who in twice * 5),
        *(who.post("/v1/withdrawals", {"amount": "60.00", "asset": "EUR"}) for who in twice * 5),
    ]
    answers = await asyncio.gather(*ways)

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 39}
    assert {code_of(answer)[1] for answer in answers if answer.status_code == 409} == {"insufficient_funds"}
    assert (await alice.balance("EUR"))[2] == "40.00"
    assert await api.wrong() == []


async def test_the_same_money_in_two_lone_payments_through_two_gateways_is_spent_once(api: Api, other: Api) -> None:
    """The statement for a lone payment refuses the second, before the constraints of the ledger would."""
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob", "1.00 EUR")
    sixty = api.services.settings.assets["EUR"].parse("60.00")

    async with api.services.database.transaction() as gate:  # both have begun, and neither has looked at the money
        await gate.execute("SELECT 1 FROM account WHERE code = 'wallet:alice:EUR' FOR UPDATE")
        paying = []
        for key, services in (("one", api.services), ("two", other.services)):
            asked = LedgerPayment(hash_of(alice.api_key), key, bytes(32), "bob", sixty, None)
            paying.append(asyncio.create_task(ledger_rail.pay_all(services.database, services.settings, [asked], NOW)))
        await until_waiting(gate, 2)
    outcomes = [type(outcome) for one in paying for outcome in await one]

    assert Counter(outcomes) == {Settled: 1, InsufficientFunds: 1}
    assert (await bob.balance("EUR"))[0] == "61.00"
    assert await api.wrong() == []


async def test_one_key_at_two_gateways_at_once_pays_once(api: Api, other: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob", "1.00 EUR")
    twice = [alice, known_to(other, alice)]

    for key in ("first", "second", "third"):
        answers = await asyncio.gather(*(who.pay("@bob", "1.00 EUR", key) for who in twice * 5))
        done = [answer for answer in answers if answer.status_code == 201]
        assert len({answer.content for answer in done}) == 1
        assert {answer.status_code for answer in answers} == {201}
    assert (await bob.balance("EUR"))[0] == "4.00"


@pytest.mark.seeds(3)
async def test_of_all_ends_of_a_held_payment_at_once_one_wins(api: Api, other: Api, seed: int) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob", "1.00 EUR")
    held = (await alice.pay("@bob", "10.00 EUR", capture=False)).json()["id"]
    everybody = [alice, bob, known_to(other, alice), known_to(other, bob)]
    ends = [
        *((who, f"/v1/payments/{held}/capture", {}) for who in everybody * 2),
        *((who, f"/v1/payments/{held}/capture", {"amount": "4.00"}) for who in everybody),
        *((who, f"/v1/payments/{held}/void", {}) for who in everybody * 2),
    ]
    random.Random(seed).shuffle(ends)

    answers = await asyncio.gather(*(who.post(path, body) for who, path, body in ends))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    (won,) = (answer.json() for answer in answers if answer.status_code == 200)
    given = {"settled": float(won["captured"]), "voided": 0.0}[won["state"]]
    assert float((await bob.balance("EUR"))[0]) == 1.0 + given
    assert (await alice.balance("EUR"))[1:] == ("0.00", f"{100 - given:.2f}")
    assert await api.wrong() == []


async def test_fifty_refunds_at_once_give_back_what_was_paid_and_no_more(api: Api, other: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR"), await api.person("bob", "90.00 EUR")
    paid = (await alice.pay("@bob", "10.00 EUR")).json()["id"]
    twice = [bob, known_to(other, bob)]

    answers = await asyncio.gather(*(who.post(f"/v1/payments/{paid}/refund", {"amount": "3.00"}) for who in twice * 25))

    assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 47}
    assert {code_of(answer)[1] for answer in answers if answer.status_code == 409} == {"refund_exceeds_payment"}
    assert {answer.json()["left"] for answer in answers if answer.status_code == 409} == {"1.00"}
    rest = await bob.post(f"/v1/payments/{paid}/refund", {})
    assert rest.json()["amount"] == "1.00"
    assert code_of(await bob.post(f"/v1/payments/{paid}/refund", {})) == (409, "refund_exceeds_payment")
    assert (await alice.balance("EUR"))[0] == "10.00"
    assert await api.wrong() == []


@pytest.mark.seeds(2)
async def test_two_hundred_random_calls_at_once_leave_the_ledger_right(api: Api, other: Api, seed: int) -> None:
    chance = random.Random(seed)
    names = ["ann", "ben", "cyd", "dan", "eve"]
    people = [await api.person(name, "20.00 EUR", "20 USDX") for name in names]
    held: list[str] = []
    for payer, payee in zip(people, people[1:] + people[:1], strict=True):
        for capture in (True, False) * 3:
            held.append((await payer.pay(f"@{payee.handle}", "1.00 EUR", capture=capture)).json()["id"])
    keys = [f"k{n}" for n in range(60)]

    def something() -> object:
        who = known_to(chance.choice([api, other]), chance.choice(people))
        money, key = f"{chance.choice(['0.01', '0.50', '7.00', '30.00'])} EUR", chance.choice(keys)
        to, id = f"@{chance.choice(names)}", chance.choice(held)
        body = {"amount": money[:-4], "asset": "EUR"}
        return chance.choice([
            lambda: who.pay(to, money, key),
            lambda: who.pay(to, money, key, capture=False),
            lambda: who.pay(to, "1 USDX", key),
            lambda: who.post("/v1/deposits", body, key),
            lambda: who.post("/v1/withdrawals", body, key),
            lambda: who.post(f"/v1/payments/{id}/capture", {}, key),
            lambda: who.post(f"/v1/payments/{id}/capture", {"amount": "0.50"}, key),
            lambda: who.post(f"/v1/payments/{id}/void", {}, key),
            lambda: who.post(f"/v1/payments/{id}/refund", {"amount": "0.30"}, key),
            lambda: who.get("/v1/wallet"),
        ])()  # fmt: skip

    answers = await asyncio.gather(*(something() for _ in range(200)))

    assert [answer.text for answer in answers if answer.status_code >= 500] == []
    assert {answer.status_code for answer in answers} <= {200, 201, 202, 403, 404, 409, 422}
    assert await api.wrong() == []
    for person in people:
        assert min(map(float, [*await person.balance("EUR"), *await person.balance("USDX")])) >= 0


async def test_first_payments_to_a_fresh_handle_and_its_own_deposits_do_not_wait_in_a_ring(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    deposit = {"amount": "1.00", "asset": "EUR"}

    answers = await asyncio.gather(
        *(alice.pay("@bob", "1.00 EUR") for _ in range(50)), *(bob.post("/v1/deposits", deposit) for _ in range(10))
    )

    assert {answer.status_code for answer in answers} == {201}
    assert (await bob.balance("EUR"))[0] == "60.00"
    assert await api.wrong() == []
