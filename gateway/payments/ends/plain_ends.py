"""Captures, voids and refunds of API keys to which no check applies, many in one statement.

Only for payments on the ledger rail, without a fee, that count against no limit. The statement authenticates the
caller, claims the idempotency key and writes every row (schema/08_end_payments.sql, schema/08_refund_payments.sql), in
a PostgreSQL transaction of its own. A request that it does not handle comes back as NeedsChecks: capture_void.py and
refund.py decide it, and give the reason if they refuse it.

The answers of captures and voids are not stored with their keys: they are derived from the payment (first_answer.py).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from gateway.ids import PaymentId, TransferId, WalletId
from gateway.money import Money
from gateway.payments.model.note import Note
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.plain import NeedsChecks
from gateway.payments.model.route import ledger_route
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Database, if_any

#: The operations that end a payment here.
EndKind = Literal["capture", "void", "refund"]

_NEEDS_CHECKS: Final = NeedsChecks(always=False)


class PlainEnd(Struct, frozen=True):
    """One request of an API key, by its SHA-256 (`token_hash`). `amount` is the part, as text that `money.is_decimal`
    accepts; None is all. No two in one batch may have the same `key`.
    """

    token_hash: bytes
    idempotency_key: str
    fingerprint: bytes
    end: EndKind
    payment: PaymentId
    amount: str | None

    @property
    def key(self) -> tuple[bytes, str]:
        return self.token_hash, self.idempotency_key


#: The outcome of a request: the payment as it is now, or the refund; or NeedsChecks.
Outcome = Payment | NeedsChecks


async def end_all(
    database: Database, settings: PaymentSettings, asked: Sequence[PlainEnd], now: datetime
) -> list[Outcome]:
    """Capture and void, each on its own, in one PostgreSQL transaction that is committed when this returns.

    Raises DatabaseUnavailable: the outcome is unknown then; retry each request with its idempotency key.
    """
    async with database.one_statement() as connection:
        return await end_in(connection, settings, asked, now)


async def end_in(
    connection: Connection, settings: PaymentSettings, asked: Sequence[PlainEnd], now: datetime
) -> list[Outcome]:
    """`end_all` as a part of the caller's transaction."""
    row = await connection.fetchrow(
        records.sql.end_payments,
        *(now, *_columns(asked)),
        [one.payment for one in asked],
        [one.end == "capture" for one in asked],
        if_any([one.amount for one in asked]),
    )
    assert row is not None
    if row["asset"] is None:
        return [_NEEDS_CHECKS] * len(asked)
    columns = ("outcome", "caller", "payer", "payee", "payer_handle", "payee_handle", "asset", "units", "captured",
               "memo", "created_at", "expires_at", "reference", "metadata")  # fmt: skip
    return [
        _ended(settings, one, now, *values) if values[0] == "done" else _NEEDS_CHECKS
        for one, values in zip(asked, zip(*(row[name] for name in columns), strict=True), strict=True)
    ]


def _ended(
    settings: PaymentSettings,
    asked: PlainEnd,
    now: datetime,
    _: str,
    caller: WalletId,
    payer: WalletId,
    payee: WalletId,
    payer_handle: str,
    payee_handle: str,
    code: str,
    units: int,
    captured: int,
    memo: str | None,
    created_at: datetime,
    expires_at: datetime | None,
    reference: str | None,
    metadata: str | None,
) -> Payment:
    asset, is_capture = settings.assets[code], asked.end == "capture"
    nothing = Money(0, asset)
    has_note = reference is not None or metadata is not None
    return Payment(
        id=asked.payment,
        state=State.SETTLED if is_capture else State.VOIDED,
        payer=payer,
        payer_handle=payer_handle,
        payee=payee,
        payee_handle=payee_handle,
        payee_address=None,
        amount=Money(units, asset),
        fee=nothing,
        captured=Money(captured, asset),
        refunded=nothing,
        memo=memo,
        route=ledger_route(nothing),
        transfer_id=TransferId(asked.payment),
        authorization_id=None,
        refund_of=None,
        tx_hash=None,
        failure=None,
        created_at=created_at,
        expires_at=expires_at,
        settled_at=now if is_capture else None,
        capture=False,
        note=Note(caller, reference, msgspec.json.decode(metadata) if metadata else None) if has_note else None,
    )


async def refund_all(
    database: Database, settings: PaymentSettings, asked: Sequence[PlainEnd], now: datetime
) -> list[Outcome]:
    """Refund, each on its own, in one PostgreSQL transaction that is committed when this returns. Raises what `end_all`
    raises.
    """
    async with database.one_statement() as connection:
        return await refund_in(connection, settings, asked, now)


async def refund_in(
    connection: Connection, settings: PaymentSettings, asked: Sequence[PlainEnd], now: datetime
) -> list[Outcome]:
    """`refund_all` as a part of the caller's transaction."""
    row = await connection.fetchrow(
        records.sql.refund_payments,
        *(now, *_columns(asked)),
        [one.payment for one in asked],
        if_any([one.amount for one in asked]),
    )
    assert row is not None
    columns = ("outcome", "id", "caller", "payee", "caller_handle", "payee_handle", "asset", "units", "memo")
    return [
        _refunded(settings, one, row["paid_at"], *values) if values[0] == "done" else _NEEDS_CHECKS
        for one, values in zip(asked, zip(*(row[name] for name in columns), strict=True), strict=True)
    ]


def _refunded(
    settings: PaymentSettings,
    asked: PlainEnd,
    at: datetime,
    _: str,
    id: PaymentId,
    caller: WalletId,
    payee: WalletId,
    caller_handle: str,
    payee_handle: str,
    code: str,
    units: int,
    memo: str | None,
) -> Payment:
    money = Money(units, settings.assets[code])
    nothing = Money(0, money.asset)
    return Payment(
        id=id,
        state=State.SETTLED,
        payer=caller,
        payer_handle=caller_handle,
        payee=payee,
        payee_handle=payee_handle,
        payee_address=None,
        amount=money,
        fee=nothing,
        captured=money,
        refunded=nothing,
        memo=memo,
        route=ledger_route(nothing),
        transfer_id=TransferId(id),
        authorization_id=None,
        refund_of=asked.payment,
        tx_hash=None,
        failure=None,
        created_at=at,
        expires_at=None,
        settled_at=at,
    )


def _columns(asked: Sequence[PlainEnd]) -> tuple[list[bytes], list[str], list[bytes]]:
    return (
        [one.token_hash for one in asked],
        [one.idempotency_key for one in asked],
        [one.fingerprint for one in asked],
    )
