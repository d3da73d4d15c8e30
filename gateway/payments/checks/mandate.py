"""Mandates: an owner lets somebody draw payments from the wallet without an approval each time.

A mandate is for one payee and one asset, with limits per draw, per period of days and in all, and an expiry.
Its payee draws, and each draw is a payment like any other from the wallet that granted it. It needs no approval by
the policy, since the owner approved the mandate when it was granted, with a passkey if the wallet is guarded. A
frozen wallet pays no draw, and neither does one with insufficient funds. A mandate from before the wallet's first
passkey waits until the owner approves it with a passkey (grant_approval.py).

The mandate's row is locked while a draw is checked and paid, so fifty concurrent draws cannot exceed it.
A revocation waits for a draw in progress, and no draw follows it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.clock import rfc3339
from gateway.errors import GatewayError, InvalidRequest, NotFound, StateConflict
from gateway.events import log
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.passkey_verification import Assertion
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId, new_id, show
from gateway.money import Assets, Money
from gateway.payments.checks import spending
from gateway.payments.checks.check import PASSED, Check, CheckContext, Decisions, Locks, Passed
from gateway.payments.checks.spending import Spent
from gateway.payments.errors import (
    ApprovalRequired,
    MandateDrawExceeded,
    MandateEnded,
    MandateExceeded,
    MandatePeriodExceeded,
    MandatePeriodTooSmall,
    MandateTotalExceeded,
)
from gateway.payments.model.payment import Payment
from gateway.payments.model.proposed import Counter, Proposed
from gateway.payments.model.route import RailName
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "mandate.sql")

#: The prefix of mandate ids, and the purpose of their challenges.
PREFIX, PURPOSE, APPROVAL = "mdt", "mandate.grant", "mandate.approve"


#: The operation that a StateConflict names.
DRAW = "draw"


@dataclass(frozen=True, slots=True)
class NewMandate:
    """A mandate to grant to `payee`: the most per draw, per period of `days` days, and in all; None: no limit."""

    payee: Wallet
    rail: RailName | None
    draw: Money | None
    period_days: int
    period: Money
    total: Money | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mandate:
    """A mandate, with its payer and payee."""

    id: UUID
    payer: WalletId
    payer_handle: str
    payee: WalletId
    payee_handle: str
    rail: RailName | None
    draw: Money | None
    period_days: int
    period: Money
    total: Money | None
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    approved: bool  #: Whether a passkey of the payer has approved it.
    payer_guarded: bool

    @property
    def waits(self) -> bool:
        """Whether it needs its payer's approval before the next draw."""
        return self.payer_guarded and not self.approved and self.ended_at is None

    @property
    def shown_id(self) -> str:
        """`mdt_…`."""
        return show(PREFIX, self.id)


class MandateLimits(Check):
    """Refuses draws outside their mandate: it is revoked or expired, has another rail, or its limits are exceeded."""

    def locks(self, asked: Sequence[Proposed]) -> Locks:
        return {"mandates": _ids(asked)}

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions | None:
        if not (ids := _ids(asked)):
            return None
        rows = await context.connection.fetch(sql.by_ids, ids)
        of = {row["id"]: _mandate(context.settings.assets, row) for row in rows}
        periods = {_period(one): context.now - timedelta(days=one.period_days) for one in of.values()}
        totals: dict[Counter, datetime | None] = {_total(one): None for one in of.values() if one.total is not None}
        return _Draws(context, of, await spending.spent(context.connection, {**periods, **totals}))


@dataclass(frozen=True, slots=True)
class Drawn:
    """The amounts drawn and not given back, in the period that ends now and in total."""

    period: Money
    total: Money


class _Draws(Decisions):
    def __init__(self, context: CheckContext, mandates: Mapping[UUID, Mandate], drawn: Mapping[Counter, Spent]) -> None:
        self._now = context.now
        self._mandates = mandates
        self._drawn = drawn

    def decide(self, one: Proposed) -> Passed | GatewayError:
        if (id := _id(one)) is None:
            return PASSED
        of = self._mandates[id]
        nothing, asset = Spent(), of.period.asset
        units = [self._drawn.get(counter, nothing).units for counter in (_period(of), _total(of))]
        return refusal(of, Drawn(*(Money(one, asset) for one in units)), one.payment, self._now) or PASSED

    def add(self, one: Proposed) -> None:
        for counter in self.counts(one):
            self._drawn[counter].add(one.payment.amount.units, one.payment.created_at)

    def counts(self, one: Proposed) -> Sequence[Counter]:
        if (id := _id(one)) is None:
            return ()
        of = self._mandates[id]
        return [_period(of)] if of.total is None else [_period(of), _total(of)]


def _period(of: Mandate) -> Counter:
    return Counter("mandate", of.id, of.period.asset.code)


def _total(of: Mandate) -> Counter:
    return Counter("mandate_total", of.id, of.period.asset.code)


def refusal(of: Mandate, drawn: Drawn, asked: Payment, now: datetime) -> GatewayError | None:
    """Why the mandate refuses this draw. Pure."""
    if of.ended_at is not None:
        return MandateEnded(of.shown_id, "revoked", DRAW)
    if of.expires_at is not None and of.expires_at <= now:
        return MandateEnded(of.shown_id, "expired", DRAW)
    if of.rail not in (None, asked.route.rail):
        return MandateExceeded(asked.amount, Money(0, asked.amount.asset))
    money, nothing = asked.amount, Money(0, asked.amount.asset)
    left = max(nothing, of.period - drawn.period)
    if of.draw is not None and money > of.draw:
        return MandateDrawExceeded(money, min(of.draw, left), of.draw)
    if of.total is not None and money > (total := max(nothing, of.total - drawn.total)):
        return MandateTotalExceeded(money, min(total, left), total)
    if money > of.period:
        return MandatePeriodTooSmall(money, left, of.period, of.period_days)
    return MandatePeriodExceeded(money, left, of.period, of.period_days) if money > left else None


def _id(one: Proposed) -> UUID | None:
    """The mandate that the payment is drawn by."""
    return one.by.id if one.by is not None and one.by.kind == "mandate" else None


def _ids(asked: Sequence[Proposed]) -> list[UUID]:
    return list({id for one in asked if (id := _id(one)) is not None})


def details(new: NewMandate) -> list[str]:
    """The details of a mandate that a passkey signs: all of them, in a fixed order."""
    sums = [one.amount if one is not None else "" for one in (new.draw, new.period, new.total)]
    until = new.expires_at.isoformat() if new.expires_at else ""
    payee = [f"@{new.payee.handle}", show("wal", new.payee.id)]
    return [*payee, new.period.asset.code, new.rail or "", *sums, str(new.period_days), until]


async def grant(
    connection: Connection, owner: Wallet, new: NewMandate, assertion: Assertion | None, by: By, now: datetime
) -> Mandate:
    """Grant a mandate. Its payee may draw from now on.

    Raises ApprovalRequired if the wallet is guarded and no passkey signed exactly these details, InvalidPasskey,
    ClonedPasskey, InvalidRequest.
    """
    if new.payee.id == owner.id:
        raise InvalidRequest("payee", "a mandate is for somebody else")
    if new.expires_at is not None and new.expires_at <= now:
        raise InvalidRequest("expires_at", "a mandate expires in the future")
    if new.draw is not None and new.draw > new.period:
        raise InvalidRequest(
            "draw",
            f"draw is {new.draw}, more than the {new.period} of a whole period: make one of them fit the other",
        )
    if assertion is not None:
        used = await passkey.verify(connection, owner.id, PURPOSE, details(new), assertion, now)
        by = By("passkey", used.shown_id)
    elif owner.guarded:
        raise ApprovalRequired(("mandate",))
    fresh = Mandate(
        id=new_id(now),
        payer=owner.id,
        payer_handle=owner.handle,
        payee=new.payee.id,
        payee_handle=new.payee.handle,
        rail=new.rail,
        draw=new.draw,
        period_days=new.period_days,
        period=new.period,
        total=new.total,
        created_at=now,
        expires_at=new.expires_at,
        ended_at=None,
        approved=assertion is not None,
        payer_guarded=owner.guarded,
    )
    draw, total = (None if one is None else one.units for one in (new.draw, new.total))
    await connection.execute(
        sql.grant,
        *(fresh.id, owner.id, new.payee.id, new.period.asset.code, new.rail, draw, new.period_days),
        *(new.period.units, total, now, new.expires_at, fresh.approved),
    )
    await _tell(connection, "mandate.granted", fresh, by, now)
    return fresh


def approval_details(of: Mandate) -> list[str]:
    """The details of an existing mandate that a passkey signs: its id and all fields, as the API shows them."""
    sums = [one.amount if one is not None else "" for one in (of.draw, of.period, of.total)]
    until = rfc3339(of.expires_at) if of.expires_at else ""
    payee = [f"@{of.payee_handle}", show("wal", of.payee)]
    return [of.shown_id, *payee, of.period.asset.code, of.rail or "", *sums, str(of.period_days), until]


async def waiting(connection: Connection, assets: Assets, id: UUID, owner: WalletId) -> Mandate:
    """The owner's mandate that waits for an approval, its row locked. Raises NotFound, and StateConflict where it does
    not wait.
    """
    found = await one(connection, assets, id, owner, for_update=True)
    if found.payer != owner:
        raise NotFound(f"mandate {show(PREFIX, id)}")
    if not found.waits:
        raise StateConflict(found.shown_id, "revoked" if found.ended_at else "good", "approval")
    return found


async def approve(
    connection: Connection, assets: Assets, id: UUID, owner: WalletId, assertion: Assertion, now: datetime
) -> Mandate:
    """Approve the mandate: its payee may draw again. Raises what `waiting` raises, InvalidPasskey and ClonedPasskey."""
    found = await waiting(connection, assets, id, owner)
    used = await passkey.verify(connection, owner, APPROVAL, approval_details(found), assertion, now)
    await connection.execute(sql.approve_mandate, id)
    await _tell(connection, "mandate.approved", found, By("passkey", used.shown_id), now)
    return replace(found, approved=True)


async def end(connection: Connection, assets: Assets, caller: WalletId, id: UUID, by: By, now: datetime) -> Mandate:
    """Revoke the mandate; idempotent. Raises NotFound."""
    found = await one(connection, assets, id, caller, for_update=True)
    if found.ended_at is not None:
        return found
    await connection.execute(sql.end_mandate, id, now)
    await _tell(connection, "mandate.revoked", found, by, now)
    return replace(found, ended_at=now)


async def one(connection: Connection, assets: Assets, id: UUID, party: WalletId, for_update: bool = False) -> Mandate:
    """The mandate, for its payer or its payee; `for_update`: its row is locked until the transaction ends. Raises
    NotFound for anybody else.
    """
    if for_update:
        await connection.execute(sql.lock_mandates, [id])
    row = await connection.fetchrow(sql.mandate, id, party)
    if row is None:
        raise NotFound(f"mandate {show(PREFIX, id)}")
    return _mandate(assets, row)


async def by_ids(connection: Connection, assets: Assets, ids: Iterable[UUID]) -> dict[UUID, Mandate]:
    """The mandates with these ids as they are now; unknown ids are absent."""
    return {row["id"]: _mandate(assets, row) for row in await connection.fetch(sql.by_ids, list(ids))}


def at_event(mandate: Mandate, kind: str, at: datetime) -> Mandate:
    """The mandate as it was at its event of this kind, reconstructed from what it is now. Pure.

    A new mandate never waits for an approval: the owner of a guarded wallet grants it with the passkey.
    """
    return replace(mandate, ended_at=at if kind == "mandate.revoked" else None, payer_guarded=False)


async def mandates(connection: Connection, assets: Assets, party: WalletId) -> list[Mandate]:
    """The newest two hundred mandates that the wallet has granted or that were granted to it."""
    return [_mandate(assets, row) for row in await connection.fetch(sql.mandates, party)]


async def _tell(connection: Connection, kind: str, of: Mandate, by: By, now: datetime) -> None:
    details = {"mandate": of.shown_id, "from": f"@{of.payer_handle}", "to": f"@{of.payee_handle}"}
    await log.append(connection, [log.Event(kind, of.payer, of.id, details, other=of.payee)], now)
    await audit.append(connection, [AuditEvent(kind, of.payer, by, of.id, details)], now)


def _mandate(assets: Assets, row: Record) -> Mandate:
    asset = assets[row["asset"]]
    draw, total = (None if row[one] is None else Money(row[one], asset) for one in ("draw", "total"))
    return Mandate(
        *(row["id"], WalletId(row["payer"]), row["payer_handle"], WalletId(row["payee"]), row["payee_handle"]),
        *(row["rail"], draw, row["period_days"], Money(row["period"], asset), total),
        *(row["created_at"], row["expires_at"], row["ended_at"], row["approved"], row["payer_guarded"]),
    )
