"""Shared by the rails: a payment's accounts, its hold, and payments whose money is held first.

On each rail, payments whose money is held first are one call of `hold_payments` (schema/08_hold_payments.sql): `accept`
takes payments that have passed the checks; `hold_all` takes those of API keys and sessions, for which it also finds the
payer, claims the idempotency keys and checks the limits.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from gateway.errors import GatewayError
from gateway.identity import wallet
from gateway.ids import AccountId, PaymentId, WalletId
from gateway.ledger import account, ledger
from gateway.ledger.errors import InsufficientFunds
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Asset, Money
from gateway.payments.model import payment_events
from gateway.payments.model.payment import Payment
from gateway.payments.model.plain import NotDone, PlainPayment, columns_of, not_done, payload_of
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.route import stored
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.payees.resolver import Payee
from gateway.payments.rails import limits
from gateway.payments.rails.limits import Sessions
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Record, if_any

#: Why tokens are not held for a payer who keeps the key.
NO_HOLD = "tokens cannot be set aside at an address that only its owner signs for; pay them at once, and sign"


async def accounts(connection: Connection, asked: Sequence[Proposed]) -> dict[str, AccountId]:
    """The ids of the accounts of these payments, by code. Opens those that are missing."""
    return await ledger.accounts(connection, [one for each in asked for one in _accounts(each.payment, each.payee)])


async def hold_of(connection: Connection, payment: Payment, payee: Payee) -> Transfer:
    """The hold of a payment as it is now: the amount for the payee and, where there is one, the fee for the gateway."""
    codes = _accounts(payment, payee)
    ids = await ledger.accounts(connection, codes)
    sender, *receivers = (ids[code] for code, _ in codes)
    units = (payment.amount.units, payment.fee.units)
    legs = tuple(Leg(sender, receiver, part) for receiver, part in zip(receivers, units, strict=False))
    purpose = "payment" if payment.refund_of is None else "refund"
    return Transfer(payment.transfer_id, purpose, payment.id, legs, hold=True)


async def payee_of(connection: Connection, payment: Payment) -> Payee:
    """The payee of a payment that was accepted."""
    if payment.payee_handle is None:
        return Payee(None, str(payment.payee_address))
    found = await wallet.by_handle(connection, payment.payee_handle)
    return Payee(found, found.address)


def _accounts(payment: Payment, payee: Payee) -> list[tuple[str, Asset]]:
    """The codes of the payer's, the payee's and, if there is a fee, the gateway's account."""
    asset = payment.amount.asset
    codes = [account.wallet(payment.payer_handle, asset), payee.account_code(asset)]
    if payment.fee.units:
        codes.append(account.system_account("fees", asset))
    return [(code, asset) for code in codes]


class _Columns(NamedTuple):
    """The parameters of `hold_payments`: one element per payment in each column; None for a column without values."""

    api_key_hashes: Sequence[bytes | None] | None
    session_hashes: Sequence[bytes | None] | None
    payers: Sequence[WalletId] | None
    idempotency_keys: Sequence[str] | None
    fingerprints: Sequence[bytes] | None
    payee_handles: Sequence[str | None]
    assets: Sequence[str]
    amounts: Sequence[int]
    fees: Sequence[int | None] | None
    memos: Sequence[str | None] | None
    refunds_of: Sequence[PaymentId | None] | None
    ids: Sequence[PaymentId]
    states: Sequence[str]
    approvals: Sequence[str | None] | None
    expire_at: Sequence[datetime | None] | None
    undo_until: Sequence[datetime | None] | None
    captures: Sequence[bool]
    hidden: Sequence[bool | None] | None
    routes: Sequence[str | None] | None
    payloads: Sequence[str]
    authorizations: Sequence[UUID | None] | None
    valid_before: Sequence[int | None] | None
    signed_by: Sequence[str] | None
    from_addresses: Sequence[str] | None
    to_addresses: Sequence[str] | None


async def _accept(
    connection: Connection, rail: str, columns: _Columns, limited: tuple[object, ...], now: datetime
) -> Record:
    """The outcomes, as `hold_payments` returns them. `limited` are the limits (limits.py)."""
    row = await connection.fetchrow(records.sql.hold_payments, now, rail, *columns, *limited)
    assert row is not None
    return row


# ---- payments that have passed the checks ----------------------------------------------------------------------------


async def accept(
    connection: Connection,
    rail: str,
    asked: Sequence[Proposed],
    now: datetime,
    valid_before: Sequence[int | None] | None = None,
) -> list[Payment | GatewayError]:
    """Hold the money of payments that have passed every check, in order and each on its own, and write their rows,
    notes and events as the payments are now. A payment with a time in `valid_before`, in Unix seconds, is queued with
    its authorization, or waits for the signature by its payer's own key. All are counted against their limits. Per
    payment: the payment, or InsufficientFunds.

    Accounts that are missing are opened first, as `hold_payments` needs them.
    """
    payments = [one.payment for one in asked]
    columns = _Columns(
        api_key_hashes=None,
        session_hashes=None,
        payers=[one.payer for one in payments],
        idempotency_keys=None,
        fingerprints=None,
        payee_handles=[one.payee_handle for one in payments],
        assets=[one.amount.asset.code for one in payments],
        amounts=[one.amount.units for one in payments],
        fees=if_any([one.fee.units or None for one in payments]),
        memos=if_any([one.memo for one in payments]),
        refunds_of=if_any([one.refund_of for one in payments]),
        ids=[one.id for one in payments],
        states=[one.state.value for one in payments],
        approvals=if_any([" ".join(one.approval) if one.approval else None for one in payments]),
        expire_at=if_any([one.expires_at for one in payments]),
        undo_until=if_any([one.undo_until for one in payments]),
        captures=[one.capture for one in payments],
        hidden=if_any([not one.visible_to_payee or None for one in payments]),
        routes=if_any([stored(one.route, one.fee, outside=one.payee_address is not None) for one in payments]),
        payloads=[msgspec.json.encode(payment_events.payload(one)).decode() for one in payments],
        authorizations=if_any([one.authorization_id for one in payments]),
        valid_before=None if valid_before is None else if_any(valid_before),
        signed_by=[one.payer.custody for one in asked],
        from_addresses=[one.payer.address for one in asked],
        to_addresses=[one.payee.address for one in asked],
    )
    limited = limits.counters(asked)
    row = await _accept(connection, rail, columns, limited, now)
    if "unknown" in row["outcome"]:
        await accounts(connection, asked)
        row = await _accept(connection, rail, columns, limited, now)
    results: list[Payment | GatewayError] = []
    for one, outcome, available in zip(payments, row["outcome"], row["available"], strict=True):
        assert outcome in ("done", "short"), f"a payment that was checked is {outcome}"
        results.append(one if outcome == "done" else insufficient(one, available))
    notes = {one.id: one.note for one in results if isinstance(one, Payment) and one.note is not None}
    await records.insert_notes(connection, notes)
    return results


def insufficient(payment: Payment, available: int) -> InsufficientFunds:
    """The refusal of a payment whose payer has only so many units available."""
    asset = payment.amount.asset
    code = account.wallet(payment.payer_handle, asset)
    return InsufficientFunds(code, payment.amount + payment.fee, Money(available, asset))


# ---- payments of plain API keys, and of keys with caps and sessions --------------------------------------------------


class HeldFirst(PlainPayment, frozen=True):
    """A payment to a handle, without a fee. Its new id is also the id of its hold and its authorization."""

    payment_id: PaymentId
    of_session: bool = False


class Holder(NamedTuple):
    """The payer whose money is held; the wallet, if the caller used a session."""

    handle: str
    payer: WalletId | None


async def hold_all(
    connection: Connection,
    settings: PaymentSettings,
    rail: str,
    asked: Sequence[HeldFirst],
    now: datetime,
    state: str,
    left_out: Collection[str],
    *,
    expires_at: datetime | None = None,
    valid_before: int | None = None,
    routes: Sequence[str | None] | None = None,
) -> list[Holder | NotDone]:
    """Hold the money of the payments, independently, and queue those with `valid_before` for the chain. Payments in
    sessions of the wallets `left_out` (ids) are left to the checks. Returns for each its payer, or why it was not
    accepted.
    """
    hashes, keys, fingerprints, handles, assets, amounts, memos = columns_of(asked)
    ids, count = [one.payment_id for one in asked], len(asked)
    sessions = None
    if any(one.of_session for one in asked):
        sessions = Sessions([one.token_hash if one.of_session else None for one in asked], left_out)
        hashes = [None if one.of_session else one.token_hash for one in asked]
    columns = _Columns(
        api_key_hashes=hashes,
        session_hashes=sessions.hashes if sessions else None,
        payers=None,
        idempotency_keys=keys,
        fingerprints=fingerprints,
        payee_handles=handles,
        assets=assets,
        amounts=amounts,
        fees=None,
        memos=if_any(memos),
        refunds_of=None,
        ids=ids,
        states=[state] * count,
        approvals=None,
        expire_at=[expires_at] * count if expires_at is not None else None,
        undo_until=None,
        captures=[expires_at is None] * count,
        hidden=None,
        routes=routes,
        payloads=[payload_of(one, expires_at) for one in asked],
        authorizations=ids if valid_before is not None else None,
        valid_before=[valid_before] * count if valid_before is not None else None,
        signed_by=None,
        from_addresses=None,
        to_addresses=None,
    )
    row = await _accept(connection, rail, columns, limits.rules(settings, assets, now, sessions), now)
    return [
        Holder(handle, payer)
        if outcome == "done"
        else not_done(one.money, outcome, handle, Money(0, one.money.asset), available, one.of_session)
        for one, outcome, handle, available, payer in zip(
            *(asked, row["outcome"], row["payer_handle"], row["available"], row["payer"] or [None] * count),
            strict=True,
        )
    ]
