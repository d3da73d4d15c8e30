"""The id of an event, as people and programs see it: a TypeID that encodes the event's number and time. Pure."""

from datetime import datetime
from typing import Final

from gateway import ids
from gateway.errors import InvalidRequest

PREFIX: Final = "evt"


def show(number: int, at: datetime) -> str:
    """The id of the event with this number, which happened at `at`."""
    return ids.show(PREFIX, ids.numbered_id(number, at))


def number_of(text: str, kind: str, name: str) -> int:
    """The number of the event with the id `text`. Raises InvalidRequest of this `kind`, whose sentence calls the
    parameter `name`.
    """
    try:
        return ids.number_of(ids.read(PREFIX, text))
    except InvalidRequest:
        reason = f"{name} cannot be {text[:60]!r}: it should be the id of an event ({PREFIX}_…)"
        raise InvalidRequest(kind, reason) from None
