"""The ledger rail: fiat, settled in the transaction that accepts it.

Payments that settle at once are one call of `settle_payments` (schema/08_settle_payments.sql), which finds payer and
payee, moves the money, and writes one row per payment with its entries, event and idempotency key. Those that are held
first are one call of `hold_payments` (hold.py). `pay_all` and `hold_all` take those of plain API keys, of keys with
caps, and of sessions that need no check, in a PostgreSQL transaction of its own. All others pass the checks first, in
the caller's transaction (checks.py), and come to the same two functions.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import GatewayError
from gateway.ids import PaymentId, TransferId, WalletId
from gateway.ledger import ledger, transfer
from gateway.ledger.transfer import End
from gateway.money import Money
from gateway.payments.errors import UnknownPayee
from gateway.payments.model.fee import fee
from gateway.payments.model.payment import Event, Payment, after
from gateway.payments.model.plain import (
    NotDone,
    PlainPayment,
    columns_of,
    handle_of,
    not_done,
)
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.rail import Rail
from gateway.payments.model.rail_settings import RailSettings
from gateway.payments.model.route import Route, ledger_route
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.rails import hold, limits
from gateway.payments.rails.hold import HeldFirst, Holder
from gateway.payments.rails.limits import Sessions
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Database, Record, if_any


class LedgerRail(Rail):
    """Moves fiat between wallets."""

    name = "ledger"
    final_at_once = True
    signed = False

    def quote(self, settings: RailSettings, money: Money, outside: str | None) -> Route | None:
        if money.asset.kind != "fiat":
            return None
        if outside:
            code = money.asset.code
            raise UnknownPayee(outside, f"{code} is fiat, and an address that is nobody's handle holds only tokens")
        return ledger_route(fee(settings, money))

    async def accept(
        self, connection: Connection, settings: RailSettings, asked: Sequence[Proposed], now: datetime
    ) -> list[Payment | GatewayError]:
        runs = [(only_held, list(run)) for only_held, run in groupby(asked, key=_is_only_held)]
        if len(runs) > 1:
            await ledger.lock(connection, (await hold.accounts(connection, asked)).values())
        results: list[Payment | GatewayError] = []
        for only_held, run in runs:
            results += await (
                hold.accept(connection, self.name, run, now) if only_held else _settle(connection, run, now)
            )
        return results

    def captured(
        self, settings: RailSettings, payment: Payment, money: Money, now: datetime
    ) -> tuple[Payment, End] | None:
        """The fee was held for the whole amount; a partial capture pays its part of the fee."""
        cost = min(fee(settings, money), payment.fee, key=lambda part: part.units)
        units = (money.units, cost.units) if payment.fee.units else (money.units,)
        state = after(payment.id, payment.state, Event.SETTLE)
        settled = replace(payment, state=state, captured=money, fee=cost, route=ledger_route(cost), settled_at=now)
        return settled, End(payment.transfer_id, transfer.Event.CAPTURE, units)

    async def capture(
        self, connection: Connection, settings: RailSettings, payment: Payment, money: Money, now: datetime
    ) -> Payment:
        captured = self.captured(settings, payment, money, now)
        assert captured is not None
        settled, end = captured
        ledger.all_done(await ledger.write(connection, [end], now))
        return settled


def _is_only_held(one: Proposed) -> bool:
    return one.payment.expires_at is not None


async def _settle(connection: Connection, asked: Sequence[Proposed], now: datetime) -> list[Payment | GatewayError]:
    """Settle the payments. Accounts that are missing are opened first, as `settle_payments` needs them."""
    payments = [one.payment for one in asked]
    row = await _pay(connection, asked, now)
    if "unknown" in row["outcome"]:
        await hold.accounts(connection, asked)
        row = await _pay(connection, asked, now)
    ids = row["id"] or [None] * len(payments)
    results = [
        _settled(one, outcome, available, id, row["paid_at"])
        for one, outcome, available, id in zip(payments, row["outcome"], row["available"], ids, strict=True)
    ]
    settled = [one for one in results if isinstance(one, Payment)]
    await records.insert_notes(connection, {one.id: one.note for one in settled if one.note is not None})
    return results


async def _pay(connection: Connection, asked: Sequence[Proposed], now: datetime) -> Record:
    """The outcomes, as `settle_payments` returns them."""
    payments = [one.payment for one in asked]
    claims = [one.claim for one in payments]
    row = await connection.fetchrow(
        records.sql.settle_payments,
        *(now, None, None, [one.payer for one in payments]),
        if_any([claim and claim.key for claim in claims]),
        if_any([claim and claim.fingerprint for claim in claims]),
        [one.payee_handle for one in payments],
        [one.amount.asset.code for one in payments],
        [one.amount.units for one in payments],
        [one.fee.units for one in payments],
        if_any([one.memo for one in payments]),
        if_any([one.refund_of for one in payments]),
        *limits.counters(asked),
    )
    assert row is not None
    return row


def _settled(
    one: Payment, outcome: str, available: int | None, id: PaymentId | None, at: datetime
) -> Payment | GatewayError:
    if outcome == "short":
        assert available is not None
        return hold.insufficient(one, available)
    assert outcome == "done", f"a payment that was checked is {outcome}"
    assert id is not None
    state = after(one.id, one.state, Event.SETTLE)
    captured, transfer_id = one.amount, TransferId(id)
    return replace(one, id=id, state=state, captured=captured, created_at=at, settled_at=at, transfer_id=transfer_id)


# ---- payments of plain API keys, and of keys with caps and sessions --------------------------------------------------


class LedgerPayment(PlainPayment, frozen=True):
    """A fiat payment to a handle that settles at once."""

    of_session: bool = False


class Settled(Struct, frozen=True):
    """A settled request: the id, payer, fee and time. `payer` is the payer's wallet if the caller used a session."""

    asked: LedgerPayment
    payment_id: PaymentId
    payer_handle: str
    fee: Money
    at: datetime
    payer: WalletId | None = None


#: The outcome of a request.
Outcome = Settled | NotDone


def payee_of(settings: PaymentSettings, to: str, money: Money, capture: bool) -> str | None:
    """The payee's handle if `pay_all` can take the payment; None for other rails and spellings, holds, and
    addresses.
    """
    return handle_of(to) if capture and _goes_by_ledger(settings, money) else None


def _goes_by_ledger(settings: PaymentSettings, money: Money) -> bool:
    return settings.route(money, outside=None).rail == LedgerRail.name


def fees_of(settings: PaymentSettings, assets: Sequence[str], amounts: Sequence[int]) -> list[int | None]:
    """The fee of each payment, in units; None for a payment on another rail. `amounts` are in units of the assets with
    these codes. Computed once per distinct amount.
    """
    asked = list(zip(assets, amounts, strict=True))
    fees: dict[tuple[str, int], int | None] = {}
    for code, units in set(asked):
        money = Money(units, settings.assets[code])
        fees[code, units] = fee(settings, money).units if _goes_by_ledger(settings, money) else None
    return [fees[one] for one in asked]


async def pay_all(
    database: Database,
    settings: PaymentSettings,
    asked: Sequence[LedgerPayment],
    now: datetime,
    left_out: Collection[str] = (),
) -> list[Outcome]:
    """Settle the payments, independently, in one PostgreSQL transaction that is committed when this returns. Payments
    in sessions of the wallets `left_out` (ids) are left to the checks.

    Raises DatabaseUnavailable: the outcome is unknown then; retry each payment with its idempotency key.
    """
    async with database.one_statement() as connection:
        return await pay_in(connection, settings, asked, now, left_out)


async def pay_in(
    connection: Connection,
    settings: PaymentSettings,
    asked: Sequence[LedgerPayment],
    now: datetime,
    left_out: Collection[str] = (),
) -> list[Outcome]:
    """`pay_all` as a part of the caller's transaction."""
    fees = [fee(settings, one.money) for one in asked]
    columns = Columns([cost.units for cost in fees], *columns_of(asked))
    if any(one.of_session for one in asked):
        keys: list[bytes | None] = [None if one.of_session else one.token_hash for one in asked]
        columns = columns._replace(api_key_hashes=keys)
        sessions = Sessions([one.token_hash if one.of_session else None for one in asked], left_out)
    else:
        sessions = None
    outcomes, handles, at, payers = await pay_columns(connection, settings, columns, now, sessions)
    return [
        Settled(one, outcome, handle, cost, at, payer) if isinstance(outcome, UUID) else outcome
        for one, cost, outcome, handle, payer in zip(asked, fees, outcomes, handles, payers, strict=True)
    ]


class Columns(NamedTuple):
    """Payments as columns, one element per payment: its fee and the fields of LedgerPayment. `api_key_hashes` has None
    for a payment in a session.
    """

    fees: list[int]
    api_key_hashes: list[bytes | None]
    idempotency_keys: list[str]
    fingerprints: list[bytes]
    payee_handles: list[str]
    assets: list[str]
    amounts: list[int]
    memos: list[str | None]


async def pay_columns(
    connection: Connection, settings: PaymentSettings, asked: Columns, now: datetime, sessions: Sessions | None = None
) -> tuple[list[PaymentId | NotDone], list[str], datetime, Sequence[WalletId | None]]:
    """Settle payments given as columns. Returns for each its id or why it is not settled, and the payer's handle; the
    time of all; and, with `sessions`, the payers' wallets.
    """
    row = await connection.fetchrow(
        records.sql.settle_payments,
        *(now, asked.api_key_hashes, sessions.hashes if sessions else None, None),
        *(asked.idempotency_keys, asked.fingerprints, asked.payee_handles),
        *(asked.assets, asked.amounts, asked.fees, if_any(asked.memos), None),
        *limits.rules(settings, asked.assets, now, sessions),
    )
    assert row is not None
    hashes = sessions.hashes if sessions else [None] * len(asked.fees)
    outcomes: list[PaymentId | NotDone] = [
        id
        if outcome == "done"
        else not_done(
            *(Money(units, settings.assets[code]), outcome, handle),
            *(Money(cost, settings.assets[code]), available, of is not None),
        )
        for id, outcome, handle, available, units, cost, code, of in zip(
            *(row["id"] or [None] * len(asked.fees), row["outcome"], row["payer_handle"], row["available"]),
            *(asked.amounts, asked.fees, asked.assets, hashes),
            strict=True,
        )
    ]
    return outcomes, row["payer_handle"], row["paid_at"], row["payer"] or [None] * len(asked.fees)


# ---- payments of plain API keys that are only held -------------------------------------------------------------------


class HeldPayment(HeldFirst, frozen=True):
    """A fiat payment that is held for a later capture."""


class Held(Struct, frozen=True):
    """A request whose money is held: the payer, the time, and the expiry. `payer` is the payer's wallet if the caller
    used a session.
    """

    asked: HeldPayment
    payer_handle: str
    at: datetime
    expires_at: datetime
    payer: WalletId | None = None


def payee_of_hold(settings: PaymentSettings, to: str, money: Money) -> str | None:
    """The payee's handle if `hold_all` can take the payment; None for other rails, payments with a fee, addresses and
    other spellings.
    """
    return handle_of(to) if _goes_by_ledger(settings, money) and not fee(settings, money).units else None


async def hold_all(
    database: Database,
    settings: PaymentSettings,
    asked: Sequence[HeldPayment],
    now: datetime,
    left_out: Collection[str] = (),
) -> list[Held | NotDone]:
    """Hold the money of payments, as `pay_all` settles them."""
    async with database.one_statement() as connection:
        return await hold_in(connection, settings, asked, now, left_out)


async def hold_in(
    connection: Connection,
    settings: PaymentSettings,
    asked: Sequence[HeldPayment],
    now: datetime,
    left_out: Collection[str] = (),
) -> list[Held | NotDone]:
    """`hold_all` as a part of the caller's transaction."""
    expires_at = now + timedelta(seconds=settings.hold_seconds)
    outcomes = await hold.hold_all(
        connection, settings, LedgerRail.name, asked, now, "held", left_out, expires_at=expires_at
    )
    return [
        Held(one, outcome.handle, now, expires_at, outcome.payer) if isinstance(outcome, Holder) else outcome
        for one, outcome in zip(asked, outcomes, strict=True)
    ]
