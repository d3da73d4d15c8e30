"""The policy, sessions and passkeys of the wallet. They are changed on the gateway's pages, since an API key cannot act
as the owner of a wallet with a passkey.
"""

from collections.abc import AsyncGenerator
from urllib.parse import quote

from gateway.api.identity.shapes import PasskeysPage, PasskeyView, SessionsPage, SessionView
from gateway.api.payments.shapes import PolicyView
from gateway.client.sync_async import Mode, Resource, call, iterator


class Policy(Resource[Mode]):
    @call
    async def get(self) -> PolicyView:
        """Which payments need no approval. Raises ProblemError (`not_found`) before the wallet's first passkey."""
        return await self._calls.get("/v1/policy", PolicyView)


class Sessions(Resource[Mode]):
    @iterator
    async def list(self) -> AsyncGenerator[SessionView, None]:
        """The open sessions, newest first."""
        for one in (await self._calls.get("/v1/sessions", SessionsPage)).items:
            yield one

    @call
    async def end(self, id: str) -> SessionView:
        """End a session at once. The key needs the scope `owner`."""
        return (await self._calls.send("DELETE", f"/v1/sessions/{quote(id, safe='')}", SessionView)).value


class Passkeys(Resource[Mode]):
    @iterator
    async def list(self) -> AsyncGenerator[PasskeyView, None]:
        """The valid passkeys, newest first."""
        for one in (await self._calls.get("/v1/passkeys", PasskeysPage)).items:
            yield one
