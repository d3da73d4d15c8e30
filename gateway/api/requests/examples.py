"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.api.example_values import MONTH_LATER, NOW, SECOND_LATER
from gateway.api.payments.shapes import NothingRequest
from gateway.api.requests.shapes import NewRequest, RequestsPage, RequestView

REQUEST = RequestView(
    id="req_01h455vb4pex5vsknk084sn02q",
    state="open",
    from_="@bob",
    to="@alice",
    amount="12.50",
    asset="EUR",
    memo="dinner",
    payment=None,
    created_at=NOW,
    expires_at=MONTH_LATER,
    ended_at=None,
)

#: The request of each call, by its operation id.
REQUESTS: Final[Mapping[str, Struct]] = {
    "create_request": NewRequest("@bob", "12.50", "EUR", "dinner"),
    "decline_request": NothingRequest(),
    "cancel_request": NothingRequest(),
}

#: The answer of each call, by its operation id.
ANSWERS: Final[Mapping[str, Struct]] = {
    "create_request": REQUEST,
    "list_requests": RequestsPage([REQUEST], None),
    "get_request": REQUEST,
    "decline_request": replace(REQUEST, state="declined", ended_at=SECOND_LATER),
    "cancel_request": replace(REQUEST, state="cancelled", ended_at=SECOND_LATER),
}
