"""Records the outcomes of attempts, a group at a time, with one statement for each kind of change.

Lock order: the endpoints that change, by id, then the deliveries, by endpoint and event. A success at an endpoint that
is not failing locks no endpoint, so it waits for no other worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from gateway.audit.log import WORKER
from gateway.postgres.pool import Connection, Record, Statements
from gateway.webhooks import endpoint, schedule
from gateway.webhooks.delivery import Attempt, Claimed

sql = Statements(__package__, "outcome.sql")

Tried = tuple[Claimed, Attempt]


@dataclass(slots=True)
class _Failures:
    """An endpoint's number of failures in a row, the time since which no delivery has succeeded, and the end of its
    pause.
    """

    failures: int
    failing_since: datetime | None
    resumes_at: datetime | None = None
    changed: bool = False

    def succeeded(self) -> None:
        if self.failing_since is not None:
            self.failures, self.failing_since, self.resumes_at, self.changed = 0, None, None, True

    def failed(self, attempt: Attempt, now: datetime) -> datetime:
        """Returns since when it has been failing."""
        self.failures += 1
        self.failing_since = self.failing_since or attempt.at
        self.resumes_at = now + max(schedule.pause(self.failures), _requested_wait(attempt))
        self.changed = True
        return self.failing_since


async def record(connection: Connection, tried: Sequence[Tried], now: datetime) -> None:
    """Record attempts in this order, with their consequences: each delivery's end or next attempt, and whether its
    endpoint is paused or disabled. If another worker holds the lease by now, only the attempt is recorded.
    """
    failures = await _failures(connection, tried)
    rows = await connection.fetch(
        sql.lock_deliveries, [one.endpoint for one, _ in tried], [one.event for one, _ in tried]
    )
    there = {(row["endpoint_id"], row["event"]): row for row in rows}
    tried = [one for one in tried if one[0].endpoint in failures and one[0].key in there]
    mine = [one for one in tried if there[one[0].key]["lease"] == one[0].lease]
    ends = [_end(failures[one.endpoint], there[one.key], attempt, now) for one, attempt in mine]
    await connection.execute(
        sql.add_attempts,
        *([one.endpoint for one, _ in tried], [one.event for one, _ in tried], [done.at for _, done in tried]),
        *([done.milliseconds for _, done in tried], [done.outcome for _, done in tried]),
        *([done.status for _, done in tried], [one.endpoint for one, _ in mine], [one.event for one, _ in mine]),
        *([end.state for end in ends], [end.tries for end in ends], [end.at for end in ends]),
    )
    changed = [(id, failure) for id, failure in sorted(failures.items()) if failure.changed]
    if changed:
        await connection.execute(
            sql.stand,
            *([id for id, _ in changed], [failure.failures for _, failure in changed]),
            *([failure.failing_since for _, failure in changed], [failure.resumes_at for _, failure in changed]),
        )
    for (one, attempt), end in zip(mine, ends, strict=True):
        if attempt.outcome == "gone":
            await endpoint.disable(connection, one.endpoint, "gone", WORKER, now)
        elif end.state == "failed":
            first_at = await connection.fetchval(sql.first_try, one.endpoint, one.event, there[one.key]["queued_at"])
            if end.failing_since is not None and end.failing_since <= first_at:  # no delivery has succeeded since
                await endpoint.disable(connection, one.endpoint, "failing", WORKER, now)


async def _failures(connection: Connection, tried: Sequence[Tried]) -> dict[UUID, _Failures]:
    """The failures by endpoint. Locks the endpoints that may change. A deleted endpoint has no element."""
    wanted = list({one.endpoint for one, _ in tried})
    rows = {row["id"]: row for row in await connection.fetch(sql.failures, wanted)}
    failed = {one.endpoint for one, attempt in tried if attempt.outcome != "delivered"}
    to_lock = [id for id, row in rows.items() if id in failed or row["failing_since"] is not None]
    if to_lock:
        locked = {row["id"]: row for row in await connection.fetch(sql.lock_failures, to_lock)}
        rows = {id: row for id, row in rows.items() if id not in to_lock} | locked
    return {id: _Failures(row["failures"], row["failing_since"], row["resumes_at"]) for id, row in rows.items()}


@dataclass(frozen=True, slots=True)
class _End:
    """A delivery's state after an attempt, and since when its endpoint has been failing, if it is."""

    state: str
    tries: int
    at: datetime
    failing_since: datetime | None = None


def _end(failure: _Failures, delivery: Record, attempt: Attempt, now: datetime) -> _End:
    tries = delivery["tries"] + 1
    if attempt.outcome == "delivered":
        failure.succeeded()
        return _End("delivered", tries, now)
    failing_since = failure.failed(attempt, now)
    wait = None if attempt.outcome == "gone" else schedule.wait(tries, attempt.retry_after)
    if wait is None:
        return _End("failed", tries, now, failing_since)
    return _End("pending", tries, now + wait, failing_since)


def _requested_wait(attempt: Attempt) -> timedelta:
    """How long an endpoint asked the gateway to wait, by a 429 or 503 with `Retry-After`."""
    if attempt.status in (429, 503) and attempt.retry_after is not None:
        return attempt.retry_after
    return timedelta()
