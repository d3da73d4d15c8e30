"""Payments on the ledger rail that settle at once, any number in one statement.

The statement is one call of `pay_by_ledger` (schema/08_pay_on_ledger.sql): it finds payer and payee, moves the money,
and writes payment, event and idempotency key. Payments of plain API keys (`pay_all`) are a PostgreSQL transaction of
their own; those of everybody else (`settle`) have passed the checks in the caller's transaction (checks.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from gateway.errors import GatewayError, InsufficientFunds
from gateway.ids import PaymentId, TransferId
from gateway.ledger import account
from gateway.money import Money
from gateway.payments.lean import LeanPayment, NotDone, columns_of, facts_of, handle_of, not_done
from gateway.payments.note import Note
from gateway.payments.payment import Event, Payment, after
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

_NO_NOTES: Final[Mapping[PaymentId, Note]] = MappingProxyType({})


def payee_of(to: str, money: Money, capture: bool) -> str | None:
    """The handle that this path would pay; None for what it does not do: tokens, holds, addresses, odd spellings."""
    return handle_of(to) if money.asset.kind == "fiat" and capture else None


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


async def settle(connection: Connection, asked: Sequence[Payment], now: datetime) -> list[Payment | GatewayError]:
    """Settle payments that have passed every check, in order and each on its own: per payment, as it is now, or
    InsufficientFunds. Their accounts are open, and the caller has claimed their keys.
    """
    nobody = [None] * len(asked)
    row = await connection.fetchrow(
        sql.pay_by_ledger,
        *(now, nobody, [one.payer for one in asked], nobody, nobody),
        [one.payee_handle for one in asked],
        [one.amount.asset.code for one in asked],
        [one.amount.units for one in asked],
        [one.fee.units for one in asked],
        [one.memo for one in asked],
        [one.refund_of for one in asked],
        [one.id for one in asked],
        [facts_of(one.id, one.payee_handle, one.amount, one.fee) for one in asked],
    )
    assert row is not None
    results = [
        _settled(one, outcome, available, now)
        for one, outcome, available in zip(asked, row["outcome"], row["available"], strict=True)
    ]
    settled = [one for one in results if isinstance(one, Payment)]
    await insert_notes(connection, {one.id: one.note for one in settled if one.note is not None})
    return results


def _settled(one: Payment, outcome: str, available: int | None, now: datetime) -> Payment | GatewayError:
    if outcome == "short":
        assert available is not None
        asset = one.amount.asset
        return InsufficientFunds(account.wallet(one.payer_handle, asset), one.amount + one.fee, Money(available, asset))
    assert outcome == "done", f"a payment that was checked is {outcome}"
    state = after(one.id, one.state, Event.SETTLE)
    return replace(one, state=state, captured=one.amount, settled_at=now, transfer_id=TransferId(one.id))
