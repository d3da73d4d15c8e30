"""The client, synchronous and asynchronous."""

from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self

import httpx

from gateway.client.calls import ApiKey, Calls
from gateway.client.exceptions import NoAnswer
from gateway.client.resources.bank import Bank
from gateway.client.resources.events import Events
from gateway.client.resources.grants import ApiKeys, Mandates
from gateway.client.resources.handles import Handles
from gateway.client.resources.notifications import Notifications
from gateway.client.resources.payments import Payments
from gateway.client.resources.protection import Passkeys, Policy, Sessions
from gateway.client.resources.requests import Requests
from gateway.client.resources.wallet import WalletCalls
from gateway.client.resources.webhooks import Webhooks
from gateway.client.retry import Retry
from gateway.client.sync_async import Async, Mode, Sync, finished
from gateway.client.transport import AsyncTransport, SyncTransport, Transport

#: How long one answer may take, in seconds.
ANSWER_SECONDS = 30.0

_RETRY = Retry()


class _Client(Generic[Mode]):
    """What both clients share. `calls` makes calls that have no method here."""

    _transport: Callable[[str, float, bool], Transport]

    def __init__(
        self,
        url: str,
        api_key: ApiKey = None,
        *,
        retry: Retry = _RETRY,
        answer_seconds: float = ANSWER_SECONDS,
        trust_env: bool = True,
    ) -> None:
        try:
            transport = self._transport(url, answer_seconds, trust_env)
        except httpx.InvalidURL:
            raise NoAnswer(url, "it is not a URL") from None
        self.calls = Calls(transport, url, api_key, retry)
        self.payments: Payments[Mode] = Payments(self.calls)
        self.requests: Requests[Mode] = Requests(self.calls)
        self.wallet: WalletCalls[Mode] = WalletCalls(self.calls)
        self.handles: Handles[Mode] = Handles(self.calls)
        self.bank: Bank[Mode] = Bank(self.calls)
        self.events: Events[Mode] = Events(self.calls)
        self.webhooks: Webhooks[Mode] = Webhooks(self.calls)
        self.notifications: Notifications[Mode] = Notifications(self.calls)
        self.api_keys: ApiKeys[Mode] = ApiKeys(self.calls)
        self.mandates: Mandates[Mode] = Mandates(self.calls)
        self.policy: Policy[Mode] = Policy(self.calls)
        self.sessions: Sessions[Mode] = Sessions(self.calls)
        self.passkeys: Passkeys[Mode] = Passkeys(self.calls)


class Client(_Client[Sync]):
    """A synchronous client of the gateway at `url`. Threads may share it.

    `api_key` is a key, or a function that returns one for each attempt; without it, only public calls succeed. `retry`
    says for how long calls are retried. With `trust_env`, the proxies of the environment are used.
    """

    _transport = SyncTransport

    def close(self) -> None:
        finished(self.calls.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Client[Async]):
    """An asynchronous client, with coroutines and asynchronous iterators, for asyncio. Its arguments are Client's."""

    _transport = AsyncTransport

    async def close(self) -> None:
        await self.calls.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
