"""Mandates: what an owner has granted somebody to draw, without being asked again each time.

A mandate is one payee's, in one asset: so much at once, so much in any period of days, so much in all, until a time.
Its payee draws, and each draw is a payment like any other from the wallet that granted it; the policy does not ask
about it, since its owner was asked when it was granted, with a passkey over all of it where the wallet is guarded. A
wallet that is frozen, or has not enough, pays no draw. A mandate from before the wallet's first passkey waits, from
then on, until the owner approves it with a passkey over all of it (gate.py).

The mandate's row is held while a draw is made, so fifty at once draw no more than one after the other. Who revokes it
waits for a draw that is being made, and no other follows.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from gateway.access import passkey
from gateway.access.ceremony import Assertion
from gateway.access.credential import Credential
from gateway.audit import log as audit
from gateway.audit.log import Act, By
from gateway.clock import rfc3339
from gateway.errors import (
    ApprovalRequired,
    InvalidRequest,
    MandateDrawExceeded,
    MandateExceeded,
    MandatePeriodExceeded,
    MandatePeriodTooSmall,
    MandateTotalExceeded,
    NotFound,
    StateConflict,
)
from gateway.events import log
from gateway.ids import WalletId, new_id, show
from gateway.money import Assets, Money
from gateway.payments import pay
from gateway.payments.payment import Payment
from gateway.payments.route import route
from gateway.payments.terms import Terms
from gateway.postgres import Connection, Record, Statements
from gateway.wallets import wallet
from gateway.wallets.wallet import Wallet

sql = Statements(__package__, "mandate.sql")

#: What the ids of mandates begin with, and what their challenges are for.
PREFIX, PURPOSE, APPROVAL = "mdt", "mandate.grant", "mandate.approve"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is granted to `payee`: the most at once, in any period of so many days, and in all; None: any."""

    payee: Wallet
    rail: Literal["ledger", "chain"] | None
    draw: Money | None
    period_days: int
    period: Money
    total: Money | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mandate:
    """A mandate that is there, by whom and for whom."""

    id: UUID
    payer: WalletId
    payer_handle: str
    payee: WalletId
    payee_handle: str
    rail: Literal["ledger", "chain"] | None
    draw: Money | None
    period_days: int
    period: Money
    total: Money | None
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    approved: bool  #: A passkey of the payer's stands behind it.
    payer_guarded: bool

    @property
    def waits(self) -> bool:
        """Whether nothing is drawn until its payer has approved it."""
        return self.payer_guarded and not self.approved and self.ended_at is None

    @property
    def shown_id(self) -> str:
        """`mdt_…`."""
        return show(PREFIX, self.id)


def details(asked: Wanted) -> list[str]:
    """What a passkey signs of a mandate: all of it, in one order."""
    sums = [one.amount if one is not None else "" for one in (asked.draw, asked.period, asked.total)]
    until = asked.expires_at.isoformat() if asked.expires_at else ""
    payee = [f"@{asked.payee.handle}", show("wal", asked.payee.id)]
    return [*payee, asked.period.asset.code, asked.rail or "", *sums, str(asked.period_days), until]


async def grant(
    connection: Connection, owner: Wallet, asked: Wanted, assertion: Assertion | None, by: By, now: datetime
) -> Mandate:
    """From now on its payee may draw.

    Raises ApprovalRequired where the wallet is guarded and no passkey has signed just this, InvalidPasskey,
    ClonedPasskey, InvalidRequest.
    """
    if asked.payee.id == owner.id:
        raise InvalidRequest("payee", "a mandate is for somebody else")
    if asked.expires_at is not None and asked.expires_at <= now:
        raise InvalidRequest("expires_at", "a mandate expires in the future")
    if assertion is not None:
        used = await passkey.verify(connection, owner.id, PURPOSE, details(asked), assertion, now)
        by = By("passkey", used.shown_id)
    elif owner.guarded:
        raise ApprovalRequired(("mandate",))
    fresh = Mandate(
        id=new_id(now),
        payer=owner.id,
        payer_handle=owner.handle,
        payee=asked.payee.id,
        payee_handle=asked.payee.handle,
        rail=asked.rail,
        draw=asked.draw,
        period_days=asked.period_days,
        period=asked.period,
        total=asked.total,
        created_at=now,
        expires_at=asked.expires_at,
        ended_at=None,
        approved=assertion is not None,
        payer_guarded=owner.guarded,
    )
    draw, total = (None if one is None else one.units for one in (asked.draw, asked.total))
    await connection.execute(
        sql.grant,
        *(fresh.id, owner.id, asked.payee.id, asked.period.asset.code, asked.rail, draw, asked.period_days),
        *(asked.period.units, total, now, asked.expires_at, fresh.approved),
    )
    await _tell(connection, "mandate.granted", fresh, by, now)
    return fresh


async def draw(
    connection: Connection, terms: Terms, holder: Wallet, id: UUID, money: str, memo: str | None, now: datetime
) -> Payment:
    """Pay the holder so much of the mandate's asset, from the wallet that granted it.

    Raises NotFound (it is none, or not the holder's to draw), StateConflict (revoked, or over), MandateExceeded,
    InvalidAmount, AmountTooPrecise, and what `pay` raises, such as GrantNotApproved.
    """
    found = await one(connection, terms.assets, id, holder.id)
    if found.payee != holder.id:
        raise NotFound(f"mandate {show(PREFIX, id)}")
    if found.ended_at is not None:
        raise StateConflict(found.shown_id, "revoked", "draw")
    if found.expires_at is not None and found.expires_at <= now:
        raise StateConflict(found.shown_id, "expired", "draw")
    asked = found.period.asset.parse_positive(money)
    if found.rail not in (None, route(terms, asked, outside=None).rail):
        raise MandateExceeded(asked, Money(0, asked.asset))
    await _check(connection, found, asked, now)
    payer = await wallet.by_id(connection, found.payer)
    credential = Credential("mandate", found.id, payer, frozenset({"pay"}), approved=found.approved)
    request = pay.PayRequest(f"@{holder.handle}", asked, memo, by=credential)
    payment = await pay.pay(connection, terms, payer, request, now)
    await connection.execute(sql.drew, found.id, payment.id)
    return payment


def approval_details(of: Mandate) -> list[str]:
    """What a passkey signs of a mandate that is there: its id and all of it, as the API shows it."""
    sums = [one.amount if one is not None else "" for one in (of.draw, of.period, of.total)]
    until = rfc3339(of.expires_at) if of.expires_at else ""
    payee = [f"@{of.payee_handle}", show("wal", of.payee)]
    return [of.shown_id, *payee, of.period.asset.code, of.rail or "", *sums, str(of.period_days), until]


async def waiting(connection: Connection, assets: Assets, id: UUID, owner: WalletId) -> Mandate:
    """The owner's mandate that waits for an approval, held as in `one`. Raises NotFound, and StateConflict where it
    does not wait.
    """
    found = await one(connection, assets, id, owner)
    if found.payer != owner:
        raise NotFound(f"mandate {show(PREFIX, id)}")
    if not found.waits:
        raise StateConflict(found.shown_id, "revoked" if found.ended_at else "good", "approval")
    return found


async def approve(
    connection: Connection, assets: Assets, id: UUID, owner: WalletId, assertion: Assertion, now: datetime
) -> Mandate:
    """From now on its payee draws again. Raises what `waiting` raises, InvalidPasskey and ClonedPasskey."""
    found = await waiting(connection, assets, id, owner)
    used = await passkey.verify(connection, owner, APPROVAL, approval_details(found), assertion, now)
    await connection.execute(sql.approve_mandate, id)
    await _tell(connection, "mandate.approved", found, By("passkey", used.shown_id), now)
    return replace(found, approved=True)


async def end(connection: Connection, assets: Assets, caller: WalletId, id: UUID, by: By, now: datetime) -> Mandate:
    """Nothing is drawn by it from now on; said twice, it is done once. Raises NotFound."""
    found = await one(connection, assets, id, caller)
    if found.ended_at is not None:
        return found
    await connection.execute(sql.end_mandate, id, now)
    await _tell(connection, "mandate.revoked", found, by, now)
    return replace(found, ended_at=now)


async def one(connection: Connection, assets: Assets, id: UUID, party: WalletId) -> Mandate:
    """The mandate, for who granted it and who draws, held until the transaction ends. Raises NotFound."""
    row = await connection.fetchrow(sql.mandate, id, party)
    if row is None:
        raise NotFound(f"mandate {show(PREFIX, id)}")
    return _mandate(assets, row)


async def mandates(connection: Connection, assets: Assets, party: WalletId) -> list[Mandate]:
    """The latest two hundred that the wallet has granted or was granted, the newest first."""
    return [_mandate(assets, row) for row in await connection.fetch(sql.mandates, party)]


async def _check(connection: Connection, of: Mandate, asked: Money, now: datetime) -> None:
    since = now - timedelta(days=of.period_days)
    drawn = await connection.fetchrow(sql.drawn, of.id, since)
    assert drawn is not None
    left = Money(max(0, of.period.units - drawn["period"]), asked.asset)
    if of.draw is not None and asked > of.draw:
        raise MandateDrawExceeded(asked, min(of.draw, left))
    if of.total is not None and asked > (total := Money(max(0, of.total.units - drawn["total"]), asked.asset)):
        raise MandateTotalExceeded(asked, min(total, left))
    if asked > of.period:
        raise MandatePeriodTooSmall(asked, left, of.period, of.period_days)
    if asked > left:
        raise MandatePeriodExceeded(asked, left, of.period, of.period_days)


async def _tell(connection: Connection, kind: str, of: Mandate, by: By, now: datetime) -> None:
    facts = {"mandate": of.shown_id, "from": f"@{of.payer_handle}", "to": f"@{of.payee_handle}"}
    await log.append(connection, [log.Event(kind, of.payer, of.id, facts, other=of.payee)], now)
    await audit.append(connection, [Act(kind, of.payer, by, of.id, facts)], now)


def _mandate(assets: Assets, row: Record) -> Mandate:
    asset = assets[row["asset"]]
    draw, total = (None if row[one] is None else Money(row[one], asset) for one in ("draw", "total"))
    return Mandate(
        *(row["id"], WalletId(row["payer"]), row["payer_handle"], WalletId(row["payee"]), row["payee_handle"]),
        *(row["rail"], draw, row["period_days"], Money(row["period"], asset), total),
        *(row["created_at"], row["expires_at"], row["ended_at"], row["approved"], row["payer_guarded"]),
    )
