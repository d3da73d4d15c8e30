"""The calls of the database and the node by the current request or job.

They are kept in a context variable, so that a pool and a node's client need not know whom they work for. Nothing is
kept unless `begin` was called: without it, a call costs one read of the variable.
"""

from contextvars import ContextVar
from time import monotonic
from typing import Final

from gateway.tracing.span import Part

_STEPS: ContextVar["Steps | None"] = ContextVar("gateway.steps", default=None)

#: The most that are kept for one request: a stream of events makes calls for as long as it is open.
_PARTS_MAX: Final = 64


class Steps:
    """Calls, in the order in which they ended."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[Part] = []

    def add(self, name: str, began: float, **attributes: str | int) -> None:
        """Add a call that began then, by the monotonic clock, and ends now."""
        if len(self.parts) < _PARTS_MAX:
            self.parts.append(Part(name, began, monotonic(), "client", attributes))


def begin() -> Steps:
    """Keep calls from now on, in this context."""
    steps = Steps()
    _STEPS.set(steps)
    return steps


def stop() -> None:
    """Stop keeping them: from now on this context works for many."""
    _STEPS.set(None)


def under_way() -> Steps | None:
    """Return the calls of this context; None if they are not kept."""
    return _STEPS.get()
