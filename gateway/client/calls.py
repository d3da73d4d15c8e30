"""One call: its idempotency key, its retries, and the meaning of its answer.

A call that moves money uses one idempotency key for all attempts: the caller's, or one made before the first attempt.
If the answer to an attempt was lost, a later refusal that did not look at the key (401, 429, 503, …) does not prove
that no money moved. The outcome is then unknown, and OutcomeUnknown is raised.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, Generic, TypeVar

import httpx
import msgspec

from gateway.client.exceptions import NoAnswer, OutcomeUnknown, ProblemError
from gateway.client.retry import Retry, is_worth_repeating, leaves_outcome_unknown, settles_earlier_attempts
from gateway.client.transport import Opened, Transport
from gateway.retry_after_header import seconds_asked

T = TypeVar("T")

#: Errors that occur before any part of the request is sent.
_NOT_SENT: Final = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError),
    *(httpx.UnsupportedProtocol, httpx.InvalidURL),
)

#: The media type of calls unless they name another.
JSON: Final = "application/json"

#: An API key, or a function that returns one for each try; None: only public calls.
ApiKey = str | Callable[[], str] | None

#: The members of every problem document.
_OF_ALL: Final = frozenset({"type", "title", "status", "detail", "code", "retryable"})


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An answer. If `replayed`, it is the stored first answer to the idempotency key, and no money moved this time."""

    value: T
    replayed: bool


class Calls:
    """Makes calls to one gateway, with one API key or without."""

    def __init__(self, transport: Transport, url: str, api_key: ApiKey, retry: Retry) -> None:
        self.retry = retry
        self.url = url
        self._transport = transport
        self._api_key = api_key

    @property
    def blocking(self) -> bool:
        return self._transport.blocking

    async def get(self, path: str, kind: type[T], **params: object) -> T:
        """Send a GET and return its answer."""
        return (await self.send("GET", path, kind, params=params)).value

    async def move(self, path: str, kind: type[T], body: object, key: str | None) -> T:
        """Send a call that moves money, and return its answer."""
        return (await self.send("POST", path, kind, body, key=key or secrets.token_hex(16))).value

    async def send(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: object = None,
        params: Mapping[str, object] | None = None,
        key: str | None = None,
        repeatable: bool = False,
        signed: bool = True,
        read_seconds: float | None = None,
    ) -> Answer[T]:
        """Send a call. A GET, a call with an idempotency `key` and a `repeatable` call are retried after a lost answer;
        any other call is retried only if it was not sent, or the gateway says that it was not carried out. If not
        `signed`, the call carries no API key. `read_seconds` replaces the client's own read timeout.

        Raises ProblemError, OutcomeUnknown (only with a key) and NoAnswer.
        """
        content = None if body is None else msgspec.json.encode(body)
        build = self._building(method, path, params or {}, content, key, signed=signed, read_seconds=read_seconds)
        response = await self._answered(build, key, repeatable or method == "GET")
        try:
            value = msgspec.json.decode(response.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as unreadable:
            reason = f"what answers there is something else, with status {response.status_code}"
            raise self._no_answer(reason, key) from unreadable
        return Answer(value, response.headers.get("idempotency-replayed") == "true")

    async def exchange(self, path: str, content: bytes, media_type: str, key: str, read_seconds: float) -> bytes:
        """POST a body of another media type and return the answer's body. Retried as in `send`."""
        build = self._building("POST", path, {}, content, key, media_type=media_type, read_seconds=read_seconds)
        return (await self._answered(build, key, True)).content

    @asynccontextmanager
    async def open(
        self, path: str, params: Mapping[str, object], headers: Mapping[str, str], read_seconds: float
    ) -> AsyncIterator[Opened]:
        """Send a GET and stream its answer; its parts may be `read_seconds` apart. It is not retried.

        Raises ProblemError, NoAnswer and httpx.HTTPError.
        """
        request = self._building("GET", path, params, None, None, read_seconds=read_seconds)()
        request.headers.update(headers)
        async with self._transport.open(request) as opened:
            if opened.response.is_error:
                await opened.read()
                raise self._refusal(opened.response, None)
            yield opened

    async def sleep(self, seconds: float) -> None:
        await self._transport.sleep(seconds)

    async def close(self) -> None:
        await self._transport.close()

    async def _answered(self, build: Callable[[], httpx.Request], key: str | None, repeatable: bool) -> httpx.Response:
        """Send until there is a successful response, and return it."""
        repeatable = repeatable or key is not None
        ends, lost, reason = time.monotonic() + self.retry.seconds, False, ""
        for attempt in count():
            asked, refusal, again = None, None, True
            try:
                response = await self._transport.send(build())
            except _NOT_SENT as gone:
                again = not isinstance(gone, (httpx.InvalidURL, httpx.UnsupportedProtocol))
                reason = "no connection" if again else "it is not a URL"
            except httpx.HTTPError as gone:
                reason = "no answer in time" if isinstance(gone, httpx.TimeoutException) else "the connection broke off"
                lost, again = True, repeatable
            else:
                if not response.is_error:
                    return response
                refusal = self._refusal(response, key)
                code = refusal.code if isinstance(refusal, ProblemError) else ""
                asked = seconds_asked(response.headers.get("Retry-After", ""), datetime.now(UTC))
                again = is_worth_repeating(response.status_code, code, repeatable)
                lost = leaves_outcome_unknown(response.status_code, code) or (
                    lost and not settles_earlier_attempts(response.status_code, code)
                )
                reason = str(refusal)
            pause = self.retry.pause(attempt, asked, secrets.SystemRandom().random())
            if not again or time.monotonic() + pause > ends:
                if lost and key is not None:
                    raise OutcomeUnknown(self.url, key, reason) from refusal
                raise refusal or NoAnswer(self.url, reason, lost)
            await self._transport.sleep(pause)
        raise AssertionError  # count() has no end

    def _building(
        self,
        method: str,
        path: str,
        params: Mapping[str, object],
        content: bytes | None,
        key: str | None,
        *,
        signed: bool = True,
        media_type: str = JSON,
        read_seconds: float | None = None,
    ) -> Callable[[], httpx.Request]:
        """A function that makes the request of an attempt. All attempts send the same."""

        def build() -> httpx.Request:
            headers = {"Accept": media_type}
            if signed and self._api_key is not None:
                headers["Authorization"] = f"Bearer {self._api_key() if callable(self._api_key) else self._api_key}"
            if key is not None:
                headers["Idempotency-Key"] = key
            if content is not None:
                headers["Content-Type"] = media_type
            request = self._transport.build(method, path, headers, _texts(params), content)
            if read_seconds is not None:
                request.extensions["timeout"] = {**request.extensions["timeout"], "read": read_seconds}
            return request

        return build

    def _refusal(self, response: httpx.Response, key: str | None) -> ProblemError | NoAnswer:
        """The error that a response stands for."""
        try:
            document = msgspec.json.decode(response.content, type=dict[str, Any])
            return ProblemError(
                code=str(document["code"]),
                status=response.status_code,
                detail=str(document.get("detail", "refused")),
                retryable=bool(document.get("retryable")),
                values={name: value for name, value in document.items() if name not in _OF_ALL},
                type=str(document.get("type", "")),
                request_id=response.headers.get("x-request-id"),
                idempotency_key=key,
            )
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
            return NoAnswer(self.url, f"what answers there is something else, with status {response.status_code}")

    def _no_answer(self, reason: str, key: str | None) -> OutcomeUnknown | NoAnswer:
        return NoAnswer(self.url, reason) if key is None else OutcomeUnknown(self.url, key, reason)


def _texts(params: Mapping[str, object]) -> dict[str, str]:
    """The query parameters that have a value."""
    return {name: str(value) for name, value in params.items() if value is not None}
