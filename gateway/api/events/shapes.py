"""An event and its object. An object is what `GET` would have returned at that moment; `object` is its kind."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.api.events.catalogue import TYPES
from gateway.api.fields import (
    Address,
    AssetCode,
    CustodyText,
    Decimal,
    Handle,
    Party,
    ScopeText,
    Time,
    TxHash,
    WalletIdText,
)
from gateway.api.payments.shapes import BankMovementView, ConversionView, MandateView, PaymentView
from gateway.api.requests.shapes import RequestView
from gateway.http.schema import one_of, typed_id

EventIdText = Annotated[str, typed_id("evt", "An event's id. It is the same in lists, streams and webhooks.")]


class PaymentData(PaymentView, tag_field="object", tag="payment"):
    """A payment. `to_sign` is always null: get the payment when you want to sign it."""


class ConversionData(ConversionView, tag_field="object", tag="conversion"):
    """A conversion."""


class BankMovementData(BankMovementView, tag_field="object", tag="bank_movement"):
    """A deposit or a withdrawal."""


class MandateData(MandateView, tag_field="object", tag="mandate"):
    """A mandate."""


class RequestData(RequestView, tag_field="object", tag="request"):
    """A request for money."""


class ObservationData(Struct, tag_field="object", tag="observation", rename={"from_": "from"}):
    """Tokens that were moved outside the gateway."""

    id: Annotated[str, typed_id("obs", "An observation's id.")]
    from_: Party
    to: Party
    amount: Decimal
    asset: AssetCode
    tx_hash: TxHash


class CorrectionData(Struct, tag_field="object", tag="correction"):
    """A correction of the ledger by the gateway's operators, between two accounts that are named by their codes."""

    id: Annotated[str, typed_id("cor", "A correction's id.")]
    debit: Annotated[str, Meta(description="The debited account.", examples=["wallet:alice:EUR"])]
    credit: Annotated[str, Meta(description="The credited account.", examples=["suspense:EUR"])]
    amount: Decimal
    asset: AssetCode
    reason: Annotated[str, Meta(description="The reason in the operators' words.")]


class WalletData(Struct, tag_field="object", tag="wallet"):
    """The wallet itself. Fields that the event does not concern are absent."""

    id: WalletIdText
    handle: Handle
    address: Address | UnsetType = UNSET
    custody: CustodyText | UnsetType = UNSET
    previous_address: Annotated[Address, Meta(description="The address that it had before.")] | UnsetType = UNSET
    expires_at: Annotated[Time, Meta(description="When the freeze expires.")] | UnsetType = UNSET


class PolicyData(Struct, tag_field="object", tag="policy"):
    """The wallet's policy. Its settings are at `GET /v1/policy`."""

    id: Annotated[str, typed_id("wal", "The wallet whose policy it is.")]
    changed_by: Annotated[str, one_of(["owner", "operators"], "Who changed it.")]
    loosened: Annotated[bool, Meta(description="Whether fewer payments need an approval than before.")] | None
    limit: Annotated[str, Meta(description="The limit that two operators set.")] | None


class ApiKeyData(Struct, tag_field="object", tag="api_key"):
    """An API key, without its secret."""

    id: Annotated[str, typed_id("key", "An API key's id.")]
    name: str
    scopes: list[ScopeText]


class PasskeyData(Struct, tag_field="object", tag="passkey"):
    """A passkey."""

    id: Annotated[str, typed_id("psk", "A passkey's id.")]
    name: str


class SessionData(Struct, tag_field="object", tag="session"):
    """A session in a browser."""

    id: Annotated[str, typed_id("ses", "A session's id.")]
    sign_in_method: Annotated[
        Literal["passkey", "ethereum", "recovery_code", "link"] | None,
        Meta(description="How it was started; null when it has ended."),
    ]
    reason: Annotated[
        Literal["signed_out", "passkey_ended", "stolen"] | None,
        Meta(description="Why it ended; null when it has started."),
    ]


class RecoveryCodesData(Struct, tag_field="object", tag="recovery_codes"):
    """The wallet's recovery codes."""

    id: Annotated[str, typed_id("wal", "The wallet whose codes they are.")]
    left: Annotated[int, Meta(description="How many codes are left.")]


class NotificationAddressData(Struct, tag_field="object", tag="notification_address"):
    """An address that notifications are sent to, without the address."""

    id: Annotated[str, typed_id("nad", "An address's id.")]
    channel: Annotated[str, Meta(description="The channel by which notifications are sent to it.", examples=["email"])]
    reason: Annotated[str | None, Meta(description="Why it failed: a slug of the channel; null: it did not.")]


class WebhookData(Struct, tag_field="object", tag="webhook"):
    """A webhook endpoint. Only the host of its URL is shown, since the path may be a secret."""

    id: Annotated[str, typed_id("whk", "A webhook's id.")]
    host: Annotated[str, Meta(description="The host in its URL.", examples=["shop.example"])]
    types: Annotated[list[str], Meta(description="The event types that are sent to it.", examples=[["payment.*"]])]
    disabled_by: Annotated[
        Literal["owner", "gone", "failing"] | None,
        Meta(
            description="Why it is disabled: `owner`; `gone`: it answered 410; `failing`: it failed for days. "
            "Null: it is enabled."
        ),
    ]


EventData = (
    PaymentData
    | ConversionData
    | BankMovementData
    | MandateData
    | RequestData
    | ObservationData
    | CorrectionData
    | WalletData
    | PolicyData
    | ApiKeyData
    | PasskeyData
    | SessionData
    | RecoveryCodesData
    | NotificationAddressData
    | WebhookData
)


#: The objects, by the name in `object`.
OBJECTS: Final[Mapping[str, type[Struct]]] = {str(kind.__struct_config__.tag): kind for kind in get_args(EventData)}


class EventView(Struct):
    """An event of a wallet. An event never changes; new fields and types may be added."""

    id: EventIdText
    type: Annotated[str, one_of(TYPES, "What happened.")]
    created_at: Time
    api_version: Annotated[Literal["v1"], Meta(description="The version of the format of `data`.")]
    wallet_id: WalletIdText
    sequence: Annotated[
        int, Meta(description="Numbers this wallet's events of the same object, from 1 and without gaps.")
    ]
    data: Annotated[EventData, Meta(description="The object, as it was at that moment.")]


class EventsPage(Struct):
    items: list[EventView]
    has_more: Annotated[bool, Meta(description="Whether more events match now.")]
    next_cursor: Annotated[
        EventIdText | None,
        Meta(description="Pass it as `after` (newest first: as `before`) to continue, now or later; null: start over."),
    ]
