"""Withdrawal freezes: per asset, from a confirmed reconciliation difference until an operator unfreezes it.

A withdrawal takes money out of the gateway: of a token, a payment to an address outside the gateway, or a redemption;
of a currency, a payout by the bank. Everything else continues: the correct balance is not known yet, but money that
stays in the gateway can be corrected.

A withdrawal that was accepted but not sent is frozen too: its authorization goes into no batch, its money stays held,
and it does not expire. Once unfrozen it continues, or fails if its payer's own signature has expired by then. It is
kept rather than failed, since its owner was told that it was accepted. A withdrawal that is already in a chain
transaction cannot be recalled and continues, as may one that is accepted or sent at the moment of the freeze. If that
chain transaction fails, it is frozen as well.

Lock order: the lease of reconciliation runs (monitor.py), differences, freezes, then authorizations in id order.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from gateway.chain.token import authorization
from gateway.clock import rfc3339
from gateway.errors import GatewayError
from gateway.money import Asset
from gateway.payments.checks.check import PASSED, Check, CheckContext, Decisions, Passed
from gateway.payments.errors import InRecovery, WithdrawalsFrozen
from gateway.payments.model.proposed import Proposed
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "withdrawal_freeze.sql")


class WithdrawalFreeze(Check):
    """Refuses payments to an address outside the gateway while withdrawals of their asset are frozen."""

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions | None:
        leaving = {one.payment.amount.asset for one in asked if one.payment.payee is None}
        why = await refusals(context.connection, leaving)
        return _Stopped(why) if why else None


class _Stopped(Decisions):
    def __init__(self, why: Mapping[Asset, WithdrawalsFrozen | InRecovery]) -> None:
        self._why = why

    def decide(self, one: Proposed) -> Passed | GatewayError:
        stays = one.payment.payee is not None
        return PASSED if stays else self._why.get(one.payment.amount.asset) or PASSED


async def frozen(connection: Connection) -> dict[str, datetime]:
    """The assets whose withdrawals are stopped, by code, and since when."""
    return {row["asset"]: row["frozen_at"] for row in await connection.fetch(sql.frozen)}


async def refusals(connection: Connection, leaving: Collection[Asset]) -> dict[Asset, WithdrawalsFrozen | InRecovery]:
    """Why withdrawals of these assets are refused; assets that are not frozen are absent."""
    if not leaving:
        return {}
    since = {row["asset"]: row["since"] for row in await connection.fetch(sql.nothing_leaves)}
    if None in since:
        return {one: InRecovery() for one in leaving}
    return {one: WithdrawalsFrozen(one.code, rfc3339(since[one.code])) for one in leaving if one.code in since}


async def check(connection: Connection, leaving: Asset) -> None:
    """Raises WithdrawalsFrozen while withdrawals of the asset are stopped, and InRecovery while all are."""
    for refusal in (await refusals(connection, [leaving])).values():
        raise refusal


async def freeze(connection: Connection, assets: Collection[str], now: datetime) -> list[str]:
    """Stop the withdrawals of these assets, and freeze those that are on their way. Returns those that were not
    stopped before: of concurrent calls one returns each.
    """
    stopped = [row["asset"] for row in await connection.fetch(sql.freeze, list(assets), now)]
    leaving = [row["id"] for row in await connection.fetch(sql.open_withdrawals, stopped)] if stopped else []
    await authorization.freeze(connection, leaving)
    return stopped
