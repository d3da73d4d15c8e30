"""The ledger rail: fiat, settled in the transaction that accepts it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from gateway.errors import GatewayError, InsufficientFunds, UnknownPayee
from gateway.events import log
from gateway.ids import AccountId, TransferId
from gateway.ledger import account, book, transfer
from gateway.ledger.transfer import End
from gateway.money import Money
from gateway.payments import records
from gateway.payments.check import Proposed
from gateway.payments.lean import facts_of
from gateway.payments.payment import Event, Payment, after
from gateway.payments.rail import Rail
from gateway.payments.rails import holding
from gateway.payments.route import Route, fee, ledger_route
from gateway.payments.terms import Terms
from gateway.postgres import Connection


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
