"""The delivery log, redeliveries and test events."""

from typing import Annotated

from litestar import get, post
from litestar.params import QueryParameter

from gateway.api.fields import check_time
from gateway.api.webhooks.shapes import DeliveriesPage, RedeliveryRequest, WebhookView
from gateway.api.webhooks.views import delivery_view, webhook_view
from gateway.api.webhooks.webhooks import WHAT, WebhookPath
from gateway.errors import InvalidRequest
from gateway.events import event_id
from gateway.events.log import END
from gateway.http.request.cursor import cursor_number, cursor_text
from gateway.http.request.parameters import Cursor, Limit, id_of
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.webhooks import delivery, endpoint
from gateway.webhooks.vocabulary import PREFIX, State


@get(
    "/v1/webhooks/{id:str}/deliveries",
    tags=["Webhooks"],
    summary="List deliveries",
    needs="webhooks",
    problems=("not_found",),
)
async def list_deliveries(
    id: WebhookPath,
    services: Services,
    caller: Wallet,
    state_: Annotated[
        State | None,
        QueryParameter(name="state", description="Deliveries in this state."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveriesPage:
    """Lists each event that was or will be sent to the endpoint, with its attempts and their outcomes, newest event
    first. A delivery that has ended is listed for 30 days.
    """
    of = id_of(PREFIX, id, WHAT)
    before = END if cursor is None else cursor_number(cursor)
    async with services.database.reading() as connection:
        found = await endpoint.endpoint(connection, caller.id, of)
        rows = await delivery.deliveries(connection, found, state_, before, limit + 1)
    more = cursor_text(str(rows[limit - 1].event)) if len(rows) > limit else None
    return DeliveriesPage([delivery_view(one) for one in rows[:limit]], more)


@post(
    "/v1/webhooks/{id:str}/redeliveries",
    tags=["Webhooks"],
    summary="Deliver events again",
    status_code=202,
    needs="webhooks",
    problems=("not_found",),
)
async def redeliver(id: WebhookPath, data: RedeliveryRequest, services: Services, caller: Wallet) -> WebhookView:
    """Redelivers one event, of any type, or all of the endpoint's events since a time, in order and before newer ones.
    Their ids stay the same.
    """
    of = id_of(PREFIX, id, WHAT)
    if (data.event is None) == (data.since is None):
        raise InvalidRequest("redelivery", "send either 'event', or 'since' to redeliver all events from that time on")
    async with services.database.transaction() as connection:
        if data.since is not None:
            check_time("since", data.since)
            return webhook_view(await endpoint.read_from(connection, caller.id, of, data.since))
        found = await endpoint.lock(connection, caller.id, of)
        number = event_id.number_of(data.event or "", "event", "'event'")
        await delivery.deliver_again(connection, found, number, services.clock())
        return webhook_view(found)


@post(
    "/v1/webhooks/{id:str}/test",
    tags=["Webhooks"],
    summary="Send a test event",
    status_code=202,
    needs="webhooks",
    problems=("not_found", "state_conflict"),
)
async def test_webhook(id: WebhookPath, services: Services, caller: Wallet) -> WebhookView:
    """Creates a `webhook.test` event, which is sent to this endpoint only, whatever its types."""
    of = id_of(PREFIX, id, WHAT)
    async with services.database.transaction() as connection:
        return webhook_view(await endpoint.test(connection, caller.id, of, services.clock()))
