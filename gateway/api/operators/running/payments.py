"""All payments, and the timeline of one."""

from typing import Annotated, Final

from litestar import get
from litestar.params import QueryParameter

from gateway.api.fields import HandleText
from gateway.api.operators.running.shapes import OperatorPaymentsPage, PaymentTimelineView
from gateway.api.operators.running.views import timeline_view
from gateway.api.payments.views import payment_view
from gateway.errors import InvalidRequest
from gateway.http.request.cursor import cursor_position, cursor_text
from gateway.http.request.parameters import Cursor, Limit, id_of, path_id
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.ids import NEWEST, PaymentId, read, show
from gateway.operators.operators import Operator
from gateway.payments.model.state import State
from gateway.payments.records import search
from gateway.payments.timeline import find, rows
from gateway.payments.timeline.timeline import timeline_of

PaymentPath = Annotated[str, path_id("pay", "The payment's id.")]

#: The noun in a NotFound for an unknown id in the path.
WHAT: Final = "such payment"


@get(
    "/v1/operator/payments",
    tags=["Operators"],
    summary="List all payments",
    needs="operator",
    problems=("invalid_handle", "unknown_handle"),
)
async def list_all_payments(
    services: Services,
    operator: Operator,
    limit: Limit = 50,
    cursor: Cursor = None,
    handle: Annotated[HandleText | None, QueryParameter(description="Only payments of this wallet.")] = None,
    in_state: Annotated[
        State | None, QueryParameter(name="state", description="With `handle`: payments in this state.")
    ] = None,
) -> OperatorPaymentsPage:
    """Lists payments of all wallets, or from and to one, newest first. With a state a page may have fewer than `limit`
    payments, although more follow: continue until `next_cursor` is null.
    """
    assets, before = services.settings.assets, PaymentId(read("pay", cursor_position(cursor))) if cursor else NEWEST
    async with services.database.reading() as connection:
        if handle is None:
            if in_state is not None:
                raise InvalidRequest("state", "send a handle with it: the payments of all wallets are not searched")
            page = await find.newest(connection, assets, PaymentId(before), limit)
            last = page[-1].id if len(page) == limit else None
        else:
            of = await wallets.by_handle(connection, handle)
            where = search.PaymentFilter(state=in_state)
            page, last = await search.find(connection, assets, of.id, where, PaymentId(before), limit)
    return OperatorPaymentsPage(
        [payment_view(one, None) for one in page], cursor_text(show("pay", last)) if last else None
    )


@get(
    "/v1/operator/payments/{id:str}",
    tags=["Operators"],
    summary="Get a payment's timeline",
    needs="operator",
    problems=("not_found",),
)
async def get_payment_timeline(id: PaymentPath, services: Services, operator: Operator) -> PaymentTimelineView:
    """Returns the payment and the steps of its timeline, as far as they are stored: request, approval, hold, signature,
    relay, final block, posting, refunds, webhook deliveries and notifications. Deliveries and notifications are kept
    for thirty days.
    """
    of = PaymentId(id_of("pay", id, WHAT))
    async with services.database.snapshot() as connection:
        return timeline_view(timeline_of(await rows.read(connection, services.settings.assets, of)))
