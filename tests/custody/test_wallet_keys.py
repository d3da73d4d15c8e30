"""The master keys of all encrypted keys: others are refused before they encrypt or decrypt anything."""

import pytest

from gateway.custody import wallet_keys
from gateway.errors import Misconfigured
from gateway.keys.vault import check_value, root_check_value
from gateway.postgres.pool import Database
from tests.factory import NOW

pytestmark = pytest.mark.anyio

RIGHT, WRONG = check_value(bytes(32)), check_value(bytes(range(32)))


async def test_the_first_master_key_stays_and_another_is_refused(database: Database) -> None:
    async with database.transaction() as connection:
        assert not await wallet_keys.has_master_key(connection)
        await wallet_keys.add_master_key(connection, RIGHT, NOW)
        assert await wallet_keys.has_master_key(connection)
        await wallet_keys.check_master_keys(connection, [RIGHT])
        await wallet_keys.check_master_keys(connection, [WRONG, RIGHT])

        await wallet_keys.add_master_key(connection, WRONG, NOW)
        with pytest.raises(Misconfigured, match="not the master key"):
            await wallet_keys.check_master_keys(connection, [WRONG])


async def test_without_any_master_key_nothing_starts(database: Database) -> None:
    async with database.reading() as connection:
        with pytest.raises(Misconfigured, match="gateway migrate"):
            await wallet_keys.check_master_keys(connection, [RIGHT])


async def test_another_root_key_than_the_first_is_refused(database: Database) -> None:
    right, wrong = root_check_value(bytes(32)), root_check_value(bytes(range(32)))
    async with database.transaction() as connection:
        with pytest.raises(Misconfigured, match="gateway migrate"):
            await wallet_keys.check_root_key(connection, right)
        await wallet_keys.add_root_key(connection, right, NOW)
        await wallet_keys.add_root_key(connection, wrong, NOW)

        await wallet_keys.check_root_key(connection, right)
        with pytest.raises(Misconfigured, match="not the root key"):
            await wallet_keys.check_root_key(connection, wrong)
