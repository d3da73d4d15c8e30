"""Errors of event streams."""

from dataclasses import dataclass

from gateway.errors import Conflict


@dataclass(eq=False)
class TooManyStreams(Conflict):
    """The wallet, or the process, has its limit of open streams."""

    maximum: int
    message = "{maximum} event streams are open already, which is the limit: close one, or retry later"
