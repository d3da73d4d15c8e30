"""What the loop knows of a job."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.worker.worker import Worker


@dataclass(frozen=True, slots=True)
class Job:
    """Something that a worker does over and over.

    `run` does one piece of work and returns whether there was any: then it runs again at once, and else after
    `idle_seconds`, or when its `news` are set. Each of its PostgreSQL transactions has the network before or after it,
    never inside, so a worker may be killed between any two.
    """

    name: str
    run: Callable[[Worker], Awaitable[bool]]
    idle_seconds: float
    news: Callable[[Worker], asyncio.Event] | None = None
