"""GET /v1/events/stream: events as they happen, as server-sent events (WHATWG HTML, 9.2).

Each event carries its id, so a client that reconnects with `Last-Event-ID` misses no event and sees none twice,
whichever process of the gateway answers it. A comment after `HEARTBEAT_SECONDS` without an event shows that the stream
is alive. A stream ends when its credential does, after `OPEN_SECONDS_MAX` at the latest, and when the process stops;
clients reconnect on their own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Stream

from gateway.api.events.catalogue import types_named
from gateway.api.events.events import event_number
from gateway.api.events.views import objects, view, views
from gateway.errors import InvalidRequest
from gateway.events import event_id, log
from gateway.events.hub import Hub, Show, Subscription
from gateway.events.log import EventFilter, LoggedEvent
from gateway.http.services import Services
from gateway.identity.credential import Credential
from gateway.ids import WalletId
from gateway.money import Assets
from gateway.postgres.pool import Connection

#: Seconds without an event until a comment is sent: proxies close a connection that is idle for a minute.
HEARTBEAT_SECONDS: Final = 15.0

#: How long a stream stays open, in seconds: the longest that a caller can continue to read after it lost the right to.
OPEN_SECONDS_MAX: Final = 900.0

#: After how many milliseconds a client reconnects.
_RETRY_MILLISECONDS: Final = 1_000

_HEARTBEAT: Final = b": \n\n"

#: How many earlier events are read at once when a stream is opened.
_PAGE: Final = 200

#: The events that end a credential.
_ENDS: Final = ("api_key.revoked", "session.ended")

After = Annotated[
    str | None, QueryParameter(description="An event's id: start after it. `Last-Event-ID` takes precedence.")
]
Types = Annotated[
    str | None,
    QueryParameter(name="type", description="Events of this type, or of a group such as `payment.*`."),
]


@get(
    "/v1/events/stream",
    tags=["Events"],
    summary="Stream events",
    needs="read",
    problems=("too_many_streams",),
    media_type="text/event-stream",
)
async def stream_events(
    request: Request[Any, Any, Any],
    services: Services,
    credential: Credential,
    after: After = None,
    type_: Types = None,
) -> Stream:
    """Streams the wallet's events as they happen, as server-sent events (WHATWG HTML): `id` is the event's id, `event`
    its type, and `data` the event as `GET /v1/events` returns it. The stream starts with the next event, or after the
    event in `Last-Event-ID` or `after`, so that no event is missed when the client reconnects, which browsers do
    automatically.
    """
    last = request.headers.get("last-event-id")
    kinds = types_named(type_) if type_ is not None else None
    from_number = None
    if last is not None:
        from_number = event_id.number_of(last, "last_event_id", "Last-Event-ID")
    elif after is not None:
        from_number = event_number("after", after)
    hub: Hub = request.app.state.hub
    hub.check(credential.wallet.id)
    if from_number is not None:
        async with services.database.reading() as connection:
            if from_number > await log.last(connection):
                raise InvalidRequest("after", log.NO_SUCH_EVENT)
    return Stream(
        _events(hub, services, credential, from_number, kinds),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(
    hub: Hub, services: Services, credential: Credential, after: int | None, kinds: Sequence[str] | None
) -> AsyncIterator[bytes]:
    """The stream's text."""
    yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
    closes_at = asyncio.get_running_loop().time() + OPEN_SECONDS_MAX
    async with hub.subscribe(credential.wallet.id) as subscription:
        while (joined_at := await subscription.joined(HEARTBEAT_SECONDS)) is None:
            if subscription.cut:
                return
            yield _HEARTBEAT
        if await _has_ended(services, credential):
            return
        reached = joined_at if after is None else after
        while reached < joined_at:
            page, texts = await _page(services, credential.wallet.id, reached, joined_at, kinds)
            for text in texts:
                yield text
            reached = page.reached[0] if page.reached is not None and page.more else joined_at
        async for text in _news(subscription, credential, reached, kinds, closes_at):
            yield text


async def _has_ended(services: Services, credential: Credential) -> bool:
    """Whether the credential ended before the stream was joined. It was looked up before that, and was valid then."""
    ends = EventFilter(_ENDS, credential.id)
    async with services.database.reading() as connection:
        return bool((await log.read(connection, credential.wallet.id, limit=1, where=ends)).events)


async def _news(
    subscription: Subscription, credential: Credential, after: int, kinds: Sequence[str] | None, closes_at: float
) -> AsyncIterator[bytes]:
    """Yield events as they arrive, those of one read of the log as one text, and a comment when nothing was sent for
    `HEARTBEAT_SECONDS`. Events of other types than `kinds` send nothing, so they do not delay the comment.
    """
    now = asyncio.get_running_loop().time
    sent_at = now()
    while not subscription.cut and now() < closes_at:
        texts: list[bytes] = []
        for event, text in await subscription.take(sent_at + HEARTBEAT_SECONDS - now()):
            if event.number > after and (kinds is None or event.kind in kinds):
                texts.append(text)
            if event.kind in _ENDS and event.subject == credential.id:
                subscription.end()
        if texts:
            yield b"".join(texts)
            sent_at = now()
        if not subscription.cut and now() >= sent_at + HEARTBEAT_SECONDS:
            yield _HEARTBEAT
            sent_at = now()


async def _page(
    services: Services, wallet: WalletId, after: int, up_to: int, kinds: Sequence[str] | None
) -> tuple[log.Page, list[bytes]]:
    """Events that happened before the stream was joined."""
    async with services.database.reading() as connection:
        page = await log.read(connection, wallet, after, _PAGE, up_to + 1, EventFilter(kinds))
        shown = await views(connection, services.settings.assets, wallet, page.events)
    return page, [_text(event, msgspec.json.encode(one)) for event, one in zip(page.events, shown, strict=True)]


def show(assets: Assets) -> Show:
    """The function by which the hub renders events for streams."""

    async def texts(connection: Connection, told: Sequence[tuple[WalletId, LoggedEvent]]) -> list[bytes]:
        behind = await objects(connection, assets, told)
        return [_text(event, msgspec.json.encode(view(behind, wallet, event))) for wallet, event in told]

    return texts


def _text(event: LoggedEvent, data: bytes) -> bytes:
    """An event as a stream sends it. Encoded JSON has no line breaks."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        event_id.show(event.number, event.at).encode(),
        event.kind.encode(),
        data,
    )
