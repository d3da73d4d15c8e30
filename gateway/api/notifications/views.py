"""Answers about notifications, addresses and preferences."""

from collections.abc import Iterable, Mapping
from typing import Final, cast

from gateway.api.notifications.shapes import (
    NotificationAddressView,
    NotificationDeliveryView,
    NotificationKindView,
    NotificationMoneyView,
    NotificationPreferencesRequest,
    NotificationPreferencesView,
    NotificationView,
)
from gateway.clock import rfc3339
from gateway.errors import InvalidRequest
from gateway.events.log import LoggedEvent
from gateway.ids import show
from gateway.notifications.address import Address
from gateway.notifications.channels.channel import Channel
from gateway.notifications.delivery import Delivery
from gateway.notifications.inbox import Listed
from gateway.notifications.preference import Preferences
from gateway.notifications.texts.language import Language
from gateway.notifications.texts.messages import Reader, message_id, words
from gateway.notifications.vocabulary import CHANNELS, KINDS, MODES, Mode


def address_view(of: Address, channels: Mapping[str, Channel]) -> NotificationAddressView:
    channel = channels.get(of.channel)
    return NotificationAddressView(
        id=of.shown_id,
        channel=of.channel,
        address=channel.shown(of.text) if channel else "…",
        state=of.state,
        locale=of.locale,
        time_zone=of.time_zone,
        created_at=rfc3339(of.created_at),
        confirmed_at=rfc3339(of.confirmed_at) if of.confirmed_at else None,
        failure=of.failure,
        failed_at=rfc3339(of.failed_at) if of.failed_at else None,
    )


def preferences_view(said: Preferences) -> NotificationPreferencesView:
    return NotificationPreferencesView(
        [
            NotificationKindView(
                kind.name, kind.security, kind.description, {name: said.mode(kind.name, name) for name in CHANNELS}
            )
            for kind in KINDS.values()
        ]
    )


def modes_of(asked: NotificationPreferencesRequest) -> dict[tuple[str, str], Mode]:
    """Every mode of a request, including the defaults of those that are left out. Raises as `named_modes`."""
    usual: dict[tuple[str, str], Mode] = {(kind, channel): "on" for kind in KINDS for channel in CHANNELS}
    return usual | named_modes(asked)


def named_modes(asked: NotificationPreferencesRequest) -> dict[tuple[str, str], Mode]:
    """The modes given in a request. Raises InvalidRequest for an unknown kind, channel or mode, or one that is set
    twice.
    """
    known: Final = {"kind": tuple(KINDS), "channel": CHANNELS, "mode": MODES}
    for one in asked.modes:
        for name, values in known.items():
            if getattr(one, name) not in values:
                raise InvalidRequest(name, f"{getattr(one, name)[:40]!r} is no {name}; there are: {', '.join(values)}")
    named = {(one.kind, one.channel): cast("Mode", one.mode) for one in asked.modes}
    if len(named) < len(asked.modes):
        raise InvalidRequest("modes", "a kind and a channel are there twice: give each mode once")
    return named


def notice_view(of: Listed, handle: str, language: Language) -> NotificationView:
    event = of.notification.event
    title, text = words(event, Reader(handle, language, ""))
    is_payment = event.kind.startswith("payment.") and event.subject is not None
    return NotificationView(
        id=message_id(event),
        kind=of.notification.kind.name,
        security=of.notification.kind.security,
        type=event.kind,
        created_at=rfc3339(event.at),
        title=title,
        text=text,
        money=_money(event, f"@{handle}"),
        payment=show("pay", event.subject) if is_payment and event.subject else None,
        request=show("req", event.subject) if event.kind.startswith("request.") and event.subject else None,
        seen=of.seen,
        deliveries=_deliveries(of.deliveries),
    )


def _money(event: LoggedEvent, me: str) -> NotificationMoneyView | None:
    payload = event.payload
    if "amount" not in payload or event.kind.startswith("request."):  # a payment request moves no money
        return None
    if "from" in payload:
        payer, payee = payload["from"], payload["to"]
    elif event.kind == "ledger.corrected":
        payer, payee = (
            me if payload[side] == f"wallet:{me[1:]}:{payload['asset']}" else None for side in ("debit", "credit")
        )
    else:
        payer, payee = (me, None) if event.kind.startswith("withdrawal.") else (None, me)
    return NotificationMoneyView(payload["amount"], payload["asset"], payer, payee)


def _deliveries(of: Iterable[Delivery]) -> list[NotificationDeliveryView]:
    return [
        NotificationDeliveryView(
            *(one.channel, one.state, one.reason, one.falls_back_from),
            rfc3339(one.ended_at) if one.ended_at else None,
        )
        for one in of
    ]
