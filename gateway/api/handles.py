"""Sign up, and see what is public of a handle."""

from litestar import get, post

from gateway.api.house import House
from gateway.api.shapes import ClaimRequest, HandleView, NewHandleView
from gateway.api.views import handle_view
from gateway.identity import wallet
from gateway.ids import show


@post("/v1/handles", tags=["handles"], summary="Claim a handle", needs="nothing", counts="sign-ups")
async def claim_handle(data: ClaimRequest, house: House) -> NewHandleView:
    """A new wallet under the handle, with an address on the chain, and the API key that speaks for it."""
    async with house.database.transaction() as connection:
        if data.api_key_hash is None:
            claimed, api_key = await wallet.claim(connection, house.vault, data.handle, house.clock())
        else:
            made, api_key = bytes.fromhex(data.api_key_hash), None
            claimed = await wallet.claim_with(connection, house.vault, data.handle, made, house.clock())
    return NewHandleView(claimed.handle, show("wal", claimed.id), claimed.address, api_key)


@get(
    "/v1/handles/{handle:str}",
    tags=["handles"],
    summary="What is public of a handle",
    needs="nothing",
    counts="look-ups",
)
async def show_handle(handle: str, house: House) -> HandleView:
    """The wallet id and the address behind a handle."""
    async with house.database.reading() as connection:
        return handle_view(await wallet.by_handle(connection, handle))
