"""The settings, the versions, the disk of the state folder, and the keys."""

import platform
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Final

from gateway import __version__, assembly
from gateway.cli.operate.doctor.installation import Installation, sql
from gateway.cli.operate.printout import size
from gateway.reconciliation.diagnosis import Result, failed, ok, warning

#: Free space in bytes: below the first the diagnostic fails, below the second it warns.
_ROOM_MIN: Final = 256 * 2**20
_ROOM_WANTED: Final = 2**30

#: The lock file: beside the package, in a checkout and in an image.
LOCK: Final = Path(__file__).resolve().parents[4] / "requirements.lock"


async def settings(one: Installation) -> Result:
    faults = one.configuration.faults
    if faults:
        return failed("; ".join(fault.message for fault in faults))
    given = sum(setting.source != "default" for setting in one.configuration.settings)
    return ok(f"{given} of {len(one.configuration.settings)} settings are set; all are valid")


async def versions(_: Installation) -> Result:
    """Check that the installed libraries have the versions of the lock file. One that is not installed is only for
    tests, or its absence shows at once.
    """
    running = f"gateway {__version__}, Python {platform.python_version()}"
    if not LOCK.exists():
        return ok(f"{running}; installed without a requirements.lock to compare the libraries with")
    others = [f"{name} {there} (locked: {locked})" for name, locked, there in _locked() if there not in (locked, None)]
    if others:
        return warning(
            f"other versions than those of requirements.lock are installed, run scripts/setup: {', '.join(others)}"
        )
    return ok(f"{running}, libraries as in requirements.lock")


def _locked() -> list[tuple[str, str, str | None]]:
    """Each library of the lock file, its version there, and the one that is installed."""
    text = LOCK.read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", text, re.MULTILINE)
    return [(name, version, _installed(name)) for name, version in found]


def _installed(name: str) -> str | None:
    """The installed version in the form of lock files: without leading zeros, 2.002 is 2.2 (PEP 440)."""
    try:
        return re.sub(r"\b0+(?=\d)", "", metadata.version(name))
    except metadata.PackageNotFoundError:
        return None


async def state_folder(one: Installation) -> Result:
    home = one.config.home
    return room(next(folder for folder in (home, *home.parents) if folder.exists()), f"GATEWAY_HOME, {home},")


async def database_disk(one: Installation) -> Result:
    async with one.connected.reading() as connection:
        row = await connection.fetchrow(sql.space)
    assert row is not None
    folder = Path(row["folder"]) if row["folder"] else None
    takes = f"the database takes {size(row['bytes'])}"
    try:
        return room(folder, takes + ", and its disk") if folder is not None else ok(f"{takes}; {_UNSEEN}")
    except OSError:
        return ok(f"{takes}; {_UNSEEN}")


_UNSEEN: Final = "the disk of its server cannot be seen from here"


def room(folder: Path, what: str) -> Result:
    """The free space of the disk that a folder is on. Raises OSError."""
    disk = shutil.disk_usage(folder)
    message = f"{what} has {size(disk.free)} of {size(disk.total)} free"
    if disk.free < _ROOM_WANTED:
        return (failed if disk.free < _ROOM_MIN else warning)(f"{message}: make room on the disk of {folder}")
    return ok(message)


async def keys(one: Installation) -> Result:
    one.has_keys(await assembly.vault_of(one.config, one.database))
    return ok("the master key and the root key are those of this database")
