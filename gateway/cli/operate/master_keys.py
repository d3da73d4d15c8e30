"""master-keys: list and rotate the master keys, under which all secrets are encrypted."""

from collections.abc import Callable, Collection
from typing import Any

from gateway import assembly
from gateway.clock import rfc3339
from gateway.config.config import Config
from gateway.custody import rotation
from gateway.custody.rotation import MasterKey
from gateway.keys import key_files, vault


async def keys(config: Config) -> list[dict[str, Any]]:
    """Every master key in the database or the file, newest first. Raises Misconfigured."""
    async with assembly.database(config, "keys") as database:
        there = _check_values(config)
        async with database.reading() as connection:
            known = await rotation.master_keys(connection)
    taken = {one.check_value for one in known}
    ahead = [
        {"number": None, "key": vault.fingerprint(one), "state": "unused", "made_at": None, "in_file": True}
        for one in there
        if one not in taken
    ]
    return ahead + [
        {
            "number": one.number,
            "key": one.fingerprint,
            "state": "encrypts" if one is known[0] else "retired" if one.retired_at else "decrypts",
            "made_at": rfc3339(one.made_at),
            "in_file": one.check_value in there,
        }
        for one in known
    ]


async def add(config: Config) -> dict[str, Any]:
    """Add the next key to the file, without encrypting anything under it yet, so that it can be copied to other
    machines first.

    Raises Misconfigured, Contended.
    """
    async with assembly.database(config, "keys") as database:
        await assembly.vault_of(config, database)
        async with database.transaction() as connection:
            check_value = _next(config, await rotation.lock(connection))
    return {"key": vault.fingerprint(check_value), "file": str(config.master_key_file)}


async def rotate(config: Config, tell: Callable[[int], None]) -> dict[str, Any]:
    """Re-encrypt every key under the next master key, or continue an interrupted rotation. `tell` is called with the
    progress.

    Raises Misconfigured, EncryptedKeyUnreadable, Contended; finished batches are kept.
    """
    by = assembly.at_machine()
    async with assembly.database(config, "keys", 2, assembly.LONG_SECONDS) as database:
        vault = await assembly.vault_of(config, database)
        async with database.transaction() as connection:
            newest = await rotation.begin(connection, lambda known: _next(config, known), by, database.clock())
        reencrypted, before = 0, list[MasterKey]()
        while not before or any(one.retired_at is None and one.number < newest.number for one in before):
            reencrypted += await rotation.reencrypt(database, vault, newest, tell)
            async with database.transaction() as connection:
                await rotation.retire(connection, newest, by, database.clock())
                _, *before = await rotation.master_keys(connection)
    there = _check_values(config)
    return {
        "number": newest.number,
        "key": newest.fingerprint,
        "reencrypted": reencrypted,
        "retired": [one.fingerprint for one in before if one.check_value in there],
        "file": str(config.master_key_file),
    }


def _next(config: Config, known: Collection[MasterKey]) -> bytes:
    """The check value of the first key in the file that the database does not have; creates one if there is none."""
    taken = {one.check_value for one in known}
    ahead = [one for one in _check_values(config) if one not in taken]
    return ahead[0] if ahead else vault.check_value(key_files.add_master_key(config.master_key_file))


def _check_values(config: Config) -> list[bytes]:
    return [vault.check_value(key) for key in key_files.load_master_keys(config.master_key_file)]
