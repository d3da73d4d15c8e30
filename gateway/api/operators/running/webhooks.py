"""List failing endpoints of all wallets; retry one."""

from typing import Annotated

from litestar import get, post

from gateway.api.operators.running.shapes import FailingWebhooksPage, RetriedWebhookView, RetryRequest
from gateway.api.operators.running.views import failing_view
from gateway.api.webhooks.webhooks import WHAT
from gateway.http.request.cursor import cursor_position, cursor_text
from gateway.http.request.parameters import Cursor, Limit, id_of, path_id
from gateway.http.services import Services
from gateway.ids import NEWEST, read
from gateway.operators import operators
from gateway.operators.operators import Operator
from gateway.webhooks import failing
from gateway.webhooks.vocabulary import PREFIX

WebhookPath = Annotated[str, path_id(PREFIX, "The webhook's id.")]


@get("/v1/operator/webhooks/failing", tags=["Operators"], summary="List webhooks that fail", needs="operator")
async def list_failing_webhooks(
    services: Services, operator: Operator, limit: Limit = 50, cursor: Cursor = None
) -> FailingWebhooksPage:
    """Lists endpoints of all wallets whose recent deliveries have all failed, and those that were disabled for that,
    newest first. Endpoints that their owners disabled are left out.
    """
    before = read(PREFIX, cursor_position(cursor)) if cursor else NEWEST
    async with services.database.reading() as connection:
        found = await failing.failing(connection, before, limit)
    more = cursor_text(found[-1].endpoint.shown_id) if len(found) == limit else None
    return FailingWebhooksPage([failing_view(one) for one in found], more)


@post(
    "/v1/operator/webhooks/{id:str}/retry",
    tags=["Operators"],
    summary="Try a failing webhook again",
    status_code=200,
    needs="operator",
    task="webhooks.redeliver",
    problems=("not_found", "state_conflict"),
)
async def retry_webhook(
    id: WebhookPath, data: RetryRequest, services: Services, operator: Operator
) -> RetriedWebhookView:
    """Enables the endpoint if it was disabled because of failures, and sends its pending deliveries at once; with
    `since`, events since then are redelivered, too. An endpoint that its owner disabled stays disabled.
    """
    of = id_of(PREFIX, id, WHAT)
    async with services.database.transaction() as connection:
        await operators.authorize(connection, operator, "webhooks.redeliver")
        found = await failing.try_again(connection, of, data.since, operator.by, services.clock())
    return RetriedWebhookView(found.shown_id, found.disabled_by is None)
