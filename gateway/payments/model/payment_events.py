"""The events of payments and conversions: their payload, and the payment or conversion as it was at an event.

An event stores what can change about its payment; the rest is read from the payment's row. So an event shows the
payment as `GET` would have returned it then, without a copy of the payment in the log for each of its states.
"""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from gateway.clock import rfc3339
from gateway.events.log import Event
from gateway.money import Money
from gateway.payments.model.conversion import Conversion
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.route import ledger_route


def events(payment: Payment) -> list[Event]:
    """The event of a payment's present state: for both wallets, or for the payer only while the payment is hidden from
    the payee.
    """
    payee = payment.payee if payment.visible_to_payee else None
    whole = {"from": payment.payer_name, **payload(payment)}
    return [Event(f"payment.{payment.state.value}", payment.payer, payment.id, whole, other=payee)]


def payload(payment: Payment) -> dict[str, object]:
    """The payload of the event of a payment's present state, without its payer."""
    told: dict[str, object] = {
        "to": payment.payee_name,
        "amount": payment.amount.amount,
        "asset": payment.amount.asset.code,
    }
    if payment.captured != _captured(payment, payment.state):
        told["captured"] = payment.captured.amount
    if payment.fee.units:
        told["fee"] = payment.fee.amount
    if payment.failure is not None:
        told["failure"] = payment.failure
    if payment.tx_hash is not None:
        told["tx_hash"] = payment.tx_hash
    if payment.needs_approval:
        told["approval"] = payment.approval
    if payment.expires_at is not None:
        told["expires_at"] = rfc3339(payment.expires_at)
    if payment.undo_until is not None:
        told["undo_until"] = rfc3339(payment.undo_until)
    return told


def at_event(payment: Payment, kind: str, payload: Mapping[str, Any], at: datetime) -> Payment:
    """The payment as it was at an event, reconstructed from what it is now. Pure."""
    state, asset = State(kind.removeprefix("payment.")), payment.amount.asset
    nothing = Money(0, asset)
    fee = asset.parse(payload["fee"]) if "fee" in payload else nothing
    follows = payment.route == ledger_route(payment.fee)  # a partial capture changes the fee, and so the route
    return replace(
        payment,
        state=state,
        route=ledger_route(fee) if follows else payment.route,
        captured=asset.parse(payload["captured"]) if "captured" in payload else _captured(payment, state),
        fee=fee,
        refunded=nothing,  # only a settled payment is refunded, and it has no event after that
        failure=payload.get("failure"),
        tx_hash=payload.get("tx_hash"),
        approval=tuple(payload["approval"]) if "approval" in payload else None,
        expires_at=_time(payload, "expires_at"),
        undo_until=_time(payload, "undo_until"),
        settled_at=at if state is State.SETTLED else None,
    )


def conversion_event(conversion: Conversion) -> Event:
    """The event of a conversion's present state."""
    payload: dict[str, object] = {
        "amount": conversion.amount.amount,
        "asset": conversion.amount.asset.code,
        "to_amount": conversion.to_amount.amount,
        "to_asset": conversion.to_amount.asset.code,
    }
    if conversion.failure is not None:
        payload["failure"] = conversion.failure
    if conversion.tx_hash is not None:
        payload["tx_hash"] = conversion.tx_hash
    return Event(f"conversion.{conversion.state.value}", conversion.wallet, conversion.id, payload)


def conversion_at_event(conversion: Conversion, kind: str, payload: Mapping[str, Any], at: datetime) -> Conversion:
    """The conversion as it was at an event, reconstructed from what it is now. Pure."""
    state = State(kind.removeprefix("conversion."))
    return dataclasses.replace(
        conversion,
        state=state,
        failure=payload.get("failure"),
        tx_hash=payload.get("tx_hash"),
        settled_at=at if state is State.SETTLED else None,
    )


def _captured(payment: Payment, state: State) -> Money:
    """The captured amount of an event that does not store it."""
    return payment.amount if state is State.SETTLED else Money(0, payment.amount.asset)


def _time(payload: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(payload[name]) if name in payload else None
