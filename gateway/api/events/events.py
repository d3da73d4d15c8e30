"""GET /v1/events: the events of the caller's wallet, in order, in both directions."""

from typing import Annotated, Literal
from uuid import UUID

from litestar import get
from litestar.params import QueryParameter

from gateway.api.events.catalogue import types_named
from gateway.api.events.shapes import EventsPage
from gateway.api.events.views import views
from gateway.errors import InvalidRequest
from gateway.events import event_id, log
from gateway.events.log import END, EventFilter
from gateway.http.request.parameters import Limit, refused
from gateway.http.request.times import period_of, time_parameter
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.ids import read

After = Annotated[str | None, QueryParameter(description="An event's id, or `next_cursor`: events after it.")]
Before = Annotated[str | None, QueryParameter(description="An event's id, or `next_cursor`: events before it.")]
Order = Annotated[Literal["oldest_first", "newest_first"], QueryParameter(description="The order of the events.")]
Type = Annotated[
    str | None, QueryParameter(name="type", description="Events of this type, or of a group such as `payment.*`.")
]
Object = Annotated[
    str | None, QueryParameter(name="object", description="Events of this object, by its id, such as a payment's.")
]


@get("/v1/events", tags=["Events"], summary="List events", needs="read")
async def list_events(
    services: Services,
    caller: Wallet,
    after: After = None,
    before: Before = None,
    order: Order = "oldest_first",
    type_: Type = None,
    object_: Object = None,
    from_: Annotated[str | None, time_parameter("from", "Made at this time (RFC 3339) or later.")] = None,
    until: Annotated[str | None, time_parameter("until", "Made before this time (RFC 3339).")] = None,
    limit: Limit = 50,
) -> EventsPage:
    """The events of the wallet, oldest first. A reader that continues from `next_cursor` misses no event and sees none
    twice, whatever is written meanwhile. A page may have fewer events than `limit`, or none, while `has_more` is true.
    """
    where = EventFilter(
        types_named(type_) if type_ is not None else None,
        _object(object_) if object_ is not None else None,
        *period_of("from", from_, "until", until),
    )
    newest_first = order == "newest_first"
    low = event_number("after", after) if after is not None else 0
    high = event_number("before", before) if before is not None else END
    async with services.database.reading() as connection:
        page = await log.read(connection, caller.id, low, limit, high, where, newest_first)
        items = await views(connection, services.settings.assets, caller.id, page.events)
    given = before if newest_first else after
    return EventsPage(items, page.more, event_id.show(*page.reached) if page.reached else given)


def event_number(name: str, text: str) -> int:
    """The number of the event whose id is given in the query parameter `name`. Raises InvalidRequest."""
    return event_id.number_of(text, "parameter", f"the query parameter {name}")


def _object(text: str) -> UUID:
    """The id in the text, of any kind of object. Raises InvalidRequest."""
    try:
        return read(text.rpartition("_")[0], text)
    except InvalidRequest:
        raise refused("object", text, "it should be the id of an object, such as a payment's (pay_…)") from None
