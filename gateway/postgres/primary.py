"""Find the server that accepts writes, if there may be several.

A URL may name several hosts. All are asked side by side, because one may be silent (stopped, unplugged) until the
timeout; a standby is asked again until then, because it may be promoted in the meantime. Of those that take writes, the
one with the highest timeline is the primary: PostgreSQL raises the timeline at each promotion ("WAL file timelines"),
so any other was replaced and does not know it yet. No connection is made to a server with a lower timeline than was
ever seen, also if there is one host, behind which a proxy may choose.

Timelines are kept in memory. After a restore into a new cluster, whose timelines begin at 1 again, restart the
gateways.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import asyncpg

from gateway.postgres.connection import SERVER_ERRORS, DatabaseConnection, Deadlines, open_connection, why_away
from gateway.postgres.database_url import DatabaseUrl, Host
from gateway.postgres.errors import DatabaseUnavailable

#: How often a standby is asked whether it was promoted, in seconds.
_ASK_AGAIN_SECONDS: Final = 0.2

#: How long the hosts that have not answered yet are waited for, once one takes writes, in seconds.
_OTHERS_SECONDS: Final = 0.5

_TAKES_WRITES: Final = "SELECT NOT (pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean)"

#: For a primary, the timeline of the WAL it writes; for a standby, the newest that it is known to have followed.
_TIMELINE: Final = """
    SELECT CASE WHEN pg_is_in_recovery()
        THEN greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                      (SELECT min_recovery_end_timeline FROM pg_control_recovery()))
        ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::integer END
"""


@dataclass(slots=True)
class _Look:
    """The state of a host: whether it accepts writes (None: it has not answered), and its timeline (0: unknown).
    `failed` is why there is no connection.
    """

    connection: DatabaseConnection | None = None
    writes: bool | None = None
    timeline: int = 0
    failed: str = ""


class Primary:
    """Opens connections to the server that takes writes; always to the same one, until it is forgotten."""

    def __init__(self, url: DatabaseUrl, name: str, deadlines: Deadlines) -> None:
        self._url, self._name, self._deadlines = url, name, deadlines
        self._host: Host | None = None
        self._timeline = 0
        self._finding = asyncio.Lock()

    def forget(self) -> None:
        """Look for the primary again before the next connection."""
        self._host = None

    async def connect(self) -> DatabaseConnection:
        """Return a connection to the primary. Raises DatabaseUnavailable if none is found in time, and what the driver
        raises.
        """
        if not self._url.hosts:
            return await self._to(None)
        if self._host is not None:
            with suppress(*SERVER_ERRORS):
                return await self._to(self._host)
            self.forget()
        async with self._finding:  # one task searches; the others use its result
            if self._host is not None:
                return await self._to(self._host)
            return await self._find()

    async def _to(self, host: Host | None) -> DatabaseConnection:
        connection = await open_connection(self._url, self._name, self._deadlines, host)
        try:
            writes, timeline = await _look_at(connection)
            if writes and 0 < timeline < self._timeline:
                raise _away(
                    "another server has taken the place of its primary",
                    f"{host or 'the server'} is on timeline {timeline}, and {self._timeline} was seen",
                )
            if writes:
                self._timeline = connection.timeline = timeline
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _find(self) -> DatabaseConnection:
        """Ask all hosts until one is the primary, and keep only the connection to that one."""
        looks = {host: _Look() for host in self._url.hosts}
        changed = asyncio.Event()
        tasks = [asyncio.create_task(self._look(host, look, changed)) for host, look in looks.items()]
        chosen: Host | None = None
        try:
            async with asyncio.timeout(self._deadlines.connect):
                while chosen is None:
                    await changed.wait()
                    changed.clear()
                    if self._best(looks):
                        await _others(looks, changed)
                        chosen = self._best(looks)
        except TimeoutError:
            raise _away("no host takes writes", *_each(looks, self._timeline)) from None
        finally:
            for task in tasks:
                task.cancel()
            for host, look in looks.items():
                if look.connection is not None and host != chosen:
                    look.connection.terminate()
        self._host, self._timeline = chosen, looks[chosen].timeline
        connection = looks[chosen].connection
        assert connection is not None, "it was asked over one"
        connection.timeline = self._timeline
        return connection

    async def _look(self, host: Host, look: _Look, changed: asyncio.Event) -> None:
        """Ask a host until it takes writes, or cannot be asked."""
        try:
            look.connection = await open_connection(self._url, self._name, self._deadlines, host)
            while not look.writes:
                look.writes, look.timeline = await _look_at(look.connection)
                changed.set()
                await asyncio.sleep(0 if look.writes else _ASK_AGAIN_SECONDS)
        except SERVER_ERRORS as error:
            look.writes, look.failed = False, _failed(error)
            changed.set()

    def _best(self, looks: dict[Host, _Look]) -> Host | None:
        """Return the host that takes writes and has the highest timeline ever seen."""
        newest = max(self._timeline, *(look.timeline for look in looks.values()))
        good = (host for host, look in looks.items() if look.writes and look.timeline in (0, newest))
        return next(good, None)


def _failed(error: BaseException) -> str:
    return why_away(error) if isinstance(error, OSError) else str(error) or why_away(error)


async def _others(looks: dict[Host, _Look], changed: asyncio.Event) -> None:
    """Wait briefly for the hosts that have not answered yet: one may have a higher timeline."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_OTHERS_SECONDS):
            while any(look.writes is None for look in looks.values()):
                await changed.wait()
                changed.clear()


async def _look_at(connection: DatabaseConnection) -> tuple[bool, int]:
    """Return whether the server takes writes, and its timeline."""
    writes = bool(await connection.fetchval(_TAKES_WRITES))
    timeline = 0
    with suppress(asyncpg.PostgresError):  # not every service allows these functions
        timeline = int(await connection.fetchval(_TIMELINE) or 0)
    return writes, timeline


def _each(looks: dict[Host, _Look], timeline: int) -> list[str]:
    """Return for each host why it does not accept writes."""
    said = []
    for host, look in looks.items():
        how = "is silent" if look.writes is None else look.failed
        if not how:
            how = f"is on timeline {look.timeline}, and {timeline} was seen" if look.writes else "takes no writes"
        said.append(f"{host}: {how}")
    return said


def _away(reason: str, *notes: str) -> DatabaseUnavailable:
    """Return the error. The reason is for the caller. The hosts and their answers are only for the log, as notes (PEP
    678).
    """
    away = DatabaseUnavailable(reason)
    for note in notes:
        away.add_note(note)
    return away
