"""Requests for money: create, list, pay, decline and cancel them."""

from collections.abc import AsyncGenerator
from datetime import datetime
from urllib.parse import quote

from gateway.api.payments.shapes import NothingRequest, PaymentRequest, PaymentView
from gateway.api.requests.shapes import NewRequest, RequestsPage, RequestView
from gateway.client.sync_async import Mode, Resource, call, iterator


class Requests(Resource[Mode]):
    @call
    async def create(
        self,
        payer: str,
        amount: str,
        asset: str,
        *,
        memo: str | None = None,
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> RequestView:
        """Request money from `payer`, a handle. The request is open for 30 days, or until `expires_at`.

        Raises ProblemError (`unknown_handle`, `request_limit`, …), OutcomeUnknown and NoAnswer.
        """
        asked = NewRequest(payer, amount, asset, memo, expires_at)
        return await self._calls.move("/v1/requests", RequestView, asked, idempotency_key)

    @call
    async def get(self, id: str) -> RequestView:
        """Get a request. Raises ProblemError (`not_found`)."""
        return await self._calls.get(_path(id), RequestView)

    @iterator
    async def list(
        self,
        *,
        direction: str | None = None,
        state: str | None = None,
        counterparty: str | None = None,
        page_size: int = 200,
    ) -> AsyncGenerator[RequestView, None]:
        """Requests to the wallet (`direction` is `in`) and by it (`out`) that match every filter, newest first."""
        wanted = {"direction": direction, "state": state, "counterparty": counterparty}
        cursor: str | None = None
        while True:
            page = await self._calls.get("/v1/requests", RequestsPage, limit=page_size, cursor=cursor, **wanted)
            for request in page.items:
                yield request
            if (cursor := page.next_cursor) is None:
                return

    @call
    async def pay(self, id: str, *, idempotency_key: str | None = None) -> PaymentView:
        """Pay a request: a payment with its payee, amount, asset and memo.

        Raises ProblemError (`request_not_open`, `insufficient_funds`, …), OutcomeUnknown and NoAnswer.
        """
        asked = payment_of(await self._calls.get(_path(id), RequestView))
        return await self._calls.move("/v1/payments", PaymentView, asked, idempotency_key)

    @call
    async def decline(self, id: str) -> RequestView:
        """Decline a request to the wallet. Raises ProblemError (`not_found`, `state_conflict`)."""
        return await self._end(id, "decline")

    @call
    async def cancel(self, id: str) -> RequestView:
        """Cancel a request by the wallet. Raises ProblemError (`not_found`, `state_conflict`)."""
        return await self._end(id, "cancel")

    async def _end(self, id: str, how: str) -> RequestView:
        path = f"{_path(id)}/{how}"
        return (await self._calls.send("POST", path, RequestView, NothingRequest(), repeatable=True)).value


def payment_of(asked: RequestView) -> PaymentRequest:
    """The payment that pays a request."""
    return PaymentRequest(asked.to, asked.amount, asked.asset, asked.memo, request=asked.id)


def _path(id: str) -> str:
    return f"/v1/requests/{quote(id, safe='')}"
