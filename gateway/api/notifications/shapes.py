"""What comes in and goes out, and how answers are made from the package's own values."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, cast

from msgspec import Meta, Struct

from gateway.api.events.catalogue import TYPES
from gateway.api.events.shapes import EventIdText
from gateway.api.fields import AssetCode, Decimal, NextCursor, Party, PaymentIdText, Time
from gateway.clock import rfc3339
from gateway.events.log import LoggedEvent
from gateway.http.schema import one_of, typed_id
from gateway.ids import show
from gateway.notifications.address import PREFIX, Address
from gateway.notifications.channels.channel import NAMES, Channel
from gateway.notifications.delivery import Delivery
from gateway.notifications.inbox import Listed
from gateway.notifications.kinds import KINDS
from gateway.notifications.preference import MODES, Mode, Preferences
from gateway.notifications.texts.language import LOCALES, Language
from gateway.notifications.texts.messages import Reader, message_id, words

AddressIdText = Annotated[str, typed_id(PREFIX, "An address's id.")]
KindText = Annotated[str, one_of(KINDS, "What it is about.")]
ChannelText = Annotated[str, one_of(NAMES, "How it is sent.")]
LocaleText = Annotated[str, one_of(LOCALES, "The language that notices are written in.")]
ZoneText = Annotated[
    str, Meta(description="The time zone of times in notices, as the IANA names it.", examples=["Asia/Bangkok"])
]
ModeText = Annotated[
    str,
    one_of(MODES, "`on`: sent. `fallback`: sent where no channel that is on could take it. `off`: never."),
]


class NotificationAddressRequest(Struct, forbid_unknown_fields=True):
    """Where notices are to be sent."""

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
    """All of them: what is not named is `on`."""

    modes: Annotated[list[NotificationModeRequest], Meta(max_length=100)]


class SeenRequest(Struct, forbid_unknown_fields=True):
    up_to: Annotated[EventIdText, Meta(description="The newest notice that was seen.")]


class NotificationAddressView(Struct):
    id: AddressIdText
    channel: ChannelText
    address: Annotated[str, Meta(description="A part of it.", examples=["a…@example.com"])]
    state: Annotated[
        Literal["waits", "proved", "failed"],
        Meta(
            description="`waits`: for its code. `proved`: notices are sent to it. `failed`: it cannot be reached, and "
            "nothing is sent to it until it is added again."
        ),
    ]
    locale: LocaleText
    time_zone: ZoneText
    created_at: Time
    proved_at: Time | None
    failure: Annotated[str | None, Meta(description="Why it failed, in a word of the channel's.")]
    failed_at: Time | None


class NotificationAddressesPage(Struct):
    items: list[NotificationAddressView]
    channels: Annotated[list[ChannelText], Meta(description="What this gateway sends by.")]


class NotificationDeliveryView(Struct):
    """What became of a notice by one channel."""

    channel: ChannelText
    state: Annotated[
        Literal["pending", "sent", "failed", "skipped"],
        Meta(description="`skipped`: it was not to be sent any more, as `reason` says."),
    ]
    reason: Annotated[str | None, Meta(description="What the last try came to, or why there is none.")]
    falls_back_from: Annotated[
        ChannelText | None, Meta(description="It is sent since this channel could not; null: it was on.")
    ]
    ended_at: Time | None


class NotificationMoneyView(Struct, rename={"from_": "from"}):
    """The amount that it is about, and between whom."""

    amount: Decimal
    asset: AssetCode
    from_: Annotated[Party | None, Meta(description="Null: the bank, or the operators.")]
    to: Annotated[Party | None, Meta(description="Null: the bank, or the operators.")]


class NotificationReaderRequest(Struct, forbid_unknown_fields=True):
    """How the wallet's owner reads."""

    locale: LocaleText
    time_zone: ZoneText


class NotificationView(Struct):
    id: EventIdText
    kind: KindText
    security: Annotated[bool, Meta(description="Whether it guards the wallet: such notices are always sent.")]
    type: Annotated[str, one_of(TYPES, "The event that it tells of.")]
    created_at: Time
    title: Annotated[str, Meta(examples=["You paid €10.00 to @bob"])]
    text: str
    money: NotificationMoneyView | None
    payment: PaymentIdText | None
    seen: bool
    deliveries: list[NotificationDeliveryView]


class NotificationsPage(Struct):
    items: list[NotificationView]
    unseen: Annotated[int, Meta(description="How many were not seen, up to 100.")]
    next_cursor: NextCursor


class SeenView(Struct):
    unseen: int


class NotificationKindView(Struct):
    kind: KindText
    security: Annotated[bool, Meta(description="One channel that has an address stays on.")]
    says: Annotated[str, Meta(description="What it tells of, in English.")]
    modes: Annotated[dict[str, ModeText], Meta(title="Modes", description="By channel.")]


class NotificationPreferencesView(Struct):
    kinds: list[NotificationKindView]


class UnsubscribeView(Struct):
    """What a link is for. POST to it sends no more of the kind."""

    kind: KindText
    channel: ChannelText
    says: Annotated[str, Meta(description="What the kind tells of, in English.")]


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
        proved_at=rfc3339(of.proved_at) if of.proved_at else None,
        failure=of.failure,
        failed_at=rfc3339(of.failed_at) if of.failed_at else None,
    )


def preferences_view(said: Preferences) -> NotificationPreferencesView:
    return NotificationPreferencesView(
        [
            NotificationKindView(
                kind.name, kind.security, kind.says, {name: said.mode(kind.name, name) for name in NAMES}
            )
            for kind in KINDS.values()
        ]
    )


def modes_of(asked: NotificationPreferencesRequest) -> dict[tuple[str, str], Mode]:
    """Every mode that is asked for, of values that were checked; those that are not named included."""
    usual: dict[tuple[str, str], Mode] = {(kind, channel): "on" for kind in KINDS for channel in NAMES}
    return usual | {(one.kind, one.channel): cast("Mode", one.mode) for one in asked.modes}


def notice_view(of: Listed, handle: str, language: Language) -> NotificationView:
    event = of.notice.event
    title, text = words(event, Reader(handle, language, ""))
    is_payment = event.kind.startswith("payment.") and event.subject is not None
    return NotificationView(
        id=message_id(event),
        kind=of.notice.kind.name,
        security=of.notice.kind.security,
        type=event.kind,
        created_at=rfc3339(event.at),
        title=title,
        text=text,
        money=_money(event, f"@{handle}"),
        payment=show("pay", event.subject) if is_payment and event.subject else None,
        seen=of.seen,
        deliveries=_deliveries(of.deliveries),
    )


def _money(event: LoggedEvent, me: str) -> NotificationMoneyView | None:
    facts = event.facts
    if "amount" not in facts:
        return None
    if "from" in facts:
        payer, payee = facts["from"], facts["to"]
    elif event.kind == "ledger.corrected":
        payer, payee = (
            me if facts[side] == f"wallet:{me[1:]}:{facts['asset']}" else None for side in ("debit", "credit")
        )
    else:
        payer, payee = (me, None) if event.kind.startswith("withdrawal.") else (None, me)
    return NotificationMoneyView(facts["amount"], facts["asset"], payer, payee)


def _deliveries(of: Iterable[Delivery]) -> list[NotificationDeliveryView]:
    return [
        NotificationDeliveryView(
            *(one.channel, one.state, one.reason, one.falls_back_from),
            rfc3339(one.ended_at) if one.ended_at else None,
        )
        for one in of
    ]
