"""sizes: the sizes of the tables, and whether the part that every payment accesses still fits into memory."""

from gateway import assembly
from gateway.config.config import Config
from gateway.postgres.sizes import Sizes
from gateway.postgres.sizes import sizes as sizes_now


async def sizes(config: Config) -> Sizes:
    """Read the sizes from PostgreSQL."""
    async with assembly.database(config, "sizes") as database, database.snapshot() as connection:
        return await sizes_now(connection)
