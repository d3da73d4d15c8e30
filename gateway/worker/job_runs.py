"""Counts the runs of a worker's jobs, and records when each last succeeded. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

#: `idle`: there was nothing to do.
Result = Literal["worked", "idle", "failed"]


@dataclass(slots=True)
class JobRuns:
    """The runs of one process, by the names of its jobs."""

    counts: Counter[tuple[str, Result]] = field(default_factory=Counter)
    succeeded_at: dict[str, datetime] = field(default_factory=dict)

    def note(self, job: str, result: Result, now: datetime) -> None:
        """Record the result of a run."""
        self.counts[job, result] += 1
        if result != "failed":
            self.succeeded_at[job] = now
