"""Payments on the chain rail, many accepted in one statement: what `pay` does for one, for all that wait.

The statement is one call of `pay_on_chain` (schema/09_pay_on_chain.sql), a PostgreSQL transaction of its own: it
finds payer and payee, holds in the book, takes nonces, and writes authorization, payment, event and idempotency key.
Where it cannot decide it says so and writes nothing: `pay` then does.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from gateway.money import Money
from gateway.payments.lean import LeanPayment, NotDone, columns_of, facts_of, handle_of, not_done
from gateway.payments.records import sql
from gateway.payments.route import Route, route
from gateway.payments.terms import Terms
from gateway.postgres import Database


class TokenPayment(LeanPayment, frozen=True):
    """A payment of tokens by a payer whose key the gateway keeps. Its id is also that of its authorization."""


class Queued(Struct, frozen=True):
    """What was asked, its money held and its authorization queued: who pays, which way, and since when."""

    asked: TokenPayment
    payer_handle: str
    route: Route
    at: datetime


#: What became of a request.
Outcome = Queued | NotDone


def payee_of(terms: Terms, to: str, money: Money, capture: bool) -> str | None:
    """The handle that this path would pay; None for what it does not do: fiat, holds, addresses, odd spellings, and
    tokens that are not deployed.
    """
    return handle_of(to) if capture and money.asset.code in terms.contracts else None


async def pay_all(database: Database, terms: Terms, asked: Sequence[TokenPayment], now: datetime) -> list[Outcome]:
    """Accept them, each on its own, in one PostgreSQL transaction that is committed when this returns.

    Raises DatabaseUnavailable: then nobody knows, and each is asked again with its key.
    """
    ways = [route(terms, one.money, outside=None) for one in asked]
    async with database.one_statement() as connection:
        row = await connection.fetchrow(
            sql.pay_on_chain,
            now,
            int(now.timestamp()) + terms.authorization_seconds,
            *columns_of(asked),
            [msgspec.json.encode(way).decode() for way in ways],
            [facts_of(one.payment_id, one.payee_handle, one.money, Money(0, one.money.asset)) for one in asked],
        )
    assert row is not None
    return [
        Queued(one, handle, way, now)
        if outcome == "done"
        else not_done(one, outcome, handle, Money(0, one.money.asset), available)
        for one, way, outcome, handle, available in zip(
            asked, ways, row["outcome"], row["payer_handle"], row["available"], strict=True
        )
    ]
