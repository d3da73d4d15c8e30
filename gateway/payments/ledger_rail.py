"""Payments on the ledger rail that settle at once, any number in one statement.

The statement is one call of `pay_by_ledger` (schema/08_pay_on_ledger.sql): it finds payer and payee, moves the money,
and writes payment, event and idempotency key. Payments of plain API keys (`pay_all`) are a PostgreSQL transaction of
their own; those of everybody else (`settle`) have passed the checks in the caller's transaction (checks.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from gateway.ids import PaymentId
from gateway.money import Money
from gateway.payments.lean import LeanPayment, NotDone, columns_of, facts_of, handle_of, not_done
from gateway.payments.note import Note
from gateway.payments.records import insert_notes, sql
from gateway.payments.route import fee, route
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

_NO_NOTES: Final[Mapping[PaymentId, Note]] = MappingProxyType({})


def payee_of(terms: Terms, to: str, money: Money, capture: bool) -> str | None:
    """The handle that this path would pay; None for what it does not do: other rails, holds, addresses, odd names."""
    return handle_of(to) if capture and route(terms, money, outside=None).rail == "ledger" else None


async def pay_all(
    database: Database,
    terms: Terms,
    asked: Sequence[LedgerPayment],
    now: datetime,
    notes: Mapping[PaymentId, Note] = _NO_NOTES,
) -> list[Outcome]:
    """Settle them, each on its own, in one PostgreSQL transaction that is committed when this returns. `notes` are
    written with those that settle.

    Raises DatabaseUnavailable: then nobody knows, and each is asked again with its key.
    """
    if not notes:
        async with database.one_statement() as connection:
            return await pay_in(connection, terms, asked, now)
    async with database.transaction() as connection:
        outcomes = await pay_in(connection, terms, asked, now)
        settled = [one.asked.payment_id for one in outcomes if isinstance(one, Settled)]
        await insert_notes(connection, {id: notes[id] for id in settled if id in notes})
        return outcomes


async def pay_in(connection: Connection, terms: Terms, asked: Sequence[LedgerPayment], now: datetime) -> list[Outcome]:
    """`pay_all` as a part of the caller's transaction."""
    fees = [fee(terms, one.money) for one in asked]
    nobody = [None] * len(asked)
    who, keys, fingerprints, payees, assets, amounts, memos, ids = columns_of(asked)
    row = await connection.fetchrow(
        sql.pay_by_ledger,
        *(now, who, nobody, keys, fingerprints, payees, assets, amounts),
        *([cost.units for cost in fees], memos, nobody, ids),
        [facts_of(one.payment_id, one.payee_handle, one.money, cost) for one, cost in zip(asked, fees, strict=True)],
    )
    assert row is not None
    return [
        Settled(one, handle, cost, now) if outcome == "done" else not_done(one, outcome, handle, cost, available)
        for one, cost, outcome, handle, available in zip(
            asked, fees, row["outcome"], row["payer_handle"], row["available"], strict=True
        )
    ]
