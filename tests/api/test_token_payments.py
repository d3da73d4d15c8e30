"""Token payments on the fast path: the same answers and rows as on the long way, in groups, through two gateways."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.chain.token import authorization
from gateway.clock import system_clock
from gateway.ids import PaymentId, new_id
from gateway.payments.rails import chain as chain_rail
from gateway.payments.rails.chain import Outcome, TokenPayment
from gateway.postgres.errors import Contended, DatabaseUnavailable
from gateway.postgres.pool import Connection, connect
from gateway.secret import hash_of
from tests.api.conftest import Api, Person, code_of, opened
from tests.api.test_attack import known_to
from tests.databases import until_waiting

pytestmark = pytest.mark.anyio

#: Every row that a token payment leaves; whose ids and times are its own.
_ROWS = """
SELECT (to_jsonb(payment) || jsonb_build_object('rows', jsonb_build_array(
    (SELECT to_jsonb(a) - 'nonce' FROM token_authorization AS a WHERE a.id = payment.authorization_id),
    (SELECT jsonb_agg(to_jsonb(h)) FROM hold AS h WHERE h.id = payment.transfer_id),
    (SELECT jsonb_agg(to_jsonb(e) || jsonb_build_object('payload', e.payload - 'payment_id')) FROM event AS e
     WHERE e.subject = payment.id)
)))::text
FROM payment ORDER BY id
"""
_ITS_OWN = {"id", "transfer_id", "authorization_id", "subject", "created_at", "at", "valid_before"}


@pytest.fixture
async def other(api: Api, database_url: str) -> AsyncIterator[Api]:
    """A second gateway over the same database, with a pool of its own."""
    async with connect(database_url, 16) as database, opened(database, api.services.settings.assets) as other:
        yield other


@pytest.fixture
async def ann(api: Api) -> Person:
    return await api.person("ann", "10 USDX")


@pytest.fixture
async def ben(api: Api) -> Person:
    return await api.person("ben", "10 USDX")


def asked(api: Api, payer: Person, to: str, text: str, key: str) -> TokenPayment:
    units, _, code = text.partition(" ")
    money, id = api.services.settings.assets[code].parse(units), PaymentId(new_id(system_clock()))
    return TokenPayment(hash_of(payer.api_key), key, b"f" * 32, to, money, None, id)


async def together(api: Api, *payments: TokenPayment) -> list[Outcome]:
    """All of them in one group."""
    return await chain_rail.pay_all(api.services.database, api.services.settings, payments, system_clock())


def names(outcomes: list[Outcome]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


async def nonces(api: Api) -> dict[str, list[int]]:
    """The nonces that each payer's address has used, in order."""
    async with api.services.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT from_address, nonce FROM token_authorization ORDER BY from_address, nonce"
        )
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["from_address"], []).append(row["nonce"])
    return found


def without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: without(part, names) for name, part in value.items() if name not in names}
    return [without(part, names) for part in value] if isinstance(value, list) else value


async def fail_at_666(api: Api, statement: str) -> None:
    """Have the database do this where a token payment of 6.66 comes to the queue."""
    async with api.services.database.transaction() as connection:
        await connection.execute(
            f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NEW; END $$;"
            "CREATE TRIGGER fail AFTER INSERT ON token_authorization"
            " FOR EACH ROW WHEN (NEW.value = 6660000) EXECUTE FUNCTION fail()"
        )


async def mend(api: Api) -> None:
    async with api.services.database.transaction() as connection:
        await connection.execute("DROP TRIGGER fail ON token_authorization")


def around_666(ann: Person, ben: Person) -> list[tuple[Person, str, str]]:
    return [
        (ann, "ben", "1 USDX"),
        (ben, "ann", "1 USDX"),
        (ann, "ben", "6.66 USDX"),
        (ben, "ann", "2 USDX"),
        (ann, "ben", "2 USDX"),
    ]


async def went(api: Api) -> Counter[str]:
    """How many payments went which way: of the fast one no answer is kept."""
    async with api.services.database.reading() as connection:
        rows = await connection.fetch("SELECT answer IS NULL AS fast FROM idempotency_key")
    return Counter("fast" if row["fast"] else "long" for row in rows)


async def test_both_ways_give_the_same_answer_and_leave_the_same_rows(api: Api, ann: Person, ben: Person) -> None:
    fast = await ann.pay("@ben", "1.5 USDX", memo="lunch ☕")
    long = await ann.pay("@Ben", "1.5 USDX", memo="lunch ☕")
    assert await went(api) == {"fast": 1, "long": 1}

    shown = [answer.json() for answer in (fast, long)]
    assert without(shown[0], {"id", "created_at"}) == without(shown[1], {"id", "created_at"})
    assert list(shown[0]) == list(shown[1])
    assert (fast.status_code, fast.headers.keys()) == (long.status_code, long.headers.keys())
    assert (await ann.get(f"/v1/payments/{shown[0]['id']}")).json() == shown[0]

    async with api.services.database.reading() as connection:
        first, second = [json.loads(row[0]) for row in await connection.fetch(_ROWS)]
    assert without(first, _ITS_OWN) == without(second, _ITS_OWN)
    assert await nonces(api) == {ann.address: [0, 1]}
    assert await ann.balance("USDX") == ("10.000000", "3.000000", "7.000000")
    assert await api.wrong() == []


async def test_every_refusal_is_the_same_on_both_ways(api: Api, ann: Person, ben: Person) -> None:
    stranger = Person(api, "ann", "gw_nobody", "", "")
    for payer, handle, money in (
        (ann, "ben", "10.000001 USDX"),
        (ann, "ann", "1 USDX"),
        (ann, "nobody_here", "1 USDX"),
        (stranger, "ben", "1 USDX"),
    ):
        before = await api.counts()
        fast, long = await payer.pay(f"@{handle}", money), await payer.pay(f"@{handle.upper()}", money)
        as_typed = {"to", "detail"}
        assert without(fast.json(), as_typed) == without(long.json(), as_typed)
        assert fast.headers["content-type"] == long.headers["content-type"] == "application/problem+json"
        assert await api.counts() == before


async def test_the_first_answer_is_given_again_whatever_has_become_of_the_payment(
    api: Api, ann: Person, ben: Person
) -> None:
    first = await ann.pay("@ben", "1 USDX", "k")
    async with api.services.database.transaction() as connection:
        await connection.execute("UPDATE staged_payment SET state = 'settled', captured = amount, tx_hash = '0xabc'")
        await connection.execute("UPDATE staged_payment SET settled_at = now(), refunded = 1")

    again = await ann.pay("@ben", "1 USDX", "k")

    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert code_of(await ann.pay("@ben", "2 USDX", "k")) == (422, "idempotency_key_reused")


async def test_one_key_sixty_times_at_once_through_two_gateways_pays_once(
    api: Api, other: Api, ann: Person, ben: Person
) -> None:
    answers = await asyncio.gather(
        *(who.pay("@ben", "1 USDX", "k") for who in [ann, known_to(other, ann)] for _ in range(30))
    )

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers].count(None) == 1
    assert await nonces(api) == {ann.address: [0]}
    assert await api.wrong() == []


async def test_of_a_group_each_is_decided_by_itself(api: Api, ann: Person, ben: Person) -> None:
    nobody, empty = Person(api, "x", "gw_nobody", "", ""), await api.person("empty")
    await ann.pay("@ben", "1 USDX", "used")
    before = await api.counts()

    outcomes = await together(
        api,
        asked(api, ann, "ben", "4 USDX", "a1"),
        asked(api, ben, "ann", "11 USDX", "b1"),  # more than ben has: what comes to him is not final
        asked(api, ann, "ann", "1 USDX", "a2"),
        asked(api, nobody, "ann", "1 USDX", "n1"),
        asked(api, ann, "nobody_here", "1 USDX", "a3"),
        asked(api, ann, "empty", "1 USDX", "a4"),  # whose account is not open yet
        asked(api, empty, "ann", "1 USDX", "e1"),
        asked(api, ann, "ben", "1 USDX", "used"),
        asked(api, ben, "ann", "10 USDX", "b2"),
        asked(api, ann, "ben", "5 USDX", "a5"),
        asked(api, ann, "ben", "0.000001 USDX", "a6"),  # and nothing is left for it
    )

    assert names(outcomes) == [
        *("Queued", "InsufficientFunds", "Undecided", "Unauthenticated", "Undecided", "Undecided", "Undecided"),
        *("Undecided", "Queued", "Queued", "InsufficientFunds"),
    ]
    assert await nonces(api) == {ann.address: [0, 1, 2], ben.address: [0]}
    after = await api.counts()
    assert {table: after[table] - before[table] for table in after if after[table] != before[table]} == {
        "hold": 3, "payment": 3, "idempotency_key": 3, "event": 3, "token_authorization": 3,
        "authorization_nonce": 1,
    }  # fmt: skip
    assert await api.wrong() == []


async def test_tokens_that_another_takes_meanwhile_make_the_group_be_decided_in_order(
    api: Api, ann: Person, ben: Person
) -> None:
    """The group sees ten and waits for who is spending seven."""
    async with api.services.database.transaction() as other:
        await other.execute(
            "SELECT ledger_hold(now(), ARRAY[$1::uuid], '{1}', ARRAY[payer.id], ARRAY[payee.id], ARRAY[$2::numeric],"
            " '{payment}')"
            " FROM account AS payer, account AS payee"
            " WHERE payer.code = 'wallet:ann:USDX' AND payee.code = 'wallet:ben:USDX'",
            new_id(system_clock()),
            api.services.settings.assets["USDX"].parse("7").units,
        )
        group = [asked(api, ann, "ben", f"{part} USDX", f"key {n}") for n, part in enumerate((4, 2, 2, 1))]
        waiting = asyncio.create_task(together(api, *group))
        async with api.services.database.reading() as connection:
            await until_waiting(connection, 1)

    assert names(await waiting) == ["InsufficientFunds", "Queued", "InsufficientFunds", "Queued"]
    assert await nonces(api) == {ann.address: [0, 1]}
    assert await api.wrong() == []


async def test_nonces_of_a_group_follow_the_order_in_which_it_was_asked(api: Api, ann: Person, ben: Person) -> None:
    payments = [
        asked(api, payer, to, "0.5 USDX", f"{payer.handle}{n}")
        for n in range(5)
        for payer, to in ((ann, "ben"), (ben, "ann"))
    ]
    assert names(await together(api, *payments)) == ["Queued"] * 10
    async with api.services.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT nonce FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, n)"
            " JOIN token_authorization USING (id) ORDER BY n",
            [payment.payment_id for payment in payments],
        )
    assert [row["nonce"] for row in rows] == [n for n in range(5) for _ in (ann, ben)]


async def test_two_hundred_through_two_gateways_get_nonces_without_a_gap_beside_the_long_way(
    api: Api, other: Api
) -> None:
    people = [await api.person(f"payer{n}", "100 USDX") for n in range(4)]

    answers = await asyncio.gather(
        *(
            (who if n % 2 else known_to(other, who)).pay(f"@{'P' if n % 5 == 0 else 'p'}ayer{(at + 1) % 4}", "0.5 USDX")
            for at, who in enumerate(people)
            for n in range(50)
        )
    )

    assert Counter(answer.status_code for answer in answers) == {202: 200}
    assert await went(api) == {"fast": 160, "long": 40}
    assert await nonces(api) == {who.address: list(range(50)) for who in people}
    assert await api.wrong() == []


async def test_a_fault_that_one_of_a_group_runs_into_is_its_own(api: Api, ann: Person, ben: Person) -> None:
    await fail_at_666(api, "RAISE 'crash'")

    answers = await asyncio.gather(*(who.pay(f"@{to}", money) for who, to, money in around_666(ann, ben)))

    assert [answer.status_code for answer in answers] == [202, 202, 500, 202, 202]
    assert await nonces(api) == {ann.address: [0, 1], ben.address: [0, 1]}
    assert await api.wrong() == []


async def test_when_the_connection_is_cut_in_the_middle_nothing_is_written_and_all_may_ask_again(
    api: Api, ann: Person, ben: Person
) -> None:
    await fail_at_666(api, "PERFORM pg_terminate_backend(pg_backend_pid())")
    calls = [(who, to, money, f"k{n}") for n, (who, to, money) in enumerate(around_666(ann, ben))]
    before = await api.counts()

    with pytest.raises(DatabaseUnavailable):
        await together(api, *(asked(api, *call) for call in calls))

    assert await api.counts() == before
    assert code_of(await ann.pay("@ben", "6.66 USDX", "k")) == (503, "unavailable")
    await mend(api)
    assert (await ann.pay("@ben", "6.66 USDX", "k")).status_code == 202
    assert names(await together(api, *(asked(api, *call) for call in calls[:2]))) == ["Queued"] * 2
    assert await nonces(api) == {ann.address: [0, 1], ben.address: [0]}
    assert await api.wrong() == []


async def test_who_hangs_up_has_paid_all_the_same(api: Api, ann: Person, ben: Person) -> None:
    async with api.services.database.transaction() as connection:
        await connection.execute("SELECT FROM account WHERE code = 'wallet:ann:USDX' FOR UPDATE")
        task = asyncio.create_task(ann.pay("@ben", "1 USDX", "k"))
        await until_waiting(connection, 1)
        task.cancel()

    again = await ann.pay("@ben", "1 USDX", "k")

    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (202, "true")
    assert await nonces(api) == {ann.address: [0]}


async def move_out(connection: Connection, who: Person) -> None:
    """The wallet goes to an address whose key its owner keeps; whoever hands out nonces of the first one has ended."""
    await authorization.close_nonces(connection, ["USDX"], who.address)
    await connection.execute(
        "INSERT INTO wallet_address (address, wallet_id, custody, since)"
        " SELECT '0x' || repeat('7', 40), id, 'owner', now() FROM wallet WHERE handle = $1",
        who.handle,
    )
    moved = "UPDATE wallet SET address = '0x' || repeat('7', 40), custody = 'owner' WHERE handle = $1"
    await connection.execute(moved, who.handle)


async def test_who_keeps_the_key_pays_by_the_long_way_and_is_paid_by_this_one(
    api: Api, ann: Person, ben: Person
) -> None:
    async with api.services.database.transaction() as connection:
        await move_out(connection, ann)
    outcomes = await together(api, asked(api, ann, "ben", "1 USDX", "a"), asked(api, ben, "ann", "1 USDX", "b"))
    assert names(outcomes) == ["Undecided", "Queued"]
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT to_address FROM token_authorization") == "0x" + "7" * 40


async def test_who_moves_out_while_paying_has_no_payment_from_the_address_that_was_left(
    api: Api, ann: Person, ben: Person
) -> None:
    assert names(await together(api, asked(api, ann, "ben", "1 USDX", "first"))) == ["Queued"]
    before = await api.counts()
    async with api.services.database.transaction() as connection:
        await move_out(connection, ann)
        paying = asyncio.create_task(together(api, asked(api, ann, "ben", "1 USDX", "second")))
        await until_waiting(connection, 1)

    with pytest.raises(Contended):
        await paying
    assert await api.counts() == before
    assert await nonces(api) == {ann.address: [0]}


async def test_who_moves_out_while_paying_is_asked_to_sign_at_the_new_address(
    api: Api, ann: Person, ben: Person
) -> None:
    assert (await ann.pay("@ben", "1 USDX")).json()["state"] == "queued"
    async with api.services.database.transaction() as connection:
        await move_out(connection, ann)
        paying = asyncio.create_task(ann.pay("@ben", "1 USDX"))
        await until_waiting(connection, 1)

    answer = await paying
    assert (answer.status_code, answer.json()["state"]) == (202, "requires_confirmation")
