"""Outages in the log: a warning when one begins and repeatedly while it lasts, and its length when it ends.

Connections fail separately, each with its own message, so a warning of one kind is not repeated for a minute.
"""

import asyncio
import logging
from typing import Final

log = logging.getLogger(__name__)

#: A warning of one kind is repeated after this many seconds.
_REPEAT_SECONDS: Final = 60.0


class OutageLog:
    """Logs nothing until `start`, because the caller reports a start that fails, and nothing after `stop`."""

    def __init__(self) -> None:
        self._quiet = True
        self._since: float | None = None  # by the event loop's clock, like the other times here
        self._said_at: dict[str, float] = {}

    def start(self) -> None:
        self._quiet = False

    def stop(self) -> None:
        self._quiet = True

    def warn(self, what: str, why: str) -> None:
        """Log that the database cannot be used, or not as before."""
        now = asyncio.get_running_loop().time()
        if self._quiet:
            return
        if self._since is None:
            self._since, self._said_at = now, {}
        if now - self._said_at.get(what, -_REPEAT_SECONDS) >= _REPEAT_SECONDS:
            self._said_at[what] = now
            log.warning("%s: %s", what, why)

    def end(self) -> None:
        """Record that a write was committed: the outage, if any, is over."""
        if self._since is not None:
            seconds = asyncio.get_running_loop().time() - self._since
            self._since = None
            log.info("the database takes writes again, after %.1f s", seconds)
