"""A span, as the gateway records it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from gateway.tracing.ids import Context

#: The other side: a caller (`server`), PostgreSQL or the node (`client`), or none.
Kind = Literal["server", "client", "internal"]


class Span(Struct, frozen=True):
    """A span. `start` and `end` are Unix seconds. `error` is why it failed: a code or a status, and no text of a
    caller's.
    """

    name: str
    context: Context
    start: float
    end: float
    parent: Context | None = None
    kind: Kind = "internal"
    attributes: Mapping[str, str | int] = {}
    links: Sequence[Context] = ()
    error: str | None = None


class Part(Struct, frozen=True):
    """Work that becomes a span of each payment it was done for; its times are of the monotonic clock."""

    name: str
    start: float
    end: float
    kind: Kind = "client"
    attributes: Mapping[str, str | int] = {}
