"""Shared by the rails: the accounts of a payment, the hold on them, and payments of plain API keys that are held."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.errors import GatewayError
from gateway.identity import wallet
from gateway.ids import AccountId, PaymentId
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, State, Transfer
from gateway.money import Asset, Money
from gateway.payments.model.payment import Payment
from gateway.payments.model.plain import NotDone, PlainPayment, columns_of, not_done, payload_of
from gateway.payments.model.proposed import Proposed
from gateway.payments.payees.resolver import Payee
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Database

#: Why tokens are not held for a payer who keeps the key.
NO_HOLD = "tokens cannot be set aside at an address that only its owner signs for; pay them at once, and sign"


async def accounts(connection: Connection, asked: Sequence[Proposed]) -> dict[str, AccountId]:
    """The ids of the accounts of these payments, by code. Opens those that are missing."""
    return await ledger.accounts(connection, [one for each in asked for one in _accounts(each.payment, each.payee)])


async def hold(
    connection: Connection, asked: Sequence[Proposed], ids: Mapping[str, AccountId], now: datetime
) -> list[State | GatewayError]:
    """Hold the money of payments, in order and independently."""
    return await ledger.write(connection, [_hold(one.payment, one.payee, ids) for one in asked], now)


async def hold_of(connection: Connection, payment: Payment, payee: Payee) -> Transfer:
    """The hold of a payment as it is now."""
    return _hold(payment, payee, await ledger.accounts(connection, _accounts(payment, payee)))


async def payee_of(connection: Connection, payment: Payment) -> Payee:
    """The payee of a payment that was accepted."""
    if payment.payee_handle is None:
        return Payee(None, str(payment.payee_address))
    found = await wallet.by_handle(connection, payment.payee_handle)
    return Payee(found, found.address)


def _accounts(payment: Payment, payee: Payee) -> list[tuple[str, Asset]]:
    """The payer's, the payee's and, where there is a fee, the gateway's."""
    asset = payment.amount.asset
    codes = [account.wallet(payment.payer_handle, asset), payee.account_code(asset)]
    if payment.fee.units:
        codes.append(account.system_account("fees", asset))
    return [(code, asset) for code in codes]


def _hold(payment: Payment, payee: Payee, ids: Mapping[str, AccountId]) -> Transfer:
    """The amount for the payee and, where there is one, the fee for the gateway."""
    sender, *receivers = (ids[code] for code, _ in _accounts(payment, payee))
    units = (payment.amount.units, payment.fee.units)
    legs = tuple(Leg(sender, receiver, part) for receiver, part in zip(receivers, units, strict=False))
    purpose = "payment" if payment.refund_of is None else "refund"
    return Transfer(payment.transfer_id, purpose, payment.id, legs, hold=True)


# ---- payments of plain API keys --------------------------------------------------------------------------------------


class HeldFirst(PlainPayment, frozen=True):
    """A payment to a handle, without a fee, with a fresh id: that of everything that is written for it."""

    payment_id: PaymentId


async def hold_all(
    database: Database,
    rail: str,
    asked: Sequence[HeldFirst],
    now: datetime,
    *,
    expires_at: datetime | None = None,
    valid_before: int | None = None,
    routes: Sequence[str | None] | None = None,
) -> list[str | NotDone]:
    """Hold the money of the payments, and queue what goes by the chain; independently, by one call of `hold_payments`
    (schema/08_hold_payments.sql), in a PostgreSQL transaction that is committed when this returns. Returns the handle
    of each payer, or why the payment was not accepted.

    Raises DatabaseUnavailable: the outcome is unknown then; retry each payment with its idempotency key.
    """
    async with database.one_statement() as connection:
        row = await connection.fetchrow(
            records.sql.hold_payments,
            *(now, rail, expires_at, valid_before),
            *columns_of(asked),
            [one.payment_id for one in asked],
            routes,
            [payload_of(one, expires_at) for one in asked],
        )
    assert row is not None
    return [
        handle if outcome == "done" else not_done(one.money, outcome, handle, Money(0, one.money.asset), available)
        for one, outcome, handle, available in zip(
            asked, row["outcome"], row["payer_handle"], row["available"], strict=True
        )
    ]
