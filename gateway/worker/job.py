"""A job, as the loop sees it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.worker.worker import Worker


@dataclass(frozen=True, slots=True)
class Job:
    """Something that a worker does repeatedly.

    `run` does one piece of work and returns whether there was any: then it runs again at once, otherwise after
    `idle_seconds`, or when its `news` are set. The network is called before or after each of its PostgreSQL
    transactions, never inside, so a worker may be killed between any two.
    """

    name: str
    run: Callable[[Worker], Awaitable[bool]]
    idle_seconds: float
    news: Callable[[Worker], asyncio.Event] | None = None
