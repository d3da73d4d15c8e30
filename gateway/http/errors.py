"""Errors of HTTP itself, before any package is called."""

from dataclasses import dataclass

from gateway.errors import NotFound, Refused, Unavailable


@dataclass(eq=False)
class BodyTooLarge(Refused):
    bytes_max: int
    message = "the body is larger than {bytes_max} bytes; send a smaller one"


@dataclass(eq=False)
class UnsupportedMediaType(Refused):
    """A body of an unsupported kind. `kind` is a slug: `media_type`, `charset`, `content_encoding`, `encoding`.
    `accepted` are the media types that the call accepts; empty if the type is not the reason.
    """

    kind: str
    reason: str
    accepted: tuple[str, ...]
    message = "{reason}"


class NoSuchRoute(NotFound):
    """`what` is the requested path."""

    message = "there is no route {what}; /openapi.json lists the routes"


@dataclass(eq=False)
class MethodNotAllowed(Refused):
    """`allowed` are the methods of the path (RFC 9110, 15.5.6)."""

    method: str
    path: str
    allowed: tuple[str, ...]
    message = "{path} does not take {method}; it takes {allowed}"


class ShuttingDown(Unavailable):
    message = "this gateway process is shutting down; send requests to another"


class IdempotencyKeyMissing(Refused):
    message = "this call moves money: send an Idempotency-Key header of your own making, 1 to 255 visible characters"
