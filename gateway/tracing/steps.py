"""What the request or the job that runs has asked of the database and the node so far.

Kept in a context variable, so that a pool and a node's client need not be told for whom they work. Nothing is kept
unless somebody began to: then asking costs one look at the variable.
"""

from contextvars import ContextVar
from time import monotonic
from typing import Final

from gateway.tracing.span import Part

_STEPS: ContextVar["Steps | None"] = ContextVar("gateway.steps", default=None)

#: No more are kept of one request: a stream of events asks for as long as it is open.
_MOST: Final = 64


class Steps:
    """In the order in which they ended."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[Part] = []

    def add(self, name: str, began: float, **attributes: str | int) -> None:
        """A step that began then, by the monotonic clock, and ends now."""
        if len(self.parts) < _MOST:
            self.parts.append(Part(name, began, monotonic(), "client", attributes))


def begin() -> Steps:
    """Keep steps from now on, in this context."""
    steps = Steps()
    _STEPS.set(steps)
    return steps


def stop() -> None:
    """Keep none from now on: what this context does is done for many."""
    _STEPS.set(None)


def under_way() -> Steps | None:
    """Where steps are kept; None: nowhere."""
    return _STEPS.get()
