"""The checks that a payment has to pass before its money moves: one ordered list.

Invariants:
  - every payment that is accepted has passed every check, in this order; the first refusal is the answer;
  - the payments of a group are decided one after the other, and each reduces the limits that the next is decided by;
  - locks are taken in one order and before anything is read, so two groups cannot deadlock and what was read cannot
    change. One statement takes the locks of all kinds that it knows.

Lock order: API keys by origin (spending caps), the payers' wallets and policies in id order (policy), mandates and
requests in id order (`lock_limits` in schema/11_check_payments.sql). Then come payments, accounts, and what is counted:
the buckets of spending.py, in the order of their keys. Captures, voids, refunds, refusals and expiry lock what it
counts against in the same way (`lock`) before they lock the payment. Settlement by the chain is the exception: it locks
authorizations first, and gives back as if it came after every payment that is being decided.

A preview runs the same checks, and locks and writes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from gateway.errors import GatewayError
from gateway.ids import PaymentId
from gateway.payments.checks import spending, wallet_freeze
from gateway.payments.checks.caps import SpendingCaps
from gateway.payments.checks.check import PASSED, Check, CheckContext, Decisions, Lockable, Locks
from gateway.payments.checks.grant_approval import GrantApproval
from gateway.payments.checks.mandate import MandateLimits
from gateway.payments.checks.open_request import OpenRequest
from gateway.payments.checks.policy import WalletPolicy
from gateway.payments.checks.wallet_freeze import WalletFreeze
from gateway.payments.checks.withdrawal_freeze import WithdrawalFreeze
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.proposed import Counter, Proposed
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection

#: Every rule that can refuse a payment or require an approval, in the order in which they decide.
#: `LOCKED` (check.py) is the order of their locks.
CHECKS: Final[Sequence[Check]] = (
    OpenRequest(),
    SpendingCaps(),
    WithdrawalFreeze(),
    WalletFreeze(),
    WalletPolicy(),
    MandateLimits(),
    GrantApproval(),  # so that a revoked mandate is refused as revoked, not as waiting for an approval
)


@dataclass(frozen=True, slots=True)
class Checked:
    """The decisions about a group, per payment and in order: the payment as it continues (at once, waiting for an
    approval, or held for the undo window), or why it is refused.
    """

    results: list[Payment | GatewayError]
    _decisions: Sequence[Decisions]

    def passed(self, asked: Sequence[Proposed]) -> list[Proposed]:
        """The payments of the group that passed, each with the limits that it counts against."""
        both = zip(asked, self.results, strict=True)
        going = [one.having(result) for one, result in both if isinstance(result, Payment)]
        return [replace(one, counters=self._counters(one)) for one in going]

    def _counters(self, one: Proposed) -> tuple[Counter, ...]:
        return tuple(counter for each in self._decisions for counter in each.counts(one))

    async def write(self, paid: Sequence[Proposed]) -> None:
        """Store the state that later checks need about these payments, whose money has moved or is held."""
        if paid:
            for each in self._decisions:
                await each.write(paid)


async def check_all(
    connection: Connection, settings: PaymentSettings, asked: Sequence[Proposed], now: datetime
) -> Checked:
    """Decide these payments, in order. The rows that the rules read stay locked until the transaction ends."""
    if not asked:
        return Checked([], [])
    locks = await _lock_others(connection, asked)
    decisions = await _load(connection, settings, asked, now, locks)
    return Checked([_next(decisions, settings, one, now) for one in asked], decisions)


async def lock(
    connection: Connection,
    settings: PaymentSettings,
    asked: Sequence[Proposed] = (),
    giving_back: Iterable[PaymentId] = (),
) -> None:
    """Lock the rows that decide these payments, and the limits that the payments may give back to. The caller locks
    payments next. So a decision sees everything given back before it, and no limit changes between a decision and its
    payment.
    """
    limits = await spending.limits_of(connection, list(giving_back))
    locks = _union([await _lock_others(connection, asked), limits])
    if locks:
        await wallet_freeze.payers(connection, settings.assets, (), locks)


async def preview(
    connection: Connection, settings: PaymentSettings, one: Proposed, now: datetime
) -> Payment | GatewayError:
    """What `check_all` would decide about this payment now."""
    return _decide(await _load(connection, settings, [one], now), settings, one, now)


async def _lock_others(connection: Connection, asked: Sequence[Proposed]) -> Locks:
    """Take the locks that single checks take by their own statements; return the rows that one statement locks for all
    checks.
    """
    for check in CHECKS:
        await check.lock(connection, asked)
    return _union([check.locks(asked) for check in CHECKS])


def _union(many: Sequence[Locks]) -> Locks:
    ids: dict[Lockable, set[UUID]] = {}
    for one in many:
        for kind, own in one.items():
            if own:
                ids.setdefault(kind, set()).update(own)
    return {kind: list(own) for kind, own in ids.items()}


async def _load(
    connection: Connection,
    settings: PaymentSettings,
    asked: Sequence[Proposed],
    now: datetime,
    locks: Locks | None = None,
) -> list[Decisions]:
    payers = await wallet_freeze.payers(connection, settings.assets, {one.payment.payer for one in asked}, locks)
    context = CheckContext(connection, settings, payers, now)
    return [one for check in CHECKS if (one := await check.load(context, asked)) is not None]


def _next(
    decisions: Sequence[Decisions], settings: PaymentSettings, one: Proposed, now: datetime
) -> Payment | GatewayError:
    result = _decide(decisions, settings, one, now)
    if isinstance(result, Payment):
        passed = one.having(result)
        for each in decisions:
            each.add(passed)
    return result


def _decide(
    decisions: Sequence[Decisions], settings: PaymentSettings, one: Proposed, now: datetime
) -> Payment | GatewayError:
    reasons: list[str] = []
    undo_seconds = 0
    for each in decisions:
        answer = each.decide(one)
        if isinstance(answer, GatewayError):
            return answer
        if answer is not PASSED:
            reasons += answer.reasons
            undo_seconds = max(undo_seconds, answer.undo_seconds)
    if one.payment.state is State.REQUIRES_CONFIRMATION:
        return one.payment  # it waits for the signature by its payer's own key, which approves payee and amount
    if reasons:
        return _waiting(settings, one.payment, tuple(reasons), now)
    return undoable(settings, one.payment, undo_seconds, now)


def _waiting(settings: PaymentSettings, payment: Payment, reasons: tuple[str, ...], now: datetime) -> Payment:
    until = now + timedelta(seconds=settings.approval_seconds)
    return replace(payment, state=State.REQUIRES_CONFIRMATION, approval=reasons, expires_at=until)


def undoable(settings: PaymentSettings, payment: Payment, seconds: int, now: datetime) -> Payment:
    """The payment; held for the undo window if it could not be stopped otherwise."""
    if not seconds or not payment.capture or settings.rail(payment.route.rail).final_at_once:
        return payment
    return replace(payment, undo_until=now + timedelta(seconds=seconds))
