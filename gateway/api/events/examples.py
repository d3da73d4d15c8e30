"""Examples of answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from gateway.api.events.shapes import EventsPage, EventView, PaymentData
from gateway.api.example_values import ALICE, NOW
from gateway.api.payments.examples import SETTLED

EVENT = EventView(
    id="evt_01h455vb4py0080000000000gh",
    type="payment.settled",
    created_at=NOW,
    api_version="v1",
    wallet_id=ALICE,
    sequence=1,
    data=PaymentData(*astuple(SETTLED)),
)

#: An event of each stream, by its operation id.
STREAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "stream_events": {"id": EVENT.id, "event": EVENT.type, "data": msgspec.json.encode(EVENT).decode()}
}

#: The answer of each call, by its operation id.
ANSWERS: Final[Mapping[str, Struct]] = {"list_events": EventsPage([EVENT], True, EVENT.id)}
