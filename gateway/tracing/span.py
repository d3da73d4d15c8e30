"""A span, as the gateway records it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from gateway.tracing.ids import Context

#: Who is on the other side: a caller (`server`), PostgreSQL or the node (`client`), or nobody.
Kind = Literal["server", "client", "internal"]


class Span(Struct, frozen=True):
    """`start` and `end` are Unix seconds. `error` is why it failed: a code or a status, and nothing of a caller's."""

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
    """What becomes a span of each payment that it was done for; its times are of the monotonic clock."""

    name: str
    start: float
    end: float
    kind: Kind = "client"
    attributes: Mapping[str, str | int] = {}
