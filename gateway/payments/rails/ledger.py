"""The ledger rail: fiat, settled in the transaction that accepts it.

What settles at once is one call of `pay_by_ledger` (schema/08_pay_on_ledger.sql), which finds payer and payee, moves
the money, and writes payment, event and idempotency key. Payments of plain API keys (`pay_all`) are a PostgreSQL
transaction of their own; those of everybody else have passed the checks in the caller's transaction (checks.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import GatewayError, InsufficientFunds, UnknownPayee
from gateway.events import log
from gateway.ids import AccountId, PaymentId, TransferId
from gateway.ledger import account, book, transfer
from gateway.ledger.transfer import End
from gateway.money import Money
from gateway.payments import records
from gateway.payments.check import Proposed
from gateway.payments.note import Note
from gateway.payments.payment import Event, Payment, after
from gateway.payments.plain import NotDone, PlainPayment, columns_of, facts_of, handle_of, not_done
from gateway.payments.rail import Rail
from gateway.payments.rails import holding
from gateway.payments.route import Route, fee, ledger_route, route
from gateway.payments.terms import Terms
from gateway.postgres import Connection, Database


class LedgerRail(Rail):
    """Moves fiat between wallets. What is settled at once is written by `pay_by_ledger`."""

    name = "ledger"
    final_at_once = True
    signed = False

    def quote(self, terms: Terms, money: Money, outside: str | None) -> Route | None:
        if money.asset.kind != "fiat":
            return None
        if outside:
            code = money.asset.code
            raise UnknownPayee(outside, f"{code} is fiat, and an address that is nobody's handle holds only tokens")
        return ledger_route(fee(terms, money))

    async def accept(
        self, connection: Connection, terms: Terms, asked: Sequence[Proposed], now: datetime
    ) -> list[Payment | GatewayError]:
        ids = await holding.accounts(connection, asked)
        runs = [(only_held, list(run)) for only_held, run in groupby(asked, key=_is_only_held)]
        if len(runs) > 1:
            await book.lock(connection, ids.values())
        results: list[Payment | GatewayError] = []
        for only_held, run in runs:
            results += await (_hold(connection, run, ids, now) if only_held else _settle(connection, run, now))
        return results

    def captured(self, terms: Terms, payment: Payment, money: Money, now: datetime) -> tuple[Payment, End] | None:
        """A fee was held for the whole amount; what is captured pays its own part of it."""
        cost = min(fee(terms, money), payment.fee, key=lambda part: part.units)
        units = (money.units, cost.units) if payment.fee.units else (money.units,)
        state = after(payment.id, payment.state, Event.SETTLE)
        settled = replace(payment, state=state, captured=money, fee=cost, settled_at=now)
        return settled, End(payment.transfer_id, transfer.Event.CAPTURE, units)

    async def capture(
        self, connection: Connection, terms: Terms, payment: Payment, money: Money, now: datetime
    ) -> Payment:
        captured = self.captured(terms, payment, money, now)
        assert captured is not None
        settled, end = captured
        book.all_done(await book.write(connection, [end], now))
        return settled


def _is_only_held(one: Proposed) -> bool:
    return one.payment.expires_at is not None


async def _hold(
    connection: Connection, asked: Sequence[Proposed], ids: Mapping[str, AccountId], now: datetime
) -> list[Payment | GatewayError]:
    results = [
        held if isinstance(held, GatewayError) else one.payment
        for one, held in zip(asked, await holding.hold(connection, asked, ids, now), strict=True)
    ]
    payments = [one for one in results if isinstance(one, Payment)]
    await records.insert(connection, payments)
    await log.append(connection, [event for payment in payments for event in records.events(payment)], now)
    return results


async def _settle(connection: Connection, asked: Sequence[Proposed], now: datetime) -> list[Payment | GatewayError]:
    payments, nobody = [one.payment for one in asked], [None] * len(asked)
    row = await connection.fetchrow(
        records.sql.pay_by_ledger,
        *(now, nobody, [one.payer for one in payments], nobody, nobody),
        [one.payee_handle for one in payments],
        [one.amount.asset.code for one in payments],
        [one.amount.units for one in payments],
        [one.fee.units for one in payments],
        [one.memo for one in payments],
        [one.refund_of for one in payments],
        [one.id for one in payments],
        [facts_of(one.id, one.payee_handle, one.amount, one.fee) for one in payments],
    )
    assert row is not None
    results = [
        _settled(one, outcome, available, now)
        for one, outcome, available in zip(payments, row["outcome"], row["available"], strict=True)
    ]
    settled = [one for one in results if isinstance(one, Payment)]
    await records.insert_notes(connection, {one.id: one.note for one in settled if one.note is not None})
    return results


def _settled(one: Payment, outcome: str, available: int | None, now: datetime) -> Payment | GatewayError:
    if outcome == "short":
        assert available is not None
        asset = one.amount.asset
        return InsufficientFunds(account.wallet(one.payer_handle, asset), one.amount + one.fee, Money(available, asset))
    assert outcome == "done", f"a payment that was checked is {outcome}"
    state = after(one.id, one.state, Event.SETTLE)
    return replace(one, state=state, captured=one.amount, settled_at=now, transfer_id=TransferId(one.id))


# ---- payments of plain API keys --------------------------------------------------------------------------------------


class LedgerPayment(PlainPayment, frozen=True):
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
        await records.insert_notes(connection, {id: notes[id] for id in settled if id in notes})
        return outcomes


async def pay_in(connection: Connection, terms: Terms, asked: Sequence[LedgerPayment], now: datetime) -> list[Outcome]:
    """`pay_all` as a part of the caller's transaction."""
    fees = [fee(terms, one.money) for one in asked]
    nobody = [None] * len(asked)
    who, keys, fingerprints, payees, assets, amounts, memos, ids = columns_of(asked)
    row = await connection.fetchrow(
        records.sql.pay_by_ledger,
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
