"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, structs

from gateway.api.events.examples import EVENT
from gateway.api.example_values import NOW, SECOND_LATER
from gateway.api.notifications.shapes import (
    NotificationAddressesPage,
    NotificationAddressRequest,
    NotificationAddressView,
    NotificationCodeRequest,
    NotificationDeliveryView,
    NotificationLocaleRequest,
    NotificationModeRequest,
    NotificationMoneyView,
    NotificationPreferencesRequest,
    NotificationsPage,
    NotificationView,
    PushKeys,
    PushKeyView,
    PushSubscriptionRequest,
    SeenRequest,
    SeenView,
    UnsubscribeView,
)
from gateway.api.notifications.views import preferences_view
from gateway.api.payments.examples import SETTLED
from gateway.notifications.preference import Preferences
from gateway.notifications.vocabulary import KINDS


def _address(state: str) -> NotificationAddressView:
    return NotificationAddressView(
        id="nad_01h455vb4pex5vsknk084sn02q",
        channel="email",
        address="a…@example.com",
        state="confirmed" if state == "confirmed" else "pending",
        locale="th",
        time_zone="Asia/Bangkok",
        created_at=NOW,
        confirmed_at=NOW if state == "confirmed" else None,
        failure=None,
        failed_at=None,
    )


_NOTICE = NotificationView(
    id=EVENT.id,
    kind="money_out",
    security=False,
    type=EVENT.type,
    created_at=NOW,
    title="You paid €12.50 to @bob",
    text="€12.50 went from your wallet to @bob.",
    money=NotificationMoneyView("12.50", "EUR", "@alice", "@bob"),
    payment=SETTLED.id,
    request=None,
    seen=False,
    deliveries=[NotificationDeliveryView("email", "sent", None, None, SECOND_LATER)],
)
#: The public key of the example in RFC 8291.
_POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
_MODES = [NotificationModeRequest("money_in", "email", "off")]

#: The request of each call, by its operation id.
REQUESTS: Final[Mapping[str, Struct]] = {
    "add_notification_address": NotificationAddressRequest("email", "alice@example.com", "th", "Asia/Bangkok"),
    "set_notification_locale": NotificationLocaleRequest("th", "Asia/Bangkok"),
    "add_push_subscription": PushSubscriptionRequest(
        "https://push.example/v2/gAAAAABl", PushKeys(_POINT, "BTBZMqHH6r4Tts7J_aSIgg"), "th", "Asia/Bangkok"
    ),
    "confirm_notification_address": NotificationCodeRequest("049320"),
    "change_notification_preferences": NotificationPreferencesRequest(_MODES),
    "set_notification_preferences": NotificationPreferencesRequest(_MODES),
    "see_notifications": SeenRequest(EVENT.id),
}

#: The answer of each call, by its operation id.
ANSWERS: Final[Mapping[str, Struct]] = {
    "list_notifications": NotificationsPage([_NOTICE], 1, None),
    "see_notifications": SeenView(0),
    "get_notification_preferences": preferences_view(Preferences({})),
    "change_notification_preferences": preferences_view(Preferences({("money_in", "email"): "off"})),
    "set_notification_preferences": preferences_view(Preferences({("money_in", "email"): "off"})),
    "add_notification_address": _address("pending"),
    "confirm_notification_address": _address("confirmed"),
    "list_notification_addresses": NotificationAddressesPage([_address("confirmed")], ["email"]),
    "set_notification_locale": NotificationAddressesPage([_address("confirmed")], ["email", "push"]),
    "get_push_key": PushKeyView(_POINT),
    "add_push_subscription": structs.replace(_address("confirmed"), channel="push", address="push.example 3f9a12c4"),
    "remove_notification_address": _address("confirmed"),
    "get_unsubscribe_link": UnsubscribeView("money_in", "email", KINDS["money_in"].description),
    "unsubscribe": UnsubscribeView("money_in", "email", KINDS["money_in"].description),
}
