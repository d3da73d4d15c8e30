"""Both logs, a key for their checkpoints, and somebody who can write to the database past every trigger."""

from contextlib import suppress
from uuid import UUID

import pytest

from gateway.audit import checkpoint, log, verify
from gateway.audit.checkpoint import Checkpoint, CheckpointKey
from gateway.audit.log import WORKER, AuditEvent
from gateway.audit.verify import Verified
from gateway.custody import wallet_keys
from gateway.events import log as events
from gateway.events.log import Event
from gateway.keys.vault import Vault
from gateway.postgres.pool import Connection, Database
from tests.factory import NOW

VAULT = Vault(bytes(range(32)))


class Logs:
    """Both logs of one database."""

    def __init__(self, database: Database, key: CheckpointKey, keys: dict[UUID, bytes]) -> None:
        self.database = database
        self.key = key
        self.keys = keys

    async def write(self, connection: Connection, *names: str) -> None:
        """An event and an audit event of each name."""
        await events.append(connection, [Event(name, None, None, {"of": name}) for name in names], NOW)
        await log.append(connection, [AuditEvent(name, None, WORKER, None, {"of": name}) for name in names], NOW)

    async def happen(self, *names: str) -> None:
        async with self.database.transaction() as connection:
            await self.write(connection, *names)

    async def roll_back(self, *names: str) -> None:
        """They are written and not committed: their numbers are gone."""
        with suppress(RuntimeError):
            async with self.database.transaction() as connection:
                await self.write(connection, *names)
                raise RuntimeError

    async def checkpoint(self) -> Checkpoint | None:
        async with self.database.transaction() as connection:
            return await checkpoint.write(connection, self.key, NOW)

    async def verify(self, noted: str | None = None, rows_after: int = 0) -> Verified:
        async with self.database.snapshot() as connection:
            head = verify.read_head(noted) if noted else None
            return await verify.verify(connection, self.keys, head, rows_after)

    async def broken(self, noted: str | None = None) -> list[str]:
        return [str(one) for one in (await self.verify(noted)).broken]

    async def tamper(self, *statements: str) -> None:
        """What a superuser can do: no trigger fires, and numbers are given by hand."""
        async with self.database.transaction() as connection:
            await connection.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                assert await connection.execute(statement) not in ("UPDATE 0", "DELETE 0", "INSERT 0 0")


@pytest.fixture
async def logs(database: Database) -> Logs:
    async with database.transaction() as connection:
        key = await wallet_keys.checkpoint_key(connection, VAULT, NOW)
        return Logs(database, key, await wallet_keys.checkpoint_keys(connection, VAULT))
