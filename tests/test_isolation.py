"""What a test leaves behind is not there for the next: the cases of each test do the same, and see that of no other."""

import pytest

from gateway.postgres.pool import Database

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("time", ["first", "second"])
async def test_a_database_has_nothing_of_another_test(database: Database, time: str) -> None:
    async with database.transaction() as connection:
        name = await connection.fetchval("SELECT current_database()")
        assert await connection.fetchval("SELECT to_regclass('left_behind')") is None
        assert await connection.fetchval("SELECT count(*) FROM wallet") == 0
        assert await connection.fetchval("SHOW work_mem") == "4MB"

        await connection.execute("CREATE TABLE left_behind ()")
        await connection.execute("ALTER TABLE wallet DISABLE TRIGGER ALL")
        await connection.execute(f"ALTER DATABASE {name} SET work_mem = '5MB'")
