"""Cursors of lists: opaque to clients, a position to us."""

import base64
import binascii
from typing import Final

from gateway.errors import InvalidRequest

_NOT_A_CURSOR: Final = "this is not a cursor: send the next_cursor of the page before"


def cursor_text(position: str) -> str:
    """An opaque cursor: where the next page of a list goes on."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def cursor_position(cursor: str) -> str:
    """What `cursor_text` was given. Raises InvalidRequest for any other text."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        raise InvalidRequest("cursor", _NOT_A_CURSOR) from None


def cursor_number(cursor: str) -> int:
    """The number that `cursor_text` was given the text of. Raises InvalidRequest for any other text."""
    position = cursor_position(cursor)
    if not (position.isascii() and position.isdecimal() and len(position) <= 18):
        raise InvalidRequest("cursor", _NOT_A_CURSOR)
    return int(position)
