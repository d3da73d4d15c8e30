"""Requests and answers. Requests with unknown fields are refused."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gateway.api.events.shapes import EventIdText
from gateway.api.fields import NextCursor, Time
from gateway.http.schema import one_of, typed_id
from gateway.outbound.allowed import URL_LENGTH_MAX
from gateway.webhooks.vocabulary import OUTCOMES, PREFIX, DisabledBy, State

WebhookIdText = Annotated[str, typed_id(PREFIX, "A webhook's id.")]
UrlText = Annotated[
    str,
    Meta(
        description=f"An https:// URL at a public address, in up to {URL_LENGTH_MAX} ASCII characters, without a user "
        "and a fragment; on port 443, 80, or one from 1024 on. Redirects are not followed.",
        examples=["https://shop.example/webhooks"],
    ),
]
TypesText = Annotated[
    list[str],
    Meta(
        description="Types of events, `payment.*` for all that begin so, or `*` for all.",
        examples=[["payment.settled", "payment.failed"]],
    ),
]
DescriptionText = Annotated[
    str, Meta(description="For yourself: up to 200 printable characters.", examples=["Web shop"])
]
SecretText = Annotated[
    str,
    Meta(description="Shown this once. What deliveries are signed with, as libraries of Standard Webhooks take it."),
]


class WebhookRequest(Struct, forbid_unknown_fields=True):
    """All settings of an endpoint."""

    url: UrlText
    types: TypesText
    description: DescriptionText = ""
    enabled: Annotated[bool, Meta(description="Whether events are sent to it.")] = True


class WebhookChangesRequest(Struct, forbid_unknown_fields=True):
    """Changes of an endpoint's settings. Fields that are left out or null stay as they are."""

    url: UrlText | None = None
    types: TypesText | None = None
    description: DescriptionText | None = None
    enabled: Annotated[bool, Meta(description="Whether events are sent to it.")] | None = None


class RedeliveryRequest(Struct, forbid_unknown_fields=True):
    """Either one event or a time."""

    event: Annotated[EventIdText, Meta(description="Deliver this event.")] | None = None
    since: (
        Annotated[datetime, Meta(tz=True, description="Deliver what was made at this time or later, in order.")] | None
    ) = None


class WebhookView(Struct):
    id: WebhookIdText
    url: UrlText
    types: TypesText
    description: DescriptionText
    enabled: bool
    disabled_by: Annotated[
        DisabledBy | None,
        Meta(description="`owner`; `gone`: it answered 410; `failing`: it failed for days. Null: it is enabled."),
    ]
    failing_since: Annotated[Time, Meta(description="Nothing came through since then.")] | None
    created_at: Time


class NewWebhookView(WebhookView, kw_only=True):
    secret: SecretText


class WebhookDetailView(WebhookView, kw_only=True):
    old_secret_expires_at: Annotated[
        Time | None, Meta(description="Until then the secret before the last rotation signs, too; null: it does not.")
    ]


class WebhooksPage(Struct):
    items: list[WebhookView]


class RotatedSecretView(Struct):
    id: WebhookIdText
    secret: SecretText
    old_secret_expires_at: Annotated[Time, Meta(description="Until then the secret before it signs, too.")]


class AttemptView(Struct):
    at: Time
    milliseconds: Annotated[int, Meta(ge=0)]
    outcome: Annotated[str, one_of(OUTCOMES, "What came of it.")]
    status: Annotated[int | None, Meta(description="The HTTP status that was answered; null: none was.")]


class DeliveryView(Struct):
    event_id: EventIdText
    type: Annotated[str, Meta(description="The event's type.", examples=["payment.settled"])]
    created_at: Annotated[Time, Meta(description="When the event was made.")]
    state: Annotated[State, Meta(description="`pending`: it is sent, or waits until it is.")]
    next_at: Annotated[Time, Meta(description="When it is tried next, at the earliest; null: never.")] | None
    attempts: Annotated[list[AttemptView], Meta(description="The newest twenty, the latest last.")]


class DeliveriesPage(Struct):
    items: list[DeliveryView]
    next_cursor: NextCursor
