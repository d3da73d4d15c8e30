"""Cursors of lists: opaque to whoever pages, a position to us."""

import base64
import binascii

from gateway.errors import InvalidRequest


def cursor_text(position: str) -> str:
    """An opaque cursor: where the next page of a list goes on."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def cursor_position(cursor: str) -> str:
    """What `cursor_text` was given. Raises InvalidRequest when it is no cursor of ours."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        raise InvalidRequest("cursor", "this is not a cursor: send the next_cursor of the page before") from None
