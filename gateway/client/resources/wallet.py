"""The caller's wallet: balances and statements."""

from collections.abc import AsyncGenerator

from gateway.api.wallets.shapes import EntriesPage, EntryView, StatementView, WalletView
from gateway.client.sync_async import Mode, Resource, call, iterator


class WalletCalls(Resource[Mode]):
    @call
    async def get(self, at: str | None = None) -> WalletView:
        """The wallet and its balances now, or `at` a past time (RFC 3339)."""
        return await self._calls.get("/v1/wallet", WalletView, at=at)

    @call
    async def statement(
        self,
        month: str | None = None,
        since: str | None = None,
        until: str | None = None,
        time_zone: str = "UTC",
        asset: str | None = None,
    ) -> StatementView:
        """The statement of a period, per asset: the opening balance, the sums paid in and out, and the closing balance.
        The period is a month of the time zone (`2026-11`), or from `since` until before `until` (RFC 3339).
        """
        asked = {"month": month, "from": since, "until": until, "time_zone": time_zone, "asset": asset}
        return await self._calls.get("/v1/statement", StatementView, **asked)

    @iterator
    async def entries(
        self, asset: str, since: str | None = None, until: str | None = None, page_size: int = 200
    ) -> AsyncGenerator[EntryView, None]:
        """The statement of one asset, newest first, from `since` on and before `until` (RFC 3339)."""
        cursor: str | None = None
        while True:
            span = {"from": since, "until": until, "cursor": cursor}
            page = await self._calls.get("/v1/entries", EntriesPage, asset=asset, limit=page_size, **span)
            for entry in page.items:
                yield entry
            if (cursor := page.next_cursor) is None:
                return
