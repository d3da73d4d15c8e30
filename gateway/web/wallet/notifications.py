"""The owner's notifications, newest first, each with the amount first, then the other side and the text. The page works
without a script.

The page reloads itself after an event: `since` is the newest notification that was seen before this visit, so that new
ones stay marked during the visit, and `down_to` the last one of the page when it was opened, so that new ones push none
off it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response

from gateway.api.notifications.notifications import list_notifications
from gateway.api.notifications.shapes import NotificationDeliveryView, NotificationView
from gateway.api.payments.payments import list_waiting_payments
from gateway.events import event_id
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page, reader_for
from gateway.web.reader import Reader
from gateway.web.shown import words_of

#: How many notifications are on a page, and at most on one that reloads itself.
_PAGE: Final = 30
_MAX: Final = 200

#: The icon of each kind without another person.
_DRAWINGS: Final = {
    "bank_movement": "bank",
    "new_sign_in": "door",
    "new_key": "key",
    "freeze": "snow",
    "protection": "shield",
}

#: The state of a payment at the notification, if it was not simply settled; and the chip's colour.
_STATES: Final = {
    "payment.requires_confirmation": ("requires_confirmation", "wait"),
    "payment.held": ("held", "wait"),
    "payment.queued": ("queued", "wait"),
    "payment.failed": ("failed", "wrong"),
}

#: The kinds of notifications before any money has moved: payments and requests.
_UNMOVED: Final = ("payment.failed", "payment.requires_confirmation", "request.")


@own_page("/notifications", follows=True)
async def notifications_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The notifications by day, each with its text, its deliveries, and its payment."""
    reader, asked = reader_for(request), request.query_params
    since, down_to = asked.get("since"), asked.get("down_to")
    found = await list_notifications.fn(
        services, caller, reader.locale, reader.time_zone, asked.get("cursor"), _MAX if down_to else _PAGE
    )
    items = _down_to(found.items, down_to) if down_to else found.items
    if since is None:
        since = next((one.id for one in items if one.seen), "")
    waiting = {one.id for one in (await list_waiting_payments.fn(services, caller)).items if one.approval}
    seen = event_id.number_of(since, "since", "the query parameter since") if since else 0
    notices = [_Notice.of(one, f"@{caller.handle}", waiting, seen, reader) for one in items]
    more = found.next_cursor if not down_to else None
    return answer(
        request,
        "wallet/notifications.html",
        me=caller.handle,
        days=[(day, list(of)) for day, of in groupby(notices, lambda one: reader.day(one.at))],
        unread=next((one.id for one in items if not one.seen), ""),
        again="/notifications?" + urlencode({"since": since, "down_to": items[-1].id if items else ""}),
        more=f"/notifications?{urlencode({'cursor': more, 'since': since})}" if more else "",
    )


def _down_to(items: Sequence[NotificationView], last: str) -> list[NotificationView]:
    """The notifications down to this one, inclusive."""
    end = event_id.number_of(last, "down_to", "the query parameter down_to")
    return list(takewhile(lambda one: _number(one) >= end, items))


def _number(one: NotificationView) -> int:
    return event_id.number_of(one.id, "id", "id")


@dataclass(frozen=True, slots=True)
class _Notice:
    """A notification as it is shown. `who` is the other side of a payment; `drawing` is the icon if there is none."""

    id: str
    at: str
    title: str
    text: str
    is_new: bool
    who: str
    drawing: str
    guards: bool
    chip: tuple[str, str]
    sign: str
    amount: str
    asset: str
    when: str
    deliveries: Sequence[tuple[str, str]]
    payment: str
    is_waiting: bool
    can_be_reported: bool
    request: str

    @classmethod
    def of(cls, one: NotificationView, me: str, waiting: set[str], seen: int, reader: Reader) -> "_Notice":
        money = one.money
        out = money is not None and money.from_ == me
        is_waiting = one.kind == "needs_approval" and one.payment in waiting
        return cls(
            id=one.id,
            at=one.created_at,
            title=one.title,
            text=one.text,
            is_new=_number(one) > seen,
            who=((money.to if out else money.from_) or "") if money else "",
            drawing=_DRAWINGS.get(one.kind, "bell"),
            guards=one.security,
            chip=_chip(one, is_waiting, reader),
            sign="" if one.type.startswith(_UNMOVED) else "−" if out else "+",
            amount=money.amount if money else "",
            asset=money.asset if money else "",
            when=f"{reader.date(one.created_at)}, {reader.clock(one.created_at)}",
            deliveries=[*_deliveries(one.deliveries, reader)],
            payment=one.payment or "",
            is_waiting=is_waiting,
            can_be_reported=one.kind == "money_out" and one.payment is not None,
            request=one.request or "",
        )


def _chip(one: NotificationView, is_waiting: bool, reader: Reader) -> tuple[str, str]:
    """The state of the payment at that time, in words and colour; or that it has been decided since."""
    if one.kind == "needs_approval" and not is_waiting:
        return reader.say("decided"), ""
    state, kind = _STATES.get(one.type, ("", ""))
    return (words_of(state, reader) if state else "", kind)


def _deliveries(of: Sequence[NotificationDeliveryView], reader: Reader) -> Iterator[tuple[str, str]]:
    """The delivery of a notification by each channel."""
    channels = {"email": reader.say("e-mail"), "push": reader.say("push message")}
    states = {
        "pending": reader.say("on its way"),
        "sent": reader.say("sent"),
        "failed": reader.say("could not be sent"),
        "skipped": reader.say("not sent"),
    }
    for one in of:
        said = states[one.state]
        if one.falls_back_from:
            why = reader.say("since it could not be sent by {channel}", channel=channels[one.falls_back_from])
            said = f"{said} ({why})"
        yield reader.say("By {channel}", channel=channels[one.channel]), said
