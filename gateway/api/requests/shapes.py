"""The bodies of requests and answers. Requests refuse unknown fields."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gateway.api.fields import (
    Amount,
    AssetCode,
    Decimal,
    MemoText,
    NextCursor,
    Party,
    PaymentIdText,
    RequestIdText,
    Time,
)
from gateway.http.schema import one_of
from gateway.payments.requests.state import STATES


class NewRequest(Struct, forbid_unknown_fields=True, omit_defaults=True, rename={"from_": "from"}):
    """A new request: the payer and the amount."""

    from_: Annotated[str, Meta(description="The payer's handle.", examples=["@bob"])]
    amount: Amount
    asset: AssetCode
    memo: MemoText | None = None
    expires_at: (
        Annotated[datetime, Meta(tz=True, description="Until when it is open; null: 30 days from now.")] | None
    ) = None


class RequestView(Struct, rename={"from_": "from"}):
    """A request for money: `to` requests an amount from `from`."""

    id: RequestIdText
    state: Annotated[str, one_of(STATES, "The request's state.")]
    from_: Party
    to: Party
    amount: Decimal
    asset: AssetCode
    memo: MemoText | None
    payment: Annotated[
        PaymentIdText | None,
        Meta(description="The payment that pays it; null: none yet. `to` sees it once `from` has approved it."),
    ]
    created_at: Time
    expires_at: Annotated[Time, Meta(description="Until when it can be paid.")]
    ended_at: Annotated[Time | None, Meta(description="When it was paid, declined or cancelled.")]


class RequestsPage(Struct):
    items: list[RequestView]
    next_cursor: NextCursor
