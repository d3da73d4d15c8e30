"""Holds of plain API keys, many in one statement: the same rows as by the checks, and what others do meanwhile."""

import asyncio
import random
from typing import Any

import pytest

from gateway.errors import GatewayError, Unauthenticated
from gateway.identity import wallet as wallets
from gateway.ids import PaymentId, new_id
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Assets
from gateway.payments import pay
from gateway.payments.model.plain import NeedsChecks, NotDone, Undecided
from gateway.payments.pay import PayRequest
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.ledger import Held, HeldPayment
from gateway.postgres.pool import Connection, Database
from gateway.secret import hash_of
from tests.databases import until_waiting
from tests.payments.test_settle_payments import Street

pytestmark = pytest.mark.anyio

HANDLES = ("ann", "bea", "cyd")

#: Everything that a hold writes, but for its key, its ids, and the numbers of events.
WRITTEN = {
    "payment": """SELECT state, rail, payer, payee, payee_address, asset, amount, fee, captured, refunded, memo,
        route::text, transfer_id = id AS own_transfer, authorization_id, refund_of, created_at, expires_at, settled_at,
        approval, capture, undo_until, hidden_from_payee FROM staged_payment ORDER BY payer, payee, amount""",
    "hold": """SELECT state, debit_id, credit_id, amount, purpose, leg, created_at
        FROM hold ORDER BY debit_id, credit_id, amount""",
    "account": """SELECT code, debits_posted, credits_posted, debits_pending, credits_pending, shortfall, entries
        FROM account ORDER BY id""",
    "event": "SELECT kind, wallet_id, other_id, payload, at FROM logged_event WHERE kind LIKE 'payment.%' ORDER BY id",
}


async def written(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    return {name: [dict(row) for row in await connection.fetch(read)] for name, read in WRITTEN.items()}


@pytest.fixture
async def street(database: Database, assets: Assets) -> Street:
    street = Street(database, assets)
    await street.arrive(*HANDLES)
    return street


def asked(street: Street, payer: int, payee: str, key: str, text: str = "1.00 EUR", api_key: str = "") -> HeldPayment:
    secret = api_key or street.people[payer].api_key
    id = PaymentId(new_id(street.now))
    return HeldPayment(hash_of(secret), key, b"f" * 32, payee, street.money(text), "tea", id)


async def hold(street: Street, *group: HeldPayment) -> list[Held | NotDone]:
    return await ledger_rail.hold_all(street.database, street.settings, group, street.now)


async def test_a_group_writes_and_refuses_what_the_checks_would(street: Street) -> None:
    draw = random.Random(5)
    group = [
        asked(street, draw.randrange(3), draw.choice(HANDLES), f"key {n}", f"{draw.randrange(1, 5)}.0{n % 10} EUR")
        for n in range(40)
    ]
    group = [one for one in group if hash_of(street.people[HANDLES.index(one.payee_handle)].api_key) != one.token_hash]
    payers = {hash_of(person.api_key): person.wallet for person in street.people}
    requests = [
        (payers[one.token_hash], PayRequest(f"@{one.payee_handle}", one.money, one.memo, capture=False))
        for one in group
    ]
    async with street.database.reading() as connection:
        transaction = connection.transaction()
        await transaction.start()
        by_checks = await pay.pay_together(connection, street.settings, requests, street.now)
        as_checked = await written(connection)
        await transaction.rollback()

    held = await hold(street, *group)

    async with street.database.reading() as connection:
        assert await written(connection) == as_checked
    refusals = [str(one) if isinstance(one, GatewayError) else None for one in by_checks]
    assert [str(one) if isinstance(one, InsufficientFunds) else None for one in held] == refusals
    assert {type(one) for one in held} == {Held, InsufficientFunds}
    assert await street.wrong() == []


async def test_what_is_not_for_this_path_writes_nothing_and_keeps_no_key(street: Street) -> None:
    outcomes = await hold(
        street,
        asked(street, 0, "ann", "to oneself"),
        asked(street, 0, "nobody", "to nobody"),
        asked(street, 0, "bea", "of nobody", api_key="gw_of_nobody"),
        asked(street, 0, "bea", "too much", "11.00 EUR"),
        asked(street, 1, "cyd", "right"),
    )
    assert [type(one) for one in outcomes] == [Undecided, Undecided, Unauthenticated, InsufficientFunds, Held]
    async with street.database.reading() as connection:
        assert await connection.fetch("SELECT key, status, answer FROM idempotency_key") == [("right", 201, None)]
    assert isinstance((await hold(street, asked(street, 0, "bea", "too much", "10.00 EUR")))[0], Held)
    assert isinstance((await hold(street, asked(street, 1, "cyd", "right")))[0], Undecided)
    assert await street.wrong() == []


async def test_money_that_another_takes_meanwhile_makes_the_group_be_decided_in_order(street: Street) -> None:
    async with street.database.transaction() as other:
        await pay.pay(
            other, street.settings, street.people[0].wallet, PayRequest("@cyd", street.money("7.00 EUR")), street.now
        )
        group = [asked(street, 0, "bea", "much", "6.00 EUR"), asked(street, 0, "bea", "little", "3.00 EUR")]
        waiting = asyncio.create_task(hold(street, *group))
        async with street.database.reading() as connection:
            await until_waiting(connection, 1)
    much, little = await waiting
    assert (type(much), type(little)) == (InsufficientFunds, Held)
    assert isinstance(much, InsufficientFunds)
    assert str(much.available) == "3.00 EUR"
    assert await street.wrong() == []


@pytest.mark.parametrize("revoked", [False, True])
async def test_a_hold_that_waits_while_its_payer_gets_a_passkey_needs_the_checks(street: Street, revoked: bool) -> None:
    """wallet_has_policy asks for an approval of all that is held then, and would not see a hold that comes later. A key
    that is revoked meanwhile stays plain, and holds nothing either.
    """
    async with street.database.transaction() as connection:
        payer = street.people[0].wallet.id
        if revoked:
            await wallets.lock_with_keys(connection, [payer])
            await connection.execute("UPDATE api_key SET revoked_at = now() WHERE wallet_id = $1", payer)
        await wallets.guard(connection, payer)
        holding = asyncio.create_task(hold(street, asked(street, 0, "bea", "key"), asked(street, 1, "cyd", "other")))
        async with street.database.reading() as watching:
            await until_waiting(watching, 1, holding)
    late, other = await holding
    assert (type(late), type(other)) == (NeedsChecks, Held)


async def test_sixty_at_once_with_some_of_the_same_keys_hold_once_and_wait_in_no_ring(street: Street) -> None:
    for person in street.people:
        await street.give(person.wallet, "90.00 EUR")
    calls = [
        [asked(street, payer, HANDLES[payer - 1 - n % 2], f"key {n}", "0.01 EUR") for n in range(20)]
        for payer in (0, 1, 2) * 5
    ]
    outcomes = await asyncio.gather(*(hold(street, *call) for call in calls))
    assert sum(isinstance(one, Held) for call in outcomes for one in call) == 3 * 20
    assert await street.wrong() == []
