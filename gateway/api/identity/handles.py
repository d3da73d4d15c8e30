"""Claim a handle, and look one up."""

from typing import Annotated

from litestar import get, post
from litestar.params import PathParameter

from gateway.api.identity.shapes import ClaimRequest, HandleView, NewHandleView
from gateway.api.identity.views import handle_view
from gateway.http.services import Services
from gateway.identity import wallet
from gateway.ids import show


@post(
    "/v1/handles",
    tags=["Handles"],
    summary="Claim a handle",
    needs="nothing",
    counts="sign-ups",
    problems=("invalid_handle", "handle_taken", "in_recovery"),
)
async def claim_handle(data: ClaimRequest, services: Services) -> NewHandleView:
    """Creates a wallet under the handle, with an address on the chain and an API key that acts for it. The key is shown
    once. With `api_key_hash` the caller generates the key, and the call can be retried if its answer was lost.
    """
    async with services.database.transaction() as connection:
        if data.api_key_hash is None:
            claimed, api_key = await wallet.claim(connection, services.vault, data.handle, services.clock())
        else:
            made, api_key = bytes.fromhex(data.api_key_hash), None
            claimed = await wallet.claim_with(connection, services.vault, data.handle, made, services.clock())
    return NewHandleView(claimed.handle, show("wal", claimed.id), claimed.address, api_key)


@get(
    "/v1/handles/{handle:str}",
    tags=["Handles"],
    summary="Get a handle",
    needs="nothing",
    counts="look-ups",
    problems=("invalid_handle", "unknown_handle"),
)
async def get_handle(
    handle: Annotated[
        str, PathParameter(description="The handle, with or without the @.", schema_extra={"examples": ["alice"]})
    ],
    services: Services,
) -> HandleView:
    """Returns the wallet id and the address of a handle, to anybody."""
    async with services.database.reading() as connection:
        return handle_view(await wallet.open_by_handle(connection, handle))
