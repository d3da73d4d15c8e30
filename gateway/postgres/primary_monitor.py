"""Watch whether the server is still the primary, and whether a standby confirms its commits.

A primary that was replaced but still runs can be recognized only by a commit, which waits for its standby without end.
A process may never get that far: such a commit of another process holds the rows that it needs, so its statements end
at `lock_timeout`, or skip the rows. So the monitor commits a message to the WAL regularly, on a connection of its own,
because all of the pool's may be waiting. If no standby confirms it in time, it opens a connection to the current
primary. If that is another server, `Database` gives up what waits on the old one.

If it is the same server, it has no standby. A commit that is given up keeps waiting in the server, and keeps its place
among `max_connections`. So there is never more than one of the monitor's, and while it waits `check` refuses to begin
others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from gateway.postgres.connection import SERVER_ERRORS, DatabaseConnection, Deadlines
from gateway.postgres.errors import DatabaseUnavailable

#: How often the server is checked, in seconds.
_LOOK_SECONDS: Final = 5.0

#: How soon a standby must confirm, in seconds; otherwise the server is in doubt. A replaced one is left after both
#: times.
_CONFIRM_SECONDS: Final = 5.0

#: How soon after a failed check the next one starts, in seconds.
_AGAIN_SECONDS: Final = 1.0

#: The deadline of a commit that is known to wait for a standby, in seconds: practically none.
_FOR_EVER: Final = 10 * 365 * 86_400.0

#: The wait event of the backend with this process id, if it still runs its statement. A role sees its own backends.
_WAITS_FOR: Final = "SELECT coalesce(wait_event, '') FROM pg_stat_activity WHERE pid = $1 AND state = 'active'"


class PrimaryMonitor:
    """Runs until it is cancelled. `connect` opens a connection to the primary, and `read_clock` reads its clock, which
    may have been set, or be another server's.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[DatabaseConnection]],
        read_clock: Callable[[DatabaseConnection], Awaitable[None]],
        deadlines: Deadlines,
    ) -> None:
        self._connect, self._read_clock = connect, read_clock
        self._within = min(_CONFIRM_SECONDS, deadlines.statement)
        self._connection: DatabaseConnection | None = None
        self._backend = 0
        self._doubt = asyncio.Event()
        self.unconfirmed = False  # A commit has waited for a standby for too long.

    def check(self) -> None:
        """Raise DatabaseUnavailable while a commit would only wait."""
        if self.unconfirmed:
            raise DatabaseUnavailable("no standby confirms what is committed")

    def doubt(self) -> None:
        """Check now."""
        self._doubt.set()

    async def run(self) -> None:
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._doubt.wait()
                self._doubt.clear()
                try:
                    await self._look()
                except SERVER_ERRORS as error:
                    self._give_up(str(error) or type(error).__name__)
                    await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            if self._connection is not None:
                await self._connection.close()

    async def _look(self) -> None:
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await self._connect()
            self._backend = await connection.fetchval("SELECT pg_backend_pid()")
        connection.use(True)
        confirming = asyncio.create_task(self._confirm(connection))
        try:
            await asyncio.wait({confirming}, timeout=self._within)
            if not confirming.done():
                connection.gave_up(f"a commit has waited for {self._within:g} s")
                await self._wait(confirming)
            if confirming.done():
                confirming.result()
            else:
                self._give_up("nothing is known of a commit")
        finally:
            self.unconfirmed = False
            connection.use(False)
            if not confirming.done():
                connection.terminate()
            await asyncio.gather(confirming, return_exceptions=True)

    async def _confirm(self, connection: DatabaseConnection) -> None:
        await self._read_clock(connection)
        await connection.confirm(_FOR_EVER)
        if connection.cut_short:
            raise DatabaseUnavailable("a commit did not wait for its standby, which may not have it")

    async def _wait(self, confirming: asyncio.Task[None]) -> None:
        """Wait for as long as the server is the primary and still runs the commit."""
        waits_for: str | None = ""
        while waits_for is not None and not confirming.done():
            with suppress(*SERVER_ERRORS):  # nobody can be asked: it is silent, or accepts no further connection
                waits_for = await self._waits_for()
                self.unconfirmed = waits_for == "SyncRep"
            await asyncio.wait({confirming}, timeout=_LOOK_SECONDS)

    async def _waits_for(self) -> str | None:
        """Return what the commit waits for in the current primary; None if that server does not know the backend."""
        other = await self._connect()
        try:
            found: str | None = await other.fetchval(_WAITS_FOR, self._backend)
        finally:
            await other.close()
        return found

    def _give_up(self, why: str) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection.gave_up(why)
            self._connection = None
