"""Spending caps of API keys. A capped key pays only what a cap covers, and no more than every cap that covers it
allows: per payment and in any twenty-four hours. Its payments need no approval, since the owner set the caps
beforehand.

Money that came back does not count: payments that failed or were voided, expired or declined, the part of a hold that
was not captured, and refunds by the payee (spending.py). Refunds that the key makes do count. Payments of one key, and
of the keys that replaced it, are decided one after the other, so a thousand concurrent payments cannot exceed a cap.

Payments are usually made in one statement, if all payments of a key in it fit its caps
(`caps_with_room` in schema/11_check_payments.sql). That statement only finds that they all fit. Otherwise this module
decides which ones do, and why the others do not. tests/payments/test_spending.py checks that both use the same sums.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from gateway.clock import rfc3339
from gateway.errors import GatewayError, InvalidRequest
from gateway.ids import WalletId
from gateway.money import Assets, Money
from gateway.payments.checks import spending
from gateway.payments.checks.check import PASSED, Check, CheckContext, Decisions, Locks, Passed
from gateway.payments.checks.spending import Spent
from gateway.payments.errors import CapExceeded, DayCapExceeded, DayCapTooSmall, PaymentCapExceeded
from gateway.payments.model.proposed import Counter, Proposed
from gateway.payments.model.route import RailName
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "caps.sql")

#: The window of a day cap.
DAY: Final = timedelta(days=1)

#: The most caps of a key.
_CAPS_MAX = 50


class Cap(Struct, frozen=True):
    """A cap covers payments of its asset; if it names a rail or a payee, only payments on that rail or to that payee.
    `payment` is the most in one payment and `day` the most in a day; None: no limit. `number` is its index among the
    caps of its key, from 1.
    """

    asset: str
    rail: RailName | None
    payee: WalletId | None
    payment: Money | None
    day: Money | None
    payee_handle: str | None = None
    number: int = 0

    def covers(self, paid: "Paid") -> bool:
        return (
            paid.amount.asset.code == self.asset and self.rail in (None, paid.rail) and self.payee in (None, paid.payee)
        )


class Paid(Struct, frozen=True):
    """The fields of a requested payment that caps decide by."""

    amount: Money
    rail: str
    payee: WalletId | None


def refusal(asked: Paid, caps: Sequence[Cap], spent: Mapping[int, Spent]) -> CapExceeded | None:
    """Why the caps refuse this payment, or None. `spent` is what was paid in the last 24 hours, by cap number. A
    permanent refusal takes precedence; otherwise the error names the cap that will have room last. Pure.
    """
    covering = [cap for cap in caps if cap.covers(asked)]
    if not covering:
        return CapExceeded(asked.amount, Money(0, asked.amount.asset))
    later: list[tuple[datetime, DayCapExceeded]] = []
    for cap in covering:
        if cap.payment is not None and asked.amount > cap.payment:
            return PaymentCapExceeded(asked.amount, cap.payment)
        if cap.day is None:
            continue
        before = spent.get(cap.number) or Spent()
        left = Money(max(0, cap.day.units - before.units), cap.day.asset)
        if asked.amount > cap.day:
            return DayCapTooSmall(asked.amount, left, cap.day)
        if asked.amount > left:
            at = before.room_at(asked.amount.units, cap.day.units, DAY)
            assert at is not None, "a payment within the cap has room once nothing is spent"
            later.append((at, DayCapExceeded(asked.amount, left, cap.day, rfc3339(at))))
    return max(later, key=lambda one: one[0])[1] if later else None


class SpendingCaps(Check):
    """Refuses payments that exceed the caps of their API key. Keys are locked by origin, so payments of one key are
    decided one after the other.
    """

    def locks(self, asked: Sequence[Proposed]) -> Locks:
        return {"api_keys": _origins(asked)}

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions | None:
        if not (origins := _origins(asked)):
            return None
        since = context.now - DAY
        rows = await context.connection.fetch(sql.caps_spent, origins, since, spending.bucket_of(since))
        capped = _Capped({origin: [] for origin in origins}, {origin: {} for origin in origins})
        for row in rows:
            cap = _cap(context.settings.assets, row)
            capped.caps[row["origin"]].append(cap)
            if cap.day is not None:
                buckets = zip(row["buckets"] or (), row["amounts"] or (), strict=True)
                capped.spent[row["origin"]][cap.number] = Spent(dict(buckets))
        return capped


class _Capped(Decisions):
    """Caps by the origin of their key, and the spending that counts against day caps, by cap number."""

    def __init__(self, caps: dict[UUID, list[Cap]], spent: dict[UUID, dict[int, Spent]]) -> None:
        self.caps = caps
        self.spent = spent

    def decide(self, one: Proposed) -> Passed | GatewayError:
        if (origin := _origin(one)) is None:
            return PASSED
        return refusal(_paid(one), self.caps[origin], self.spent[origin]) or PASSED

    def add(self, one: Proposed) -> None:
        for counter in self.counts(one):
            self.spent[counter.id][counter.number].add(one.payment.amount.units, one.payment.created_at)

    def counts(self, one: Proposed) -> Sequence[Counter]:
        if (origin := _origin(one)) is None:
            return ()
        paid = _paid(one)
        days = [cap for cap in self.caps[origin] if cap.day is not None and cap.covers(paid)]
        return [Counter("cap", origin, cap.asset, cap.number) for cap in days]


def _origin(one: Proposed) -> UUID | None:
    """The origin of the API key that makes the payment, whose caps apply. None: no caps apply."""
    return one.by.capped_by if one.by is not None else None


def _origins(asked: Sequence[Proposed]) -> list[UUID]:
    return list({origin for one in asked if (origin := _origin(one)) is not None})


def _paid(one: Proposed) -> Paid:
    return Paid(one.payment.amount, one.payment.route.rail, one.payment.payee)


async def give(connection: Connection, origin: UUID, caps: Sequence[Cap]) -> None:
    """Store a new key's caps, which never change. Raises InvalidRequest for too many, or for one without a limit."""
    if not 1 <= len(caps) <= _CAPS_MAX:
        raise InvalidRequest("caps", f"a key has 1 to {_CAPS_MAX} caps, or none at all")
    if any(cap.payment is None and cap.day is None for cap in caps):
        raise InvalidRequest("caps", "a cap says how much: at once (payment), in a day (day), or both")
    await connection.execute(
        sql.give,
        origin,
        [cap.asset for cap in caps],
        [cap.rail for cap in caps],
        [cap.payee for cap in caps],
        [cap.payment.units if cap.payment else None for cap in caps],
        [cap.day.units if cap.day else None for cap in caps],
    )


async def of_keys(connection: Connection, assets: Assets, origins: Sequence[UUID]) -> Mapping[UUID, list[Cap]]:
    """The caps of these keys, by origin, in their order."""
    caps: dict[UUID, list[Cap]] = {}
    for row in await connection.fetch(sql.caps, list(origins)):
        caps.setdefault(row["origin"], []).append(_cap(assets, row, row["handle"]))
    return caps


def _cap(assets: Assets, row: Record, payee_handle: str | None = None) -> Cap:
    asset, payment, day = assets[row["asset"]], row["payment"], row["day"]
    return Cap(
        *(asset.code, row["rail"], row["payee"]),
        None if payment is None else Money(payment, asset),
        None if day is None else Money(day, asset),
        *(payee_handle, row["number"]),
    )
