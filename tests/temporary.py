"""Where a test run keeps its temporary files: in memory, where the machine has room for them.

A run makes hundreds of databases of more than 600 files each, and a dozen PostgreSQL servers. On a disk that takes many
times as long as in memory (tmpfs, /dev/shm). The servers have the same settings as on a disk, fsync included.

Each run has a folder of its own, which goes with it. That of a run that failed or was killed stays until the next run
begins. TMPDIR overrules all this, as it does for other programs.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")
_PREFIX: Final = "gateway-tests-"

#: Three processes of tests were seen to use 0.4 GiB; the WAL of each one's server may grow to 1 GiB (max_wal_size).
_ROOM_BYTES: Final = 4 * 2**30


def use_memory(memory: Path = _MEMORY, room_bytes: int = _ROOM_BYTES) -> Path | None:
    """Make the folder of this run and have it used, by this process and those that it starts, for all temporary files.

    None where TMPDIR is set, as it is in the processes of a run that has its folder, and where there is no room.
    """
    if "TMPDIR" in os.environ or not _has_room(memory, room_bytes):
        return None
    with _locked(memory):
        _remove_folders_of_ended_runs(memory)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=memory))
        _lock(folder)  # until this process ends
    folder.chmod(0o755)  # PostgreSQL runs as another user, who must be able to pass
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return folder


def _has_room(memory: Path, room_bytes: int) -> bool:
    """Whether the file system is there, lets programs run from it, and it and the machine have so much room."""
    try:
        found = os.statvfs(memory)
        machine = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    except OSError:
        return False
    available = int(machine["MemAvailable"].split()[0]) * 1024
    runs_programs = not found.f_flag & os.ST_NOEXEC
    return runs_programs and min(found.f_bavail * found.f_frsize, available) >= room_bytes


def _remove_folders_of_ended_runs(memory: Path) -> None:
    for folder in memory.glob(f"{_PREFIX}*"):
        with suppress(OSError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):  # OSError: it runs, or is not ours
            shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    lock = _lock(folder, how)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path, how: int = fcntl.LOCK_EX) -> int:
    """Take the folder's lock; it is let go when the file is closed, at the latest with this process."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, how)
    except BaseException:
        os.close(lock)
        raise
    return lock
