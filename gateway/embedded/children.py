"""The processes of one home: how they are identified, and how they end.

A process is identified by its id and its kernel start time: an id alone is reused, the pair is not (until the machine
restarts, so the boot id is stored with the records). Processes are signalled by that pair only.

Order: a child starts as a few lines of shell that write the child's record and then become its program. Until then the
child holds the home's lock, as its standard input. So the next process that gets the lock can read every record: no
child runs without a record at any moment.

A child leads a session of its own: Ctrl-C reaches only this process, and what a child leaves behind is found by its
session.

A child ends with this process, even if it is killed: the kernel then sends the child a signal (PR_SET_PDEATHSIG,
prctl(2)). A change of user clears that setting, so it is made after the change. The kernel watches the thread that
started the child, not the process, so children are started only by the main thread.
"""

import asyncio
import fcntl
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.errors import Misconfigured

#: Writes its own line of /proc and its end signal as the record, releases the lock, and becomes the program.
_BECOME: Final = """
IFS= read -r stat < "/proc/$$/stat" && printf '%s\\n%s\\n' "$stat" "$2" > "$1" || exit 125
GATEWAY_CHILD=$1; export GATEWAY_CHILD
shift 2
exec "$@" < /dev/null
"""
#: The death signal is only sent for a parent that ends from now on. If the parent has ended already, the child has
#: another parent by now, and does not become the program.
_BOUND: Final = '[ "$PPID" = "$1" ] || exit 125; shift; exec "$@"'
_MARK: Final = b"GATEWAY_CHILD="
_POLL_SECONDS: Final = 0.02  # Between two checks of a process that is not our child, so cannot be waited for.
_LOCK_SECONDS: Final = 2.0  #: How long a child of a killed run may take to write its record.
_LEFTOVER_SECONDS: Final = 3.0  # How long a leftover child may take to end after its signal.
_LOG_BYTES_MAX: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """One process: its id, its start in clock ticks since boot, and its session."""

    pid: int
    start: int
    session: int


_NOBODY: Final = Identity(0, 0, 0)


@dataclass(slots=True)
class Child:
    """A running child."""

    name: str
    identity: Identity
    record: Path
    log: Path
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.identity.pid

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def processor_seconds(self) -> float:
        """Return its processor time so far: a process that is stopped, or waits for something that never comes, gets no
        more.
        """
        with suppress(OSError):
            stat = Path(f"/proc/{self.pid}/stat").read_text()
            user, system = stat.rpartition(")")[2].split()[11:13]  # utime and stime, proc_pid_stat(5)
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
        return 0.0

    async def ended(self) -> str:
        """Wait for the end and return how it ended."""
        code = await self.process.wait()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def last_lines(self, count: int = 12) -> str:
        """Return the end of its log, for an error that can be understood without opening a file."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace")[-8_000:].splitlines()[-count:])
        return ""


class Children:
    """The home's lock, and the children started under it."""

    def __init__(self, home: Path, lock: int) -> None:
        self.home = home
        self._lock = lock
        self._setpriv = shutil.which("setpriv", path="/usr/bin:/bin:/usr/sbin:/sbin")

    @classmethod
    async def claim(cls, home: Path) -> "Children":
        """Lock the home for this run, and end what a killed run left in it. Raises Misconfigured if it is locked."""
        children = cls(home, await _lock(home))
        await asyncio.gather(*(_end_recorded(record) for record in children._records()))
        return children

    async def release(self) -> None:
        """End the children that are still recorded, for example because a start was interrupted, and unlock the
        home.
        """
        await asyncio.gather(*(_end_recorded(record) for record in self._records()))
        os.close(self._lock)

    async def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        if_we_die: signal.Signals = signal.SIGTERM,
        folder: Path | None = None,
    ) -> Child:
        """Start `argv` as the child `name`, which must not be running.

        `environ` replaces the environment, `settings` add to it. `prefix` changes the user that runs the program.
        `if_we_die` is the signal that ends it if this process is killed: the kernel sends it at once. A child that
        ignores it, or that runs without setpriv(1), is ended by the next run of the home.
        """
        assert threading.current_thread() is threading.main_thread(), "the death signal would follow this thread's end"
        record, log = self.home / "run" / f"{name}.child", self._log(name)
        how = [*prefix]
        if self._setpriv:
            how += [self._setpriv, "--pdeathsig", if_we_die.name.removeprefix("SIG")]
            how += ["/bin/sh", "-c", _BOUND, "gateway-child", str(os.getpid())]
        if settings:
            how += ["/usr/bin/env", *(f"{key}={value}" for key, value in settings.items())]
        process = await self._spawn(record, log, [if_we_die.name, *how, *argv], environ, folder)
        try:
            identity = await _recorded_by(process, record)
        except asyncio.CancelledError:
            process.kill()
            raise
        child = Child(name, identity, record, log, process)
        if identity.pid != process.pid:
            await process.wait()
            raise Misconfigured(f"{name} could not be started in {self.home}: {child.last_lines(3) or 'see its log'}")
        return child

    async def end(self, child: Child, how: signal.Signals = signal.SIGTERM, grace_seconds: float = 5.0) -> None:
        """Signal the child to end, kill it after the grace time, and end what it started."""
        await _end(child.identity, how, grace_seconds)
        await child.process.wait()
        await _sweep(child.identity, child.record)
        child.record.unlink(missing_ok=True)

    async def sweep(self, child: Child) -> None:
        """After a child has ended: end what it started, delete its record, and limit the size of its log."""
        await _sweep(child.identity, child.record)
        child.record.unlink(missing_ok=True)

    def trim_logs(self) -> None:
        """Rotate a log that has grown. Every writer appends, so truncating the file in place is safe."""
        for log in (self.home / "log").glob("*.log"):
            if log.stat().st_size > _LOG_BYTES_MAX:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)

    def _records(self) -> list[Path]:
        """Return the records that may name a living process: those of this boot and this process namespace."""
        run = self.home / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        boot = run / "boot"
        here = Path("/proc/sys/kernel/random/boot_id").read_text().strip() + " " + os.readlink("/proc/self/ns/pid")
        records = sorted(run.glob("*.child"))
        if not (boot.exists() and boot.read_text() == here):
            for record in records:
                record.unlink()
            boot.write_text(here)
            return []
        return records

    def _log(self, name: str) -> Path:
        folder = self.home / "log"
        folder.mkdir(mode=0o700, exist_ok=True)
        self.trim_logs()
        return folder / f"{name}.log"

    async def _spawn(
        self, record: Path, log: Path, argv: Sequence[str], environ: Mapping[str, str] | None, folder: Path | None
    ) -> asyncio.subprocess.Process:
        _forget(record)
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _BECOME, "gateway-child", str(record), *argv),
                stdin=self._lock,
                stdout=output,
                stderr=output,
                env=None if environ is None else dict(environ),
                cwd=folder,
                start_new_session=True,
            )
        finally:
            os.close(output)


def identify(pid: int) -> Identity | None:
    """Return the process that has this id now; None if there is none, or only a zombie."""
    try:
        return _identity(Path(f"/proc/{pid}/stat").read_text())
    except OSError:
        return None


def send(to: Identity, what: signal.Signals) -> bool:
    """Signal exactly this process. Returns False if it no longer exists, even if another process has its id now."""
    try:
        handle = os.pidfd_open(to.pid)
    except OSError:
        return False
    try:
        if identify(to.pid) != to:
            return False
        signal.pidfd_send_signal(handle, what)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def _identity(stat: str) -> Identity | None:
    """Parse a line of /proc/<pid>/stat (proc_pid_stat(5)); the program's name in it may contain blanks and brackets."""
    pid, _, rest = stat.partition(" ")
    fields = rest.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return Identity(int(pid), int(fields[19]), int(fields[3]))


def holder(home: Path) -> int | None:
    """Return the process id of the run that holds the home; None if there is none, or if it is still starting."""
    try:
        recorded = _identity((home / "lock").read_text())
    except OSError:
        return None
    return recorded.pid if recorded is not None and identify(recorded.pid) == recorded else None


async def _lock(home: Path) -> int:
    home.mkdir(mode=0o711, parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment, before anything runs
    lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    give_up = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _identity(os.pread(lock, 4_096, 0).decode())
            alive = holder is not None and identify(holder.pid) == holder
            if alive or time.monotonic() > give_up:
                os.close(lock)
                who = f"process {holder.pid}" if alive and holder else "a run that is just starting"
                raise Misconfigured(
                    f"{home} is in use by {who}: stop that one first, or give this one a GATEWAY_HOME and a "
                    "GATEWAY_PORT of its own"
                ) from None
            await asyncio.sleep(_POLL_SECONDS)
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, Path("/proc/self/stat").read_bytes(), 0)  # noqa: ASYNC240 - /proc does not block
            return lock


async def _recorded_by(process: asyncio.subprocess.Process, record: Path) -> Identity:
    """Return the child's own record, once it is complete; a null identity if the child ended before."""
    while True:
        if recorded := _recorded(record):
            return recorded
        if process.returncode is not None:
            return _NOBODY
        await asyncio.sleep(0.002)


async def _end_recorded(record: Path) -> None:
    """End a child of a killed run, with what it started."""
    if child := _recorded(record):
        await _end(child, _ended_by(record), _LEFTOVER_SECONDS)
        await _sweep(child, record)
    _forget(record)


def _recorded(record: Path) -> Identity | None:
    """Return the process that a record names; None if the record is missing or incomplete: then its program never
    ran.
    """
    with suppress(FileNotFoundError):
        stat, _, rest = record.read_text().partition("\n")
        if rest.endswith("\n"):
            return _identity(stat)
    return None


def _ended_by(record: Path) -> signal.Signals:
    return signal.Signals[record.read_text().split()[-1]]


def _forget(record: Path) -> None:
    record.unlink(missing_ok=True)


async def _end(who: Identity, how: signal.Signals, grace_seconds: float) -> None:
    give_up = time.monotonic() + grace_seconds
    there = send(who, how)
    while there and identify(who.pid) == who:
        if time.monotonic() > give_up:
            there = send(who, signal.SIGKILL)
        await asyncio.sleep(_POLL_SECONDS)


async def _sweep(leader: Identity, record: Path) -> None:
    """End the remaining processes of the session of a child that has ended.

    While a session has members the kernel does not give its number to a new process. The mark in their environment is
    checked as well, so that a much later session of the same number is left alone.
    """
    for how in (signal.SIGTERM, signal.SIGKILL):
        left = [member for member in _processes() if member.session == leader.pid and _is_marked(member, record)]
        for member in left:
            send(member, how)
        give_up = time.monotonic() + 1.0
        while any(identify(one.pid) == one for one in left) and time.monotonic() < give_up:  # noqa: ASYNC110 - not ours
            await asyncio.sleep(_POLL_SECONDS)


def _processes() -> Iterator[Identity]:
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (found := identify(int(entry))):
            yield found


def _is_marked(who: Identity, record: Path) -> bool:
    try:
        environment = Path(f"/proc/{who.pid}/environ").read_bytes()
    except OSError:
        return False
    return _MARK + os.fsencode(record) in environment.split(b"\0")
