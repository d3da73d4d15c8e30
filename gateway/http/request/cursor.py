"""Cursors of lists: opaque to clients, a position to the gateway."""

import base64
import binascii
from typing import Final

from gateway.errors import InvalidRequest

_NOT_A_CURSOR: Final = "this is not a cursor: send the next_cursor of the page before"


def cursor_text(position: str) -> str:
    """Return an opaque cursor: the position at which the next page of a list begins."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def cursor_position(cursor: str) -> str:
    """Return the position of a cursor. Raises InvalidRequest for any other text."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        raise InvalidRequest("cursor", _NOT_A_CURSOR) from None


def cursor_number(cursor: str) -> int:
    """Return the number in a cursor. Raises InvalidRequest for any other text."""
    position = cursor_position(cursor)
    if not (position.isascii() and position.isdecimal() and len(position) <= 18):
        raise InvalidRequest("cursor", _NOT_A_CURSOR)
    return int(position)
