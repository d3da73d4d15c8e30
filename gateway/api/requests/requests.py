"""Requests for money: create, list, get, decline, cancel. A request is paid by POST /v1/payments, with its id."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import QueryParameter
from msgspec import Struct

from gateway.api.fields import check_time
from gateway.api.payments.idempotency import answer_idempotently
from gateway.api.payments.payments import request_id
from gateway.api.payments.shapes import NothingRequest
from gateway.api.requests.shapes import NewRequest, RequestsPage, RequestView
from gateway.api.requests.views import request_view
from gateway.http.answer.problems import KEY_PROBLEMS, MONEY_PROBLEMS
from gateway.http.request.cursor import cursor_position, cursor_text
from gateway.http.request.parameters import Cursor, Limit, path_id
from gateway.http.services import Services
from gateway.identity.handle import fold
from gateway.identity.wallet import Wallet
from gateway.ids import RequestId, read
from gateway.payments import request_money
from gateway.payments.requests import rows
from gateway.payments.requests.request import PREFIX
from gateway.payments.requests.rows import Direction, RequestFilter
from gateway.payments.requests.state import RequestState
from gateway.postgres.pool import Connection

RequestPath = Annotated[str, path_id(PREFIX, "The request's id.")]


@post(
    "/v1/requests",
    tags=["Requests"],
    summary="Ask a wallet for money",
    needs="pay",
    names=True,
    capped=True,
    problems=(
        *(*MONEY_PROBLEMS, *KEY_PROBLEMS),
        *("invalid_handle", "unknown_handle", "self_payment", "wallet_frozen", "request_limit"),
    ),
)
async def create_request(
    request: Request[Any, Any, Any], data: NewRequest, services: Services, caller: Wallet
) -> Response[RequestView]:
    """Requests money from another wallet. Only the two wallets can see the request. No money moves: the other wallet
    pays or declines it.
    """
    amount = services.settings.assets.of_wallet(data.asset).parse_positive(data.amount)
    if data.expires_at is not None:
        check_time("expires_at", data.expires_at)

    async def operation(connection: Connection, now: datetime) -> tuple[int, Struct]:
        made = await request_money.create(connection, caller, data.from_, amount, data.memo, data.expires_at, now)
        return 201, request_view(made, caller.id)

    return await answer_idempotently(services, request, caller, data, operation)


@get("/v1/requests", tags=["Requests"], summary="List requests", needs="read", problems=("invalid_handle",))
async def list_requests(
    services: Services,
    caller: Wallet,
    limit: Limit = 50,
    cursor: Cursor = None,
    direction: Annotated[
        Direction | None, QueryParameter(description="`in`: requests to the caller; `out`: requests by the caller.")
    ] = None,
    in_state: Annotated[
        RequestState | None, QueryParameter(name="state", description="Only requests in this state.")
    ] = None,
    counterparty: Annotated[
        str | None, QueryParameter(description="The handle of the other side.", schema_extra={"examples": ["@bob"]})
    ] = None,
) -> RequestsPage:
    """Lists requests by and to the caller that match every filter, newest first."""
    before = RequestId(read(PREFIX, cursor_position(cursor))) if cursor else None
    where = RequestFilter(direction, in_state, None if counterparty is None else fold(counterparty))
    async with services.database.reading() as connection:
        assets, now = services.settings.assets, services.clock()
        page = await rows.page(connection, assets, caller.id, where, before, limit, now)
    return RequestsPage(
        [request_view(one, caller.id) for one in page], cursor_text(page[-1].shown_id) if len(page) == limit else None
    )


@get("/v1/requests/{id:str}", tags=["Requests"], summary="Get a request", needs="read", problems=("not_found",))
async def get_request(id: RequestPath, services: Services, caller: Wallet) -> RequestView:
    """Returns a request, to the wallet that made it and the wallet that it is addressed to."""
    async with services.database.reading() as connection:
        assets, now = services.settings.assets, services.clock()
        return request_view(await rows.one(connection, assets, request_id(id), caller.id, now), caller.id)


@post(
    "/v1/requests/{id:str}/decline",
    tags=["Requests"],
    summary="Decline a request",
    status_code=200,
    needs="pay",
    capped=True,
    problems=("not_found", "state_conflict"),
)
async def decline_request(id: RequestPath, data: NothingRequest, services: Services, caller: Wallet) -> RequestView:
    """Declines a request that the caller received. Declining it again changes nothing."""
    async with services.database.transaction() as connection:
        assets, now = services.settings.assets, services.clock()
        return request_view(await request_money.decline(connection, assets, caller.id, request_id(id), now), caller.id)


@post(
    "/v1/requests/{id:str}/cancel",
    tags=["Requests"],
    summary="Cancel a request",
    status_code=200,
    needs="pay",
    capped=True,
    problems=("not_found", "state_conflict"),
)
async def cancel_request(id: RequestPath, data: NothingRequest, services: Services, caller: Wallet) -> RequestView:
    """Cancels a request that the caller made. Cancelling it again changes nothing."""
    async with services.database.transaction() as connection:
        assets, now = services.settings.assets, services.clock()
        return request_view(await request_money.cancel(connection, assets, caller.id, request_id(id), now), caller.id)
