"""Payments on the ledger rail, many in one statement: what `pay` does for one, for all that wait.

The statement is one call of `pay_in_ledger` (migrations/0006_leaner_payments.sql), a PostgreSQL transaction of its own:
it finds payer and payee, posts in the book, and writes payment, events and idempotency key. Where it cannot decide (a
key used before, an unknown payee, an account that is not open yet) it says so and writes nothing: `pay` then does.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from gateway.errors import InsufficientFunds, Unauthenticated
from gateway.ids import PaymentId, show
from gateway.ledger import account
from gateway.money import Money
from gateway.payments.records import sql
from gateway.payments.route import fee
from gateway.payments.terms import Terms
from gateway.postgres import Connection, Database
from gateway.wallets.handle import is_folded


class LedgerPayment(Struct, frozen=True):
    """One request: who asks, by the SHA-256 of an API key; its idempotency key; whom it pays, by handle; a fresh id, of
    the payment and of its transfer. No two in one batch may have the same `key`.
    """

    api_key_hash: bytes
    idempotency_key: str
    fingerprint: bytes
    payee_handle: str
    money: Money
    memo: str | None
    payment_id: PaymentId

    @property
    def key(self) -> tuple[bytes, str]:
        return self.api_key_hash, self.idempotency_key

    @property
    def shown_id(self) -> str:
        return show("pay", self.payment_id)


class Settled(Struct, frozen=True):
    """What was asked, settled: who paid, the fee, and when."""

    asked: LedgerPayment
    payer_handle: str
    fee: Money
    at: datetime


def payee_of(to: str, money: Money, capture: bool) -> str | None:
    """The handle that this path would pay; None for what it does not do: tokens, holds, addresses, odd spellings."""
    handle = to.removeprefix("@")
    if money.asset.kind != "fiat" or not capture or to.startswith("0x"):
        return None
    return handle if is_folded(handle) else None


class Elsewhere:
    """Not for this path: nothing was written, and `pay` decides."""


#: What became of a request: settled, refused, or to be decided by `pay`.
Outcome = Settled | InsufficientFunds | Unauthenticated | Elsewhere


async def pay_all(database: Database, terms: Terms, asked: Sequence[LedgerPayment], now: datetime) -> list[Outcome]:
    """Settle them, each on its own, in one PostgreSQL transaction that is committed when this returns.

    Raises DatabaseUnavailable: then nobody knows, and each is asked again with its key.
    """
    async with database.one_statement() as connection:
        return await pay_in(connection, terms, asked, now)


async def pay_in(connection: Connection, terms: Terms, asked: Sequence[LedgerPayment], now: datetime) -> list[Outcome]:
    """`pay_all` as a part of the caller's transaction."""
    row = await connection.fetchrow(
        sql.pay_in_ledger,
        now,
        terms.ledger_fee_basis_points,
        [one.api_key_hash for one in asked],
        [one.idempotency_key for one in asked],
        [one.fingerprint for one in asked],
        [one.payee_handle for one in asked],
        [one.money.asset.code for one in asked],
        [one.money.units for one in asked],
        [one.memo for one in asked],
        [one.payment_id for one in asked],
        [_facts(terms, one) for one in asked],
    )
    assert row is not None
    return [
        _outcome(one, outcome, handle, cost, available, now)
        for one, outcome, handle, cost, available in zip(
            asked, row["outcome"], row["payer_handle"], row["fee"], row["available"], strict=True
        )
    ]


def _facts(terms: Terms, one: LedgerPayment) -> str:
    """The facts of the payment's event but for who paid, as `records.events` has them. None of them needs escaping."""
    money, cost = one.money, fee(terms, one.money)
    return (
        f'{{"payment_id":"{one.shown_id}","to":"@{one.payee_handle}",'
        f'"amount":"{money.amount}","asset":"{money.asset.code}"' + (f',"fee":"{cost.amount}"}}' if cost.units else "}")
    )


def _outcome(
    one: LedgerPayment, outcome: str, payer_handle: str, cost: int, available: int | None, now: datetime
) -> Outcome:
    asset = one.money.asset
    if outcome == "done":
        return Settled(one, payer_handle, Money(cost, asset), now)
    if outcome == "short":
        assert available is not None
        asked = Money(one.money.units + cost, asset)
        return InsufficientFunds(account.wallet(payer_handle, asset), asked, Money(available, asset))
    return Unauthenticated() if outcome == "unauthenticated" else Elsewhere()
