"""Payments on the ledger rail, many in one statement: what `pay` does for one, for all that wait.

The statement is one call of `pay_in_ledger` (schema/08_pay_on_ledger.sql), a PostgreSQL transaction of its own:
it finds payer and payee, posts in the book, and writes payment, events and idempotency key. Where it cannot decide (a
key used before, an unknown payee, an account that is not open yet) it says so and writes nothing: `pay` then does.

One that is alone, in a house without fees, is a call of `pay_one_in_ledger` (schema/08_pay_on_ledger.sql): the
same row by row, with the same answers, for two thirds of the price. What makes many cheap is dear for one. And many of
one payer, of a call of `POST /v1/payments/batch`, are one of `pay_many_in_ledger`, beside them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from msgspec import Struct

from gateway.ids import PaymentId
from gateway.money import Money
from gateway.payments.lean import (
    Elsewhere,
    LeanPayment,
    NotDone,
    columns_of,
    facts_of,
    handle_of,
    not_done,
)
from gateway.payments.note import Note
from gateway.payments.records import insert_notes, sql
from gateway.payments.route import fee
from gateway.payments.terms import Terms
from gateway.postgres import Connection, Database


class LedgerPayment(LeanPayment, frozen=True):
    """A payment of fiat to a handle, settled at once."""


class Settled(Struct, frozen=True):
    """What was asked, settled: who paid, the fee, and when."""

    asked: LedgerPayment
    payer_handle: str
    fee: Money
    at: datetime


#: What became of a request.
Outcome = Settled | NotDone


def payee_of(to: str, money: Money, capture: bool) -> str | None:
    """The handle that this path would pay; None for what it does not do: tokens, holds, addresses, odd spellings."""
    return handle_of(to) if money.asset.kind == "fiat" and capture else None


async def pay_all(database: Database, terms: Terms, asked: Sequence[LedgerPayment], now: datetime) -> list[Outcome]:
    """Settle them, each on its own, in one PostgreSQL transaction that is committed when this returns.

    Raises DatabaseUnavailable: then nobody knows, and each is asked again with its key.
    """
    async with database.one_statement() as connection:
        return await pay_in(connection, terms, asked, now)


async def pay_many(
    database: Database,
    terms: Terms,
    asked: Sequence[LedgerPayment],
    now: datetime,
    notes: Mapping[PaymentId, Note] = MappingProxyType({}),
) -> list[Outcome]:
    """`pay_all` for payments of one payer: for less, where there are no fees and it has money for all of them. `notes`
    are written with those that settle.
    """
    if notes:
        async with database.transaction() as connection:
            outcomes = None if terms.ledger_fee_basis_points else await pay_columns(connection, asked, now)
            if outcomes is None:
                outcomes = await pay_in(connection, terms, asked, now)
            settled = [one.asked.payment_id for one in outcomes if isinstance(one, Settled)]
            await insert_notes(connection, {id: notes[id] for id in settled if id in notes})
            return outcomes
    if not terms.ledger_fee_basis_points:
        async with database.one_statement() as connection:
            outcomes = await pay_columns(connection, asked, now)
        if outcomes is not None:
            return outcomes
    return await pay_all(database, terms, asked, now)


async def pay_columns(connection: Connection, asked: Sequence[LedgerPayment], now: datetime) -> list[Outcome] | None:
    """What `pay_together` does with payments of one payer that have no fees, whole columns at a time. None, and nothing
    was done, where the payer has not enough for all of them: then one depends on another.
    """
    _, *columns = columns_of(asked)
    row = await connection.fetchrow(
        sql.pay_many_in_ledger,
        now,
        asked[0].api_key_hash,
        *columns,
        [facts_of(one, Money(0, one.money.asset)) for one in asked],
    )
    assert row is not None
    if row["short"]:
        return None
    handle, elsewhere = row["payer_handle"], set(row["elsewhere"] or ())
    return [
        Elsewhere() if place in elsewhere else Settled(one, handle, Money(0, one.money.asset), now)
        for place, one in enumerate(asked, 1)
    ]


async def pay_in(connection: Connection, terms: Terms, asked: Sequence[LedgerPayment], now: datetime) -> list[Outcome]:
    """`pay_all` as a part of the caller's transaction."""
    if len(asked) == 1 and not terms.ledger_fee_basis_points:
        return [await pay_alone(connection, terms, asked[0], now)]
    return await pay_together(connection, terms, asked, now)


async def pay_alone(connection: Connection, terms: Terms, one: LedgerPayment, now: datetime) -> Outcome:
    """What `pay_together` does with one that has no fee to pay, for two thirds of the price."""
    row = await connection.fetchrow(
        sql.pay_one_in_ledger,
        now,
        one.api_key_hash,
        one.idempotency_key,
        one.fingerprint,
        one.payee_handle,
        one.money.asset.code,
        one.money.units,
        one.memo,
        one.payment_id,
        facts_of(one, fee(terms, one.money)),
    )
    assert row is not None
    return _outcome(one, row["outcome"], row["payer_handle"], 0, row["available"], now)


async def pay_together(
    connection: Connection, terms: Terms, asked: Sequence[LedgerPayment], now: datetime
) -> list[Outcome]:
    """Any number of them, each on its own, for a price of which half does not depend on how many they are."""
    row = await connection.fetchrow(
        sql.pay_in_ledger,
        now,
        terms.ledger_fee_basis_points,
        *columns_of(asked),
        [facts_of(one, fee(terms, one.money)) for one in asked],
    )
    assert row is not None
    return [
        _outcome(one, outcome, handle, cost, available, now)
        for one, outcome, handle, cost, available in zip(
            asked, row["outcome"], row["payer_handle"], row["fee"], row["available"], strict=True
        )
    ]


def _outcome(
    one: LedgerPayment, outcome: str, payer_handle: str, cost: int, available: int | None, now: datetime
) -> Outcome:
    paid = Money(cost, one.money.asset)
    if outcome == "done":
        return Settled(one, payer_handle, paid, now)
    return not_done(one, outcome, payer_handle, paid, available)
