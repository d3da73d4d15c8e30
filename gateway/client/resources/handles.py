"""Handles."""

from urllib.parse import quote

from gateway.api.identity.shapes import ClaimRequest, HandleView, NewHandleView
from gateway.client.sync_async import Mode, Resource, call


class Handles(Resource[Mode]):
    @call
    async def get(self, handle: str) -> HandleView:
        """The public information about a handle. Raises ProblemError (`unknown_handle`, `invalid_handle`)."""
        return await self._calls.get(f"/v1/handles/{quote(handle.removeprefix('@'), safe='')}", HandleView)

    @call
    async def claim(self, handle: str, api_key_hash: str | None = None) -> NewHandleView:
        """Claim a handle. `api_key_hash` is the SHA-256, in hex, of an API key that you have generated and stored: then
        a claim whose answer was lost is retried. Without it the answer has a new key, shown once.
        """
        asked = ClaimRequest(handle, api_key_hash)
        repeatable = api_key_hash is not None
        return (await self._calls.send("POST", "/v1/handles", NewHandleView, asked, repeatable=repeatable)).value
