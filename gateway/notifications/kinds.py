"""Which events are notified, and as what kind. Pure.

An event without a line in `_RULES` has no notification. Kinds that are `security` cannot be switched off altogether
(preference.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from gateway.events.log import LoggedEvent
from gateway.notifications.vocabulary import KINDS, Kind


@dataclass(frozen=True, slots=True)
class Notification:
    """An event to notify the wallet's owner of. If two of a kind are `about` the same thing, only the first is sent."""

    kind: Kind
    event: LoggedEvent
    about: UUID | None = None


#: Returns the kind of an event's notification to the wallet of this name (`@alice`); "" if there is none.
_Rule = Callable[[Mapping[str, Any], str], str]


def notification_of(event: LoggedEvent, handle: str) -> Notification | None:
    """Return the event's notification to the wallet with this handle; None if there is none."""
    rule = _RULES.get(event.kind)
    name = rule(event.payload, f"@{handle}") if rule is not None else ""
    if not name:
        return None
    return Notification(KINDS[name], event, event.subject if event.kind in _LEAVES else None)


def _always(name: str) -> _Rule:
    return lambda payload, me: name


def _payer(name: str) -> _Rule:
    return lambda payload, me: name if payload["from"] == me else ""


def _payee(name: str) -> _Rule:
    return lambda payload, me: name if payload["to"] == me else ""


def _settled(payload: Mapping[str, Any], me: str) -> str:
    return "money_out" if payload["from"] == me else "money_in"


def _corrected(payload: Mapping[str, Any], me: str) -> str:
    return "money_in" if payload["credit"].split(":")[1] == me.removeprefix("@") else "money_out"


def _needs_approval(payload: Mapping[str, Any], me: str) -> str:
    return "needs_approval" if payload["from"] == me and "approval" in payload else ""


#: Money that leaves a wallet is notified once, by the first of these events.
_LEAVES: Final = ("payment.held", "payment.queued", "payment.settled")

_RULES: Final[Mapping[str, _Rule]] = {
    "payment.settled": _settled,
    "payment.held": _payer("money_out"),
    "payment.queued": _payer("money_out"),
    "payment.failed": _payer("money_out"),
    "payment.requires_confirmation": _needs_approval,
    "request.created": _payer("request"),
    "request.declined": _payee("request"),
    "token.observed": _settled,
    "ledger.corrected": _corrected,
    "deposit.settled": _always("bank_movement"),
    "withdrawal.settled": _always("bank_movement"),
    "session.started": _always("new_sign_in"),
    "session.ended": lambda payload, me: "new_sign_in" if payload.get("why") == "stolen" else "",
    "passkey.added": _always("new_key"),
    "passkey.revoked": _always("new_key"),
    "passkey.stopped": _always("new_key"),
    "api_key.created": _always("new_key"),
    "api_key.replaced": _always("new_key"),
    "recovery_codes.created": _always("new_key"),
    "wallet.key_exported": _always("new_key"),
    "wallet.bound": _always("new_key"),
    "wallet.frozen": _always("freeze"),
    "wallet.unfrozen": _always("freeze"),
    "wallet.freeze_expired": _always("freeze"),
    "policy.changed": lambda payload, me: "protection" if payload.get("loosened") is not False else "",
    "notification_address.added": _always("protection"),
    "notification_address.removed": _always("protection"),
    "notification_address.failed": _always("protection"),
    "notification_preferences.changed": _always("protection"),
}

#: The types of events that may have a notification.
TYPES: Final = tuple(_RULES)
