"""All payments, and the timeline of one."""

from typing import Annotated, Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.datastructures import State as AppState
from litestar.params import PathParameter
from litestar.response import Redirect

from gateway.api.operators.running.payments import get_payment_timeline, list_all_payments
from gateway.api.operators.running.receipts import any_receipt_of
from gateway.api.operators.running.solvency import get_solvency_over_time
from gateway.errors import GatewayError
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.payments.model.state import State
from gateway.web.console.page import address, console_answer, console_page
from gateway.web.console.running.states import event_name
from gateway.web.console.running.steps import shown
from gateway.web.console.running.totals import is_reconciled
from gateway.web.owned import reader_for
from gateway.web.problems import why_of
from gateway.web.wallet.payments import file_of

#: How many payments are on a page.
_PAGE = 15


@console_page("/console/payments")
async def all_payments_page(request: Request[Any, Any, Any], services: Services, operator: Operator) -> Response[bytes]:
    """The newest payments of all wallets, or of a handle; an id leads to its payment."""
    asked, reader = request.query_params, reader_for(request)
    find, state = asked.get("find", "").strip(), asked.get("state", "")
    if find.startswith("pay_"):
        return Redirect(f"/console/payments/{quote(find, safe='')}", status_code=303)
    wanted, why, items, cursor = find.removeprefix("@").lower() or None, "", [], None
    try:
        in_state = State(state) if wanted and state in set(State) else None
        page = await list_all_payments.fn(services, operator, _PAGE, asked.get("cursor"), wanted, in_state)
        items, cursor = page.items, page.next_cursor
    except GatewayError as refused:
        why = why_of(refused, reader)
    kept = {name: value for name, value in (("find", find), ("state", state)) if value}
    return console_answer(
        request,
        operator,
        "console/payments.html",
        payments=items,
        more=address("/console/payments", **kept, cursor=cursor) if cursor else "",
        newest=address("/console/payments", **kept) if asked.get("cursor") else "",
        find=find,
        state=state,
        states=[one.value for one in State],
        event_name=lambda kind: event_name(kind, reader),
        why=why,
    )


@console_page("/console/payments/{id:str}")
async def payment_life_page(
    id: Annotated[str, PathParameter()],
    request: Request[Any, Any, Any],
    services: Services,
    state: AppState,
    operator: Operator,
) -> Response[bytes]:
    """The timeline of a payment: each step with its effects, and whether the asset's totals add up."""
    timeline, reader = await get_payment_timeline.fn(id, services, operator), reader_for(request)
    solvency = await get_solvency_over_time.fn(services, state, operator, 1)
    token = next((one for one in solvency.items if one.asset == timeline.payment.asset), None)
    return console_answer(
        request,
        operator,
        "console/payment.html",
        timeline=timeline,
        payment=timeline.payment,
        steps=shown(timeline, reader),
        event_name=lambda kind: event_name(kind, reader),
        block=next((one.details["block"] for one in timeline.steps if one.kind == "final"), None),
        token=token,
        is_reconciled=token is not None and is_reconciled(token, solvency),
    )


@console_page("/console/payments/{id:str}/receipt")
async def any_receipt_page(
    id: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, operator: Operator
) -> Response[bytes]:
    """The receipt of a payment, to print and to keep."""
    receipt = await any_receipt_of(services, operator, id, reader_for(request).language)
    file = file_of(f"/v1/operator/payments/{receipt.id}/receipt.pdf", receipt)
    return console_answer(request, operator, "console/receipt.html", receipt=receipt, file=file)
