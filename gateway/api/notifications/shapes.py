"""Requests and answers. Requests with unknown fields are refused."""

from typing import Annotated

from msgspec import Meta, Struct

from gateway.api.events.catalogue import TYPES
from gateway.api.events.shapes import EventIdText
from gateway.api.fields import AssetCode, Decimal, NextCursor, Party, PaymentIdText, RequestIdText, Time
from gateway.http.schema import one_of, typed_id
from gateway.notifications.vocabulary import CHANNELS, KINDS, LOCALES, MODES, PREFIX, AddressState, DeliveryState

AddressIdText = Annotated[str, typed_id(PREFIX, "An address's id.")]
KindText = Annotated[str, one_of(KINDS, "What it is about.")]
ChannelText = Annotated[str, one_of(CHANNELS, "How it is sent.")]
LocaleText = Annotated[str, one_of(LOCALES, "The language that notifications are written in.")]
ZoneText = Annotated[
    str, Meta(description="The time zone of times in notifications (IANA).", examples=["Asia/Bangkok"])
]
ModeText = Annotated[
    str,
    one_of(MODES, "`on`: sent. `fallback`: sent where no channel that is on could take it. `off`: never."),
]
PointText = Annotated[
    str,
    Meta(
        description="A point of P-256 in base64url, as browsers take `applicationServerKey`.",
        examples=["BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"],
    ),
]


class NotificationAddressRequest(Struct, forbid_unknown_fields=True):
    """An address to send notifications to."""

    channel: ChannelText
    address: Annotated[str, Meta(description="An e-mail address.", examples=["alice@example.com"])]
    locale: LocaleText = "en"
    time_zone: ZoneText = "UTC"


class NotificationCodeRequest(Struct, forbid_unknown_fields=True):
    code: Annotated[str, Meta(description="The code that was sent to the address.", examples=["049320"])]


class NotificationModeRequest(Struct, forbid_unknown_fields=True):
    kind: KindText
    channel: ChannelText
    mode: ModeText


class NotificationPreferencesRequest(Struct, forbid_unknown_fields=True):
    """All preferences: those that are left out are `on`."""

    modes: Annotated[list[NotificationModeRequest], Meta(max_length=100)]


class SeenRequest(Struct, forbid_unknown_fields=True):
    up_to: Annotated[EventIdText, Meta(description="The newest notification that was seen.")]


class NotificationAddressView(Struct):
    id: AddressIdText
    channel: ChannelText
    address: Annotated[str, Meta(description="A part of it.", examples=["a…@example.com"])]
    state: Annotated[
        AddressState,
        Meta(
            description="`pending`: it waits for its code. `confirmed`: notifications are sent to it. `failed`: it "
            "cannot be reached, and nothing is sent to it until it is added again."
        ),
    ]
    locale: LocaleText
    time_zone: ZoneText
    created_at: Time
    confirmed_at: Time | None
    failure: Annotated[str | None, Meta(description="Why it failed: a slug of the channel.")]
    failed_at: Time | None


class NotificationAddressesPage(Struct):
    items: list[NotificationAddressView]
    channels: Annotated[list[ChannelText], Meta(description="The configured channels.")]


class NotificationDeliveryView(Struct):
    """The delivery of a notification by one channel."""

    channel: ChannelText
    state: Annotated[
        DeliveryState,
        Meta(description="`skipped`: it was no longer to be sent, for the reason in `reason`."),
    ]
    reason: Annotated[str | None, Meta(description="The outcome of the last try, or why there was none.")]
    falls_back_from: Annotated[
        ChannelText | None,
        Meta(description="The channel that could not send it, if this is a fallback; otherwise null."),
    ]
    ended_at: Time | None


class NotificationMoneyView(Struct, rename={"from_": "from"}):
    """The amount of a notification, and its two sides."""

    amount: Decimal
    asset: AssetCode
    from_: Annotated[Party | None, Meta(description="Null: the bank, or the operators.")]
    to: Annotated[Party | None, Meta(description="Null: the bank, or the operators.")]


class NotificationLocaleRequest(Struct, forbid_unknown_fields=True):
    """The language and time zone of the wallet's owner."""

    locale: LocaleText
    time_zone: ZoneText


class NotificationView(Struct):
    id: EventIdText
    kind: KindText
    security: Annotated[bool, Meta(description="Whether it is a security kind: such notifications are always sent.")]
    type: Annotated[str, one_of(TYPES, "The event that it tells of.")]
    created_at: Time
    title: Annotated[str, Meta(examples=["You paid €10.00 to @bob"])]
    text: str
    money: NotificationMoneyView | None
    payment: PaymentIdText | None
    request: RequestIdText | None
    seen: bool
    deliveries: list[NotificationDeliveryView]


class NotificationsPage(Struct):
    items: list[NotificationView]
    unseen: Annotated[int, Meta(description="The number of unseen notifications, up to 100.")]
    next_cursor: NextCursor


class SeenView(Struct):
    unseen: int


class NotificationKindView(Struct):
    kind: KindText
    security: Annotated[bool, Meta(description="One channel that has an address stays on.")]
    description: Annotated[str, Meta(description="The description of the kind, in English.")]
    modes: Annotated[dict[str, ModeText], Meta(title="Modes", description="By channel.")]


class NotificationPreferencesView(Struct):
    kinds: list[NotificationKindView]


class UnsubscribeView(Struct):
    """The meaning of an unsubscribe link. A POST to it switches the kind off."""

    kind: KindText
    channel: ChannelText
    description: Annotated[str, Meta(description="The description of the kind, in English.")]


class PushKeyView(Struct):
    """The gateway's key (VAPID, RFC 8292). It does not change."""

    public_key: PointText


class PushKeys(Struct):
    """The keys that a push is encrypted with (RFC 8291), in base64url."""

    p256dh: Annotated[str, Meta(description="The browser's public key, 65 bytes.")]
    auth: Annotated[str, Meta(description="The browser's secret, 16 bytes.")]


class PushSubscriptionRequest(Struct):
    """`PushSubscription.toJSON()`, whose other fields are ignored, and the language and time zone of the browser's
    owner.
    """

    endpoint: Annotated[
        str,
        Meta(
            description="An https:// URL of the browser's push service, at a public address.",
            examples=["https://push.example/v2/gAAAAABl"],
        ),
    ]
    keys: PushKeys
    locale: LocaleText = "en"
    time_zone: ZoneText = "UTC"
