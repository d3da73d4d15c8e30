"""Which payments of a guarded wallet need its owner's approval, and why. `decide` is pure.

    amount         over the policy's limit for one payment
    day            over its limit for a day, together with what was paid without approval in the last 24 hours
    new_payee      never paid before
    address        to an address outside the gateway
    changed_payee  the payee's wallet changed its address lately, or its owner used a recovery code
    new_device     by a session whose passkey is new, or that was started without one
    before_passkey the money was held before the wallet had its first passkey (schema/10_controls.sql)

A trusted payee is neither new nor just an address. Limits still apply to it, and a payment to it needs an approval if
the payee has changed: trust belongs to a wallet's id, never to its handle. An unguarded wallet has no policy, and no
passkey to approve with.

Refunds need no approval: they go back to the payer, up to what was paid. Payments that the payer's own key signs need
none either: the signature already approves payee and amount.

The policy's row is locked while a payment is decided, so that concurrent payments cannot use the same part of a
day's limit. What is paid without approval is counted at once (spending.py).

Session payments are usually made in one statement, if no check applies
(`sessions_with_room` in schema/11_check_payments.sql). That statement only finds that no approval is needed. Otherwise
this module decides, and says why. tests/payments/test_session_payments.py checks that both give the same answers.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import GatewayError, InvalidRequest
from gateway.ids import PaymentId, WalletId, first_id, show
from gateway.money import Asset, Assets, Money
from gateway.payments.checks import spending
from gateway.payments.checks.check import LOCKED, PASSED, Check, CheckContext, Decisions, Locks, Passed
from gateway.payments.checks.spending import Counted
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.policy import Limit, Policy, Reason
from gateway.payments.model.proposed import Counter, Proposed
from gateway.postgres.pool import Connection, Record, Statements, if_any

sql = Statements(__package__, "policy.sql")

#: The window of the day limit.
DAY: Final = timedelta(hours=24)

#: How long after its first passkey a wallet's spending of the day is summed over its history, since earlier payments
#: were not counted: a day, and an hour for payments in progress at that moment.
FIRST_DAY: Final = DAY + timedelta(hours=1)

#: The range of the undo window, in seconds, where there is one.
UNDO_SECONDS: Final = range(10, 61)

_CHANGED_DAYS_MAX, _DEVICE_HOURS_MAX, _TRUSTED_MAX = 365, 720, 100


class Inputs(Struct, frozen=True):
    """The input of `decide` for one payment. `spent` was paid without approval in the last 24 hours; `payee` is a
    wallet, or an address or a wallet's id as in `trusted`.
    """

    money: Money
    payee: WalletId | str
    is_address: bool
    known: bool
    changed_at: datetime | None
    device_since: datetime | None
    spent: Money
    now: datetime

    def trusted_by(self, policy: Policy) -> bool:
        """Whether the payee is one of the policy's trusted."""
        if not policy.trusted:
            return False
        return (self.payee if isinstance(self.payee, str) else show("wal", self.payee)) in policy.trusted


def decide(policy: Policy, inputs: Inputs) -> tuple[Reason, ...]:
    """Why the payment needs an approval; empty if it needs none."""
    limit, trusted = policy.limit(inputs.money.asset), inputs.trusted_by(policy)
    changed_since = inputs.now - timedelta(days=policy.changed_payee_days)
    device_since = inputs.now - timedelta(hours=policy.new_device_hours)
    why: dict[Reason, bool] = {
        "amount": inputs.money > limit.payment,
        "day": inputs.spent + inputs.money > limit.day,
        "new_payee": policy.approve_new_payee and not (inputs.known or trusted),
        "address": policy.approve_address and inputs.is_address and not trusted,
        "changed_payee": inputs.changed_at is not None and inputs.changed_at > changed_since,
        "new_device": inputs.device_since is not None and inputs.device_since > device_since,
    }
    return tuple(reason for reason, holds in why.items() if holds)


def undo_seconds(policy: Policy, inputs: Inputs) -> int:
    """How long the payment can be stopped before it is sent to the chain."""
    return 0 if not policy.undo_seconds or inputs.trusted_by(policy) else policy.undo_seconds


def loosens(before: Policy, after: Policy, assets: Assets) -> bool:
    """Whether the change lets a payment pass without an approval that it needed before, or shortens the undo window."""
    more = any(
        after.limit(asset).payment > before.limit(asset).payment or after.limit(asset).day > before.limit(asset).day
        for asset in assets
    )
    return (
        more
        or (before.approve_new_payee and not after.approve_new_payee)
        or (before.approve_address and not after.approve_address)
        or after.changed_payee_days < before.changed_payee_days
        or after.new_device_hours < before.new_device_hours
        or after.undo_seconds < before.undo_seconds
        or not after.trusted <= before.trusted
    )


def check(policy: Policy) -> None:
    """Raises InvalidRequest for an invalid policy."""
    for code, limit in policy.limits.items():
        if limit.day < limit.payment:
            raise InvalidRequest("policy", f"the limit of a day in {code} is less than that of one payment")
    if not 0 <= policy.changed_payee_days <= _CHANGED_DAYS_MAX:
        raise InvalidRequest("policy", f"changed_payee_days is 0 to {_CHANGED_DAYS_MAX}")
    if not 0 <= policy.new_device_hours <= _DEVICE_HOURS_MAX:
        raise InvalidRequest("policy", f"new_device_hours is 0 to {_DEVICE_HOURS_MAX}")
    if policy.undo_seconds and policy.undo_seconds not in UNDO_SECONDS:
        raise InvalidRequest("policy", f"undo_seconds is 0, or {UNDO_SECONDS[0]} to {UNDO_SECONDS[-1]}")
    if len(policy.trusted) > _TRUSTED_MAX:
        raise InvalidRequest("policy", f"up to {_TRUSTED_MAX} payees are trusted")


# ---- the check ------------------------------------------------------------------------------------------------------


#: A payer and a payee.
_Pair = tuple[WalletId, WalletId | str | None]


class WalletPolicy(Check):
    """Requires an approval for payments that a guarded wallet's policy does not cover, and gives the others their undo
    window.

    Policies are locked in the order of their wallets. For payments that are only held the wallets are locked as well:
    so either the first passkey sees the hold, or the hold sees the passkey.
    """

    def locks(self, asked: Sequence[Proposed]) -> Locks:
        holding = {one.payment.payer for one in asked if not one.payment.capture}
        return {"wallets": list(holding), "policies": list({one.payment.payer for one in asked})}

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions | None:
        if not any(payer.guarded for payer in context.payers.values()):
            return None
        judged = [one for one in asked if context.payers[one.payment.payer].guarded and not _is_exempt(one)]
        payments = [one.payment for one in judged]
        sessions = [one.by.id if one.by and one.by.kind == "session" else None for one in judged]
        found = await inputs(context.connection, payments, sessions, context.now)
        known = {_pair(one) for one, one_input in zip(payments, found, strict=True) if one_input.known}
        return _Judged(context, {one.id: one_input for one, one_input in zip(payments, found, strict=True)}, known)


class _Judged(Decisions):
    """`known` are the pairs of payer and payee that have paid before. `spent` is how much of their payers' day limits
    the payments of the group have used so far.
    """

    def __init__(self, context: CheckContext, inputs: Mapping[PaymentId, Inputs], known: Set[_Pair]) -> None:
        self._connection = context.connection
        self._now = context.now
        self._payers = context.payers
        self._inputs = inputs
        self._known = known
        self._spent: dict[Counter, Money] = {}

    def decide(self, one: Proposed) -> Passed | GatewayError:
        payment = one.payment
        if (one_input := self._inputs.get(payment.id)) is None:
            return PASSED
        policy = self._payers[payment.payer].policy
        assert policy is not None, "only payments of guarded wallets are decided here"
        before = self._spent.get(day_of(payment.payer, payment.amount.asset))
        now = one_input if before is None else replace(one_input, spent=one_input.spent + before)
        return Passed(decide(policy, now), undo_seconds(policy, now))

    def add(self, one: Proposed) -> None:
        for day in self.counts(one):
            self._spent[day] = self._spent.get(day, Money(0, one.payment.amount.asset)) + one.payment.amount

    def counts(self, one: Proposed) -> Sequence[Counter]:
        payment = one.payment
        if not self._payers[payment.payer].guarded or payment.approval is not None or payment.refund_of is not None:
            return ()
        return [day_of(payment.payer, payment.amount.asset)]

    async def write(self, paid: Sequence[Proposed]) -> None:
        judged = (one for one in paid if self._payers[one.payment.payer].guarded and not _is_exempt(one))
        going = [one.payment for one in judged if one.payment.approval is None]
        await known(self._connection, [one for one in going if _pair(one) not in self._known], self._now)


def _pair(payment: Payment) -> _Pair:
    return payment.payer, payment.payee or payment.payee_address


def _is_exempt(one: Proposed) -> bool:
    """Whether the payment never needs an approval: a refund, one signed by the payer's own key, or one by a grant."""
    granted = one.by is not None and one.by.is_grant
    return granted or one.payment.refund_of is not None or one.payment.state is State.REQUIRES_CONFIRMATION


# ---- rows -----------------------------------------------------------------------------------------------------------


async def policies(
    connection: Connection, assets: Assets, wallets: Sequence[WalletId], lock: bool = False
) -> dict[WalletId, Policy]:
    """The policies of those of these wallets that are guarded; with `lock`, locked in id order."""
    asked = list(set(wallets))
    locks = [asked if kind == "policies" else None for kind in LOCKED]
    rows = await (connection.fetch(sql.locked_payers, asked, *locks) if lock else connection.fetch(sql.payers, asked))
    return {WalletId(row["id"]): policy for row in rows if (policy := of_row(assets, row)) is not None}


def of_row(assets: Assets, row: Record) -> Policy | None:
    """The policy of a payer's row; None where the wallet is not guarded."""
    if not row["guarded"]:
        return None
    codes, payments, days = (row[one] or () for one in ("limit_assets", "limit_payments", "limit_days"))
    payees, addresses = (row[one] or () for one in ("trusted_payees", "trusted_addresses"))
    return Policy(
        {
            code: Limit(Money(payment, assets[code]), Money(day, assets[code]))
            for code, payment, day in zip(codes, payments, days, strict=True)
        },
        row["approve_new_payee"],
        row["approve_address"],
        row["changed_payee_days"],
        row["new_device_hours"],
        row["undo_seconds"],
        frozenset(show("wal", payee) if payee else address for payee, address in zip(payees, addresses, strict=True)),
    )


async def write(
    connection: Connection, wallet: WalletId, policy: Policy, trusted: Sequence[tuple[WalletId | None, str | None]]
) -> None:
    """Set the wallet's policy, whose row is locked. `trusted` are wallets, or else addresses."""
    await connection.execute(
        sql.change_policy,
        *(wallet, policy.approve_new_payee, policy.approve_address, policy.changed_payee_days, policy.new_device_hours),
        policy.undo_seconds,
    )
    codes, limits = list(policy.limits), policy.limits.values()
    await connection.execute(sql.forget_limits, wallet)
    await connection.execute(
        sql.set_limits, wallet, codes, [one.payment.units for one in limits], [one.day.units for one in limits]
    )
    await connection.execute(sql.forget_trusted, wallet)
    await connection.execute(sql.trust, wallet, [payee for payee, _ in trusted], [address for _, address in trusted])


async def inputs(
    connection: Connection, payments: Sequence[Payment], sessions: Sequence[UUID | None], now: datetime
) -> list[Inputs]:
    """The input of `decide` for each of these payments of guarded wallets, in order. A caller that decides by it has
    locked the policies.
    """
    if not payments:
        return []
    asked = [(one.payer, one.payee, one.payee_address, one.amount) for one in payments]
    return [
        Inputs(
            money=payment.amount,
            payee=payment.payee or str(payment.payee_address),
            is_address=payment.payee is None,
            known=row["known"],
            changed_at=row["changed_at"],
            device_since=row["device_since"],
            spent=Money(row["spent"], payment.amount.asset),
            now=now,
        )
        for payment, row in zip(payments, await _inputs(connection, asked, sessions, now), strict=True)
    ]


async def withdrawal(
    connection: Connection, owner: WalletId, policy: Policy, money: Money, session: UUID | None, now: datetime
) -> tuple[Reason, ...]:
    """Why a withdrawal to the owner's bank needs an approval; decided like a payment to a known payee."""
    (row,) = await _inputs(connection, [(owner, None, None, money)], [session], now)
    spent = Money(row["spent"], money.asset)
    return decide(policy, Inputs(money, "", False, True, None, row["device_since"], spent, now))


async def count_withdrawal(connection: Connection, owner: WalletId, id: UUID, money: Money, now: datetime) -> None:
    """Count a withdrawal of a guarded wallet in its policy's day, whether approved or not. The policy is locked."""
    await spending.count(connection, [Counted(day_of(owner, money.asset), id, money.units)], now)


def day_of(owner: WalletId, asset: Asset) -> Counter:
    """The counter of what a guarded wallet pays without approval."""
    return Counter("policy", owner, asset.code)


async def _inputs(
    connection: Connection,
    asked: Sequence[tuple[WalletId, WalletId | None, str | None, Money]],
    sessions: Sequence[UUID | None],
    now: datetime,
) -> list[Record]:
    """The row of each of these (payer, payee, address, amount), in order."""
    payers, payees, addresses, moneys = zip(*asked, strict=True)
    since = now - DAY
    return await connection.fetch(
        sql.inputs,
        *(payers, payees, if_any(addresses), [one.asset.code for one in moneys], if_any(sessions)),
        *(first_id(since), now - FIRST_DAY, since, spending.bucket_of(since)),
    )


async def known(connection: Connection, payments: Sequence[Payment], now: datetime) -> None:
    """Mark the payees of these accepted payments as known to their payers."""
    if payments:
        await connection.execute(
            sql.know,
            now,
            [one.payer for one in payments],
            [one.payee for one in payments],
            if_any([one.payee_address for one in payments]),
        )
