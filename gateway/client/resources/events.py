"""Events: the list, and the stream, which reconnects on its own.

A stream is read from a position in the log, which is the id of an event. If the caller gives none, the client asks for
the newest event before it opens the stream, so events that occur while the first connection fails are not missed.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from secrets import SystemRandom
from typing import Any, Final, Literal

import httpx
import msgspec
from msgspec import Struct

from gateway.api.events.shapes import EventView
from gateway.client.calls import Calls
from gateway.client.exceptions import NoAnswer, ProblemError
from gateway.client.retry import is_worth_repeating
from gateway.client.sync_async import Mode, Resource, iterator
from gateway.client.transport import Opened

#: How long a stream may be silent, in seconds: the gateway sends a comment every 15.
SILENCE_SECONDS: Final = 45.0


class UnknownEvent(Struct):
    """An event that this version of the client does not know, since types and fields are added over time. `data` is the
    JSON as received, with the kind of object in `object`. Also used if the object was too large for a webhook.
    """

    id: str
    type: str
    created_at: str
    api_version: str
    wallet_id: str
    sequence: int
    data: dict[str, Any]


Event = EventView | UnknownEvent


class _Page(Struct):
    items: list[msgspec.Raw]
    has_more: bool
    next_cursor: str | None


class Events(Resource[Mode]):
    @iterator
    async def list(
        self,
        *,
        after: str | None = None,
        before: str | None = None,
        order: Literal["oldest_first", "newest_first"] = "oldest_first",
        of_type: str | None = None,
        of_object: str | None = None,
        since: str | None = None,
        until: str | None = None,
        page_size: int = 200,
    ) -> AsyncGenerator[Event, None]:
        """List the wallet's events up to now. `of_type` is a type, such as `payment.settled`, or `payment.*`;
        `of_object` the id of one object; `after` and `before` are ids of events.
        """
        wanted = {"type": of_type, "object": of_object, "from": since, "until": until, "order": order}
        while True:
            place = {"after": after, "before": before}
            page = await self._calls.get("/v1/events", _Page, limit=page_size, **wanted, **place)
            for item in page.items:
                yield read_event(bytes(item))
            if not page.has_more:
                return
            if order == "oldest_first":
                after = page.next_cursor
            else:
                before = page.next_cursor

    @iterator
    async def stream(self, *, after: str | None = None, of_type: str | None = None) -> AsyncGenerator[Event, None]:
        """Stream events without an end, from now on or after the event with the id `after`. A broken connection is
        reopened where it stopped.

        Raises ProblemError, such as for a key that was revoked, and NoAnswer if the gateway does not answer for
        `Retry.seconds`.
        """
        async with aclosing(_followed(self._calls, after or await newest(self._calls), of_type)) as followed:
            async for event in followed:
                yield event


async def newest(calls: Calls) -> str | None:
    """The id of the newest event."""
    page = await calls.get("/v1/events", _Page, limit=1, order="newest_first")
    return read_event(bytes(page.items[0])).id if page.items else page.next_cursor


def read_event(text: bytes) -> Event:
    """An event from its JSON."""
    try:
        return msgspec.json.decode(text, type=EventView)
    except msgspec.ValidationError:
        return msgspec.json.decode(text, type=UnknownEvent)


async def _followed(calls: Calls, after: str | None, of_type: str | None) -> AsyncGenerator[Event, None]:
    """The stream over any number of connections."""
    away_since: float | None = None
    attempt = 0
    while True:
        failure: ProblemError | NoAnswer | None = None
        try:
            async with aclosing(_connection(calls, after, of_type, SILENCE_SECONDS)) as connection:
                async for event in connection:
                    away_since, attempt = None, 0
                    if event is not None:
                        after = event.id
                        yield event
        except (ProblemError, NoAnswer) as refusal:
            if isinstance(refusal, ProblemError) and not is_worth_repeating(refusal.status, refusal.code, True):
                raise
            failure = refusal
        except httpx.HTTPError as gone:
            failure = NoAnswer(calls.url, "no connection" if isinstance(gone, httpx.ConnectError) else "it broke off")
        away_since = time.monotonic() if away_since is None else away_since
        pause = calls.retry.pause(attempt, None, SystemRandom().random())
        if failure is not None and time.monotonic() + pause > away_since + calls.retry.seconds:
            raise failure
        attempt += 1
        await calls.sleep(pause)


async def when_it_may_have_changed(calls: Calls, id: str, ends: float | None) -> AsyncGenerator[None, None]:
    """Yield at once, and again whenever the payment may have changed, until `ends` (by time.monotonic)."""
    after, attempt = await newest(calls), 0
    while True:
        yield
        left = SILENCE_SECONDS if ends is None else min(SILENCE_SECONDS, ends - time.monotonic())
        if left <= 0:
            return
        try:
            async with aclosing(_connection(calls, after, "payment.*", left)) as connection:
                async for event in connection:
                    attempt = 0
                    if event is not None:
                        after = event.id
                        if getattr(event.data, "id", None) == id:
                            yield
                    if ends is not None and ends - time.monotonic() < left - 1:
                        break  # the next silence may not be longer than the remaining time
        except ProblemError as refusal:
            if not is_worth_repeating(refusal.status, refusal.code, True):
                raise
        except (NoAnswer, httpx.HTTPError):
            pass  # the caller gets the payment next, which raises it
        pause = calls.retry.pause(attempt, None, SystemRandom().random())
        attempt += 1
        await calls.sleep(pause if ends is None else max(0.0, min(pause, ends - time.monotonic())))


async def _connection(
    calls: Calls, after: str | None, of_type: str | None, read_seconds: float
) -> AsyncGenerator[Event | None, None]:
    """The events of one connection; None once when it is open, and for each comment.

    Raises ProblemError, NoAnswer, and httpx.HTTPError if the connection cannot be opened or breaks.
    """
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": after} if after else {})}
    async with calls.open("/v1/events/stream", {"type": of_type}, headers, read_seconds) as opened:
        yield None
        async with aclosing(_lines(opened)) as lines:
            async for line in lines:
                if line.startswith(b"data: "):
                    yield read_event(line[len(b"data: ") :])
                elif line.startswith(b":"):
                    yield None


async def _lines(opened: Opened) -> AsyncGenerator[bytes, None]:
    """The lines of an event stream. httpx would also split at Unicode line breaks, which a memo may contain."""
    rest = b""
    async for part in opened.parts():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
